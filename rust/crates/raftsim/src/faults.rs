// SPDX-License-Identifier: Apache-2.0
//! Which faults a seed has, how often, and how many there were.

use std::fmt;
use std::ops::AddAssign;

use fastledger_consensus::Random;

/// Chances in ten thousand, of a message or of a step of the world; 0 for faults that a seed does not have.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
    /// Of being much later than others, which puts it behind them.
    pub(crate) delay: u64,
    pub(crate) partition: u64,
    pub(crate) heal: u64,
    pub(crate) crash: u64,
    /// Of going down within an operation of the disk.
    pub(crate) fuse: u64,
    pub(crate) pause: u64,
    pub(crate) full_disk: u64,
    pub(crate) failing_syncs: u64,
    pub(crate) membership: u64,
    pub(crate) transfer: u64,
    pub(crate) restart: u64,
}

impl Faults {
    /// Each kind is there or not, so that some seeds have one alone and others all.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let mut some = |most: u64| if random.below(2) == 0 { 0 } else { 1 + random.below(most) };
        Self {
            loss: some(2000),
            duplication: some(1000),
            delay: some(2000),
            partition: some(60),
            heal: 100,
            crash: some(60),
            fuse: some(60),
            pause: some(40),
            full_disk: some(40),
            failing_syncs: some(30),
            membership: some(60),
            transfer: some(60),
            restart: 150,
        }
    }

    pub(crate) fn none() -> Self {
        Self {
            loss: 0,
            duplication: 0,
            delay: 0,
            partition: 0,
            heal: 10_000,
            crash: 0,
            fuse: 0,
            pause: 0,
            full_disk: 0,
            failing_syncs: 0,
            membership: 0,
            transfer: 0,
            restart: 10_000,
        }
    }
}

macro_rules! counts {
    ($($(#[$meta:meta])* $name:ident,)*) => {
        /// How often what happened.
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$meta])* pub $name: u64,)*
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl fmt::Display for Counts {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(to, "{:>14}  {}", self.$name, stringify!($name).replace('_', " "))?;)*
                Ok(())
            }
        }
    };
}

counts! {
    /// Events of all kinds.
    steps,
    /// Messages that reached their member.
    messages_delivered,
    /// Messages that the network lost.
    messages_lost,
    /// Messages that arrived twice.
    messages_doubled,
    /// Messages that were much later than others.
    messages_late,
    /// Messages that a partition held up.
    messages_cut_off,
    /// Times that some members could not reach others, in one direction or both.
    partitions,
    /// Members whose process was killed, the machine going on.
    processes_killed,
    /// Members that went down between two steps of their work.
    crashes,
    /// Members that went down within an operation of their disk.
    crashes_within_writes,
    /// Sectors that were written, not synced, and lost.
    sectors_lost,
    /// Logs that were opened with a torn end.
    torn_ends,
    /// Blocks that were written, not synced, and lost.
    blocks_lost_unsynced,
    /// Times that a disk was full.
    full_disks,
    /// Writes that a full disk refused.
    writes_refused_full,
    /// Syncs that failed.
    syncs_failed,
    /// Times that a member stood still.
    pauses,
    /// Members that were to be added or removed.
    membership_changes,
    /// Members that were added.
    members_added,
    /// Members that were removed.
    members_removed,
    /// Leaderships that were to be handed over.
    transfers,
    /// Elections that were won.
    elections,
    /// Snapshots that members took of what they had applied.
    snapshots_taken,
    /// Snapshots of a leader's that members took in place of their log.
    snapshots_restored,
    /// Blocks that were proposed.
    blocks_proposed,
    /// Blocks that the cluster ordered.
    blocks_ordered,
}
