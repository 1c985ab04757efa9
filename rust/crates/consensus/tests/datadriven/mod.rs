// SPDX-License-Identifier: Apache-2.0
//! Files of commands with what they should say, in the format of the Go package `github.com/cockroachdb/datadriven`.

#![allow(clippy::unwrap_used, dead_code, reason = "tests say what they expect, and each uses a part of this")]

use std::fs;
use std::path::{Path, PathBuf};

/// One command of a file.
pub struct Command {
    /// Where it stands, to be named in failures.
    pub place: String,
    pub name: String,
    pub arguments: Vec<Argument>,
    /// What follows the command's own line.
    pub input: String,
    /// What it should say.
    pub expected: String,
}

/// `key`, `key=value` or `key=(value,value)`.
pub struct Argument {
    pub key: String,
    pub values: Vec<String>,
}

impl Command {
    /// The arguments that are numbers alone: members.
    pub fn members(&self) -> Vec<u64> {
        self.arguments.iter().filter(|argument| argument.values.is_empty()).flat_map(|a| a.key.parse()).collect()
    }

    pub fn values(&self, key: &str) -> &[String] {
        self.arguments.iter().find(|argument| argument.key == key).map_or(&[], |argument| &argument.values)
    }

    /// The value of a key, if it is there.
    pub fn value<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.values(key).first().and_then(|value| value.parse().ok())
    }

    pub fn numbers(&self, key: &str) -> Vec<u64> {
        self.values(key).iter().map(|value| value.parse().unwrap()).collect()
    }
}

/// Everything below `tests/vectors/raft/<folder>`, in the order of the names.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/raft").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The commands of a file.
pub fn commands(path: &Path) -> Vec<Command> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines().enumerate();
    let mut commands = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, arguments) = line.split_once(' ').unwrap_or((line, ""));
        let mut block = |end: &str| {
            let lines = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != end);
            lines.fold(String::new(), |text, line| text + line + "\n")
        };
        commands.push(Command {
            place: format!("{}:{}", path.file_name().unwrap().display(), number + 1),
            name: name.to_owned(),
            arguments: parse(arguments),
            input: block("----"),
            expected: block(""),
        });
    }
    commands
}

fn parse(text: &str) -> Vec<Argument> {
    let mut depth = 0;
    let tokens = text.split(|character| {
        depth += i32::from(character == '(') - i32::from(character == ')');
        character == ' ' && depth == 0
    });
    let argument = |token: &str| {
        let (key, values) = token.split_once('=').map_or((token, None), |(key, values)| (key, Some(values)));
        let values = values.map_or(Vec::new(), |values| {
            let values = values.trim_start_matches('(').trim_end_matches(')');
            values.split([',', ' ']).filter(|value| !value.is_empty()).map(str::to_owned).collect()
        });
        Argument { key: key.to_owned(), values }
    };
    tokens.filter(|token| !token.is_empty()).map(argument).collect()
}
