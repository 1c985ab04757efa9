// SPDX-License-Identifier: Apache-2.0
//! Blocks that are made to be slow or large, beside ordinary ones: milliseconds of processor time, and memory.
//!
//! `cargo run --release --example hostile` runs every case in a process of its own and prints a table; a case's name as
//! argument runs that one here. `search SEED SECONDS` looks for dearer ones, `seeds` measures what it found before, and
//! `recipe TEXT` what one line of them stands for.

mod cases;
mod process;
mod recipe;
mod search;
mod world;

use std::env;
use std::time::Duration;

use recipe::Recipe;
use world::Measured;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => all(),
        ["seeds"] => search::seeds(),
        ["recipe", text] => match text.parse::<Recipe>() {
            Ok(recipe) => println!("{}", recipe.run().line()),
            Err(error) => eprintln!("{error}"),
        },
        ["search", seed, seconds] => match (seed.parse(), seconds.parse()) {
            (Ok(seed), Ok(seconds)) => search::search(seed, Duration::from_secs(seconds)),
            _ => eprintln!("search takes a seed and seconds, both numbers"),
        },
        [name] => match cases::ALL.iter().find(|case| case.name == *name) {
            Some(case) => println!("{}", (case.run)().line()),
            None => eprintln!("there is no case of that name"),
        },
        _ => eprintln!("a case, seeds, recipe TEXT or search SEED SECONDS"),
    }
}

fn all() {
    let columns = ["case", "MB", "earlier", "ms", "ms per MB", "peak MB"];
    let [case, size, earlier, time, per_megabyte, peak] = columns;
    println!("{case:32} {size:>9} {earlier:>9} {time:>10} {per_megabyte:>10} {peak:>9}  outcome");
    for case in cases::ALL {
        println!("{:32} {}", case.name, process::output(&[case.name]).unwrap_or_else(|end| end));
    }
}

impl Measured {
    fn line(&self) -> String {
        let megabytes = self.bytes as f64 / 1e6;
        let milliseconds = self.time.as_secs_f64() * 1e3;
        let outcome: String = self.outcome.chars().take(100).collect();
        format!(
            "{megabytes:9.3} {:9.3} {milliseconds:10.1} {:10.1} {:9.3}  {outcome}",
            self.earlier as f64 / 1e6,
            milliseconds / megabytes,
            self.peak as f64 / 1e6
        )
    }
}
