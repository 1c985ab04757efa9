// SPDX-License-Identifier: Apache-2.0
//! Measures in processes of their own: memory is counted from a fresh start, and what dies or hangs is alone in that.

use std::env;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What takes longer is hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs this program with these arguments; its output, or how it ended.
pub fn output(arguments: &[&str]) -> Result<String, String> {
    let own = env::current_exe().expect("this program");
    let mut child = Command::new(own).args(arguments).stdout(Stdio::piped()).spawn().expect("a process");
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if child.try_wait().expect("a child").is_some() {
            let output = child.wait_with_output().expect("its output");
            let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
            return if output.status.success() { Ok(text) } else { Err(format!("died: {}", output.status)) };
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(child.kill());
    drop(child.wait());
    Err(format!("hangs: stopped after {} s", PATIENCE.as_secs()))
}

/// What [`output`] measured.
pub struct Spent {
    pub bytes: f64,
    /// Bytes of the blocks before.
    pub earlier: f64,
    /// Of processors.
    pub seconds: f64,
    /// In bytes.
    pub memory: f64,
}

/// Runs this program with these arguments; none if it does not end well.
pub fn measure(arguments: &[&str]) -> Option<Spent> {
    let text = output(arguments).ok()?;
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    let mut next = || numbers.next()?.ok();
    let (megabytes, earlier, milliseconds, _, memory) = (next()?, next()?, next()?, next()?, next()?);
    Some(Spent { bytes: megabytes * 1e6, earlier: earlier * 1e6, seconds: milliseconds / 1e3, memory: memory * 1e6 })
}
