// SPDX-License-Identifier: Apache-2.0
//! Blocks that are made to be slow or large, beside ordinary ones: milliseconds of processor time, and memory.
//!
//! `cargo run --release --example hostile` runs every case in a process of its own and prints a table; a case's name as
//! argument runs that one here.

mod cases;
mod world;

use std::env;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use world::Measured;

/// A case that takes longer is hanging.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let name = env::args().nth(1);
    match name.as_deref().map(|name| cases::ALL.iter().find(|case| case.name == name)) {
        None => all(),
        Some(Some(case)) => println!("{}", (case.run)().line()),
        Some(None) => eprintln!("there is no case of that name"),
    }
}

fn all() {
    println!("{:32} {:>9} {:>10} {:>10} {:>9}  outcome", "case", "MB", "ms", "ms per MB", "peak MB");
    for case in cases::ALL {
        let own = env::current_exe().expect("this program");
        let child = Command::new(own).arg(case.name).stdout(Stdio::piped()).spawn().expect("a process");
        println!("{:32} {}", case.name, outcome(child));
    }
}

fn outcome(mut child: Child) -> String {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if child.try_wait().expect("a child").is_some() {
            let output = child.wait_with_output().expect("its output");
            let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
            return if output.status.success() { text } else { format!("died: {}", output.status) };
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(child.kill());
    drop(child.wait());
    format!("hangs: stopped after {} s", PATIENCE.as_secs())
}

impl Measured {
    fn line(&self) -> String {
        let megabytes = self.bytes as f64 / 1e6;
        let milliseconds = self.time.as_secs_f64() * 1e3;
        let outcome: String = self.outcome.chars().take(100).collect();
        format!(
            "{megabytes:9.3} {milliseconds:10.1} {:10.1} {:9.0}  {outcome}",
            milliseconds / megabytes,
            self.peak as f64 / 1e6
        )
    }
}
