// SPDX-License-Identifier: Apache-2.0
//! How many times as fast as AWS-LC each engine is, by turns of a few milliseconds.
//!
//! `cargo bench -p fastledger-crypto --bench turns`. What else a machine does comes and goes, for seconds or minutes, and
//! slows some code down more than other. So each turn measures every engine and the library next to each other, in the
//! time that the thread itself ran; what is told are medians of rates, and of ratios within a turn.

mod load;

use std::time::Duration;

use fastledger_crypto::{Engine, Job, Verifier, VerifierOptions};
use load::Load;
use rustix::time::{ClockId, clock_gettime};

/// Signatures in a batch of an engine.
const BATCH: usize = 256;
/// Signatures in a turn of the library: a millisecond or two.
const LIBRARY_BATCH: usize = 16;
const TURNS: usize = 150;

/// The time that this thread has run.
fn ran() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a time since the thread began")
}

/// Signatures per second in one batch.
fn rate(verifier: &Verifier, jobs: &[Job<'_>]) -> f64 {
    let mut valid = [false; BATCH];
    let start = ran();
    verifier.verify_batch(jobs, &mut valid[..jobs.len()]);
    let took = ran() - start;
    assert!(valid[..jobs.len()].iter().all(|&valid| valid));
    f64::from(u32::try_from(jobs.len()).expect("a batch")) / took.as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures all engines on one load; without tables where keys are seen once.
fn turns(name: &str, load: &Load, table_bytes: usize) {
    let jobs = load.jobs();
    let verifier = |engine| Verifier::new(VerifierOptions { engine: Some(engine), table_bytes });
    let chosen = Engine::from_environment().expect("an engine that is there");
    let engines: Vec<(Engine, Verifier)> = Engine::ALL
        .into_iter()
        .filter(|&engine| engine.is_available() && engine != Engine::Library && chosen.is_none_or(|one| one == engine))
        .map(|engine| (engine, verifier(engine)))
        .collect();
    let library = verifier(Engine::Library);
    if table_bytes > 0 {
        for (_, verifier) in &engines {
            // Until every key has its table.
            (0..4).for_each(|_| jobs.chunks(BATCH).for_each(|jobs| _ = rate(verifier, jobs)));
        }
    }
    let mut batches = jobs.chunks_exact(BATCH).cycle();
    let mut rates = vec![Vec::with_capacity(TURNS); engines.len()];
    let mut ratios = rates.clone();
    let mut library_rates = Vec::with_capacity(TURNS);
    for _ in 0..TURNS {
        let jobs = batches.next().expect("endless");
        for (i, (_, verifier)) in engines.iter().enumerate() {
            let before = rate(&library, &jobs[..LIBRARY_BATCH]);
            let rate = rate(verifier, jobs);
            library_rates.push(before);
            rates[i].push(rate);
            ratios[i].push(rate / before);
        }
    }
    println!("{name}: AWS-LC {:.0}/s", median(library_rates));
    for (((engine, _), rates), ratios) in engines.iter().zip(rates).zip(ratios) {
        println!("{name}: {} {:.0}/s, {:.1} times", engine.name(), median(rates), median(ratios));
    }
}

fn main() {
    for keys in [8, 100, 1000] {
        turns(&format!("{keys} keys"), &Load::new(keys, 12_800), VerifierOptions::default().table_bytes);
    }
    turns("keys seen once", &Load::new(25_600, 25_600), 0);
}
