// SPDX-License-Identifier: Apache-2.0
//! Writes a channel to disk: `generate SPEC.json OUT`.
//!
//! SPEC.json holds a `Spec` (`{}` for the default). OUT becomes a folder of `NNNNNN.block` files, or one length-prefixed
//! stream where its name ends in `.blocks`. The verdicts to expect are written beside the blocks.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use fastledger_workload::{Spec, Workload, files};

fn main() -> ExitCode {
    match generate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn generate() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [spec, out] = arguments.as_slice() else { return Err("usage: generate SPEC.json OUT".into()) };
    let spec = Spec::from_json(&fs::read_to_string(spec).map_err(|error| format!("{spec}: {error}"))?)?;
    let start = Instant::now();
    let (mut transactions, mut bytes) = (0, 0);
    let blocks = Workload::new(&spec)?.inspect(|block| {
        transactions += block.predicted.len();
        bytes += block.bytes.len();
    });
    let out = Path::new(out);
    if out.extension().is_some_and(|ending| ending == "blocks") {
        files::write_stream(out, blocks)?;
    } else {
        files::write_folder(out, blocks)?;
    }
    eprintln!("{transactions} transactions, {bytes} bytes, {:.3} s", start.elapsed().as_secs_f64());
    Ok(())
}
