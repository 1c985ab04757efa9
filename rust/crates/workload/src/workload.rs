// SPDX-License-Identifier: Apache-2.0
//! A channel as a stream of blocks, built ahead by several threads.

use std::collections::VecDeque;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::blocks::{Builder, Built, Chain, GeneratedBlock};
use crate::error::Result;
use crate::identities::{Identity, Network};
use crate::planner::{BlockPlan, Planner};
use crate::spec::Spec;

/// A whole channel, block by block, from nothing.
///
/// ```text
/// planner ──plan──► builders (threads) ──entries, data hash──► chain ──► GeneratedBlock
/// in order          whichever is free                          in order
/// ```
///
/// It is an iterator: first the blocks that set the channel up, then the measured ones. One block more than there are
/// threads is under way; nothing else is held but a few numbers for each key.
pub struct Workload {
    network: Arc<Network>,
    planner: Planner,
    chain: Chain,
    jobs: Option<Sender<Job>>,
    under_way: VecDeque<Receiver<Built>>,
    threads: Vec<JoinHandle<()>>,
}

struct Job {
    plan: BlockPlan,
    done: Sender<Built>,
}

impl Workload {
    /// Makes keys and certificates, and starts a thread for each core.
    pub fn new(spec: &Spec) -> Result<Self> {
        Self::with_threads(spec, 0)
    }

    /// As [`Workload::new`], with so many threads; 0 for one for each core. The blocks are the same with any number.
    pub fn with_threads(spec: &Spec, threads: usize) -> Result<Self> {
        spec.validate()?;
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        let threads = if threads == 0 { cores() } else { threads };
        let network = Arc::new(Network::new(spec)?);
        let builder = Arc::new(Builder::new(spec, Arc::clone(&network)));
        let (jobs, queue) = bounded::<Job>(threads + 1);
        let build = || {
            let (queue, builder) = (queue.clone(), Arc::clone(&builder));
            thread::spawn(move || {
                for Job { plan, done } in queue {
                    // Nobody waits for it when the workload is being dropped.
                    let _ = done.send(builder.build(plan));
                }
            })
        };
        Ok(Self {
            planner: Planner::new(spec, Arc::clone(&network))?,
            chain: Chain::new(spec, Arc::clone(&network)),
            network,
            jobs: Some(jobs),
            under_way: VecDeque::new(),
            threads: (0..threads).map(|_| build()).collect(),
        })
    }

    /// Everybody on the channel who signs, and the orderer's TLS pair as the last one.
    #[must_use]
    pub fn identities(&self) -> Vec<Identity> {
        self.network.identities()
    }

    /// Keeps every thread busy, and one block waiting.
    fn top_up(&mut self) {
        let Some(jobs) = &self.jobs else { return };
        while self.under_way.len() <= self.threads.len() {
            let Some(plan) = self.planner.next_block() else { return };
            let (done, built) = bounded(1);
            self.under_way.push_back(built);
            if jobs.send(Job { plan, done }).is_err() {
                return;
            }
        }
    }

    /// Waits for the threads to end; a panic of theirs goes on here.
    fn stop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
    }
}

impl Iterator for Workload {
    type Item = GeneratedBlock;

    fn next(&mut self) -> Option<GeneratedBlock> {
        self.top_up();
        if let Ok(built) = self.under_way.pop_front()?.recv() {
            return Some(self.chain.seal(built));
        }
        self.stop();
        None
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.under_way.clear();
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A second panic while one is under way would end the process.
            let _ = thread.join();
        }
    }
}
