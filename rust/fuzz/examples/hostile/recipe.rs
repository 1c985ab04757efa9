// SPDX-License-Identifier: Apache-2.0
//! A block in a line of text, made of parts that each stand for one way of being dear.
//!
//! Blocks stand one after another, separated by `|`, and the last one is measured. A block is parts separated by `+`; a part
//! is its kind and its [`SIZES`] numbers. Equal texts make equal blocks.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use fastledger_fuzz::message::{Bytes, Number, message};
use fastledger_fuzz::network::policy::{self, role};
use fastledger_fuzz::network::setup::VALIDATION_PARAMETER;

use crate::cases::{define_collections, endorsement, hashed, unsigned, varied, with_endorsements};
use crate::world::{Measured, World, metadata, results, write};

/// How a part is dear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Writes,
    Deletes,
    Reads,
    Ranges,
    Summaries,
    Policies,
    Notes,
    HashedWrites,
    HashedReads,
    Endorsements,
    Endorsers,
    Namespaces,
    Envelopes,
    Ids,
    Collections,
    Quiet,
}

impl Kind {
    pub const ALL: [(Self, &'static str); 16] = [
        (Self::Writes, "writes"),
        (Self::Deletes, "deletes"),
        (Self::Reads, "reads"),
        (Self::Ranges, "ranges"),
        (Self::Summaries, "summaries"),
        (Self::Policies, "policies"),
        (Self::Notes, "notes"),
        (Self::HashedWrites, "hashed-writes"),
        (Self::HashedReads, "hashed-reads"),
        (Self::Endorsements, "endorsements"),
        (Self::Endorsers, "endorsers"),
        (Self::Namespaces, "namespaces"),
        (Self::Envelopes, "envelopes"),
        (Self::Ids, "ids"),
        (Self::Collections, "collections"),
        (Self::Quiet, "quiet"),
    ];
}

/// How many numbers a part has: transactions, things in each, how many of the things differ, bytes that their names begin
/// with alike, and bytes of a value.
pub const SIZES: usize = 5;

/// The most that each number may be.
pub const MOST: [u32; SIZES] = [500, 200_000, 200_000, 600, 2_000_000];

/// Most bytes that a part may come to, roughly.
const MOST_BYTES: u64 = 6_000_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub kind: Kind,
    pub sizes: [u32; SIZES],
}

/// Blocks, of which the last is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe(pub Vec<Vec<Part>>);

impl Part {
    /// Keeps the numbers within their limits, and their product within that of a block.
    pub fn bounded(mut self) -> Self {
        for (size, most) in self.sizes.iter_mut().zip(MOST) {
            *size = (*size).min(most);
        }
        let [txs, count, differ, prefix, value] = self.sizes;
        let (txs, differ) = (txs.max(1), differ.max(1));
        let each = u64::from(prefix) + u64::from(value) + 4;
        let most = (MOST_BYTES / u64::from(txs) / each).max(1);
        let count = u64::from(count.max(1)).min(most) as u32;
        self.sizes = [txs, count, differ, prefix, value];
        self
    }

    fn name(&self, number: u32) -> String {
        let [_, _, differ, prefix, _] = self.sizes;
        format!("{}{:x}", "z".repeat(prefix as usize), number % differ)
    }

    /// The entries that the part adds to a block.
    fn entries(&self, world: &mut World) -> Vec<Vec<u8>> {
        let [txs, count, _, _, value] = self.sizes;
        let bare = matches!(self.kind, Kind::Envelopes | Kind::Ids);
        let txs = if bare { 1 } else { txs };
        (0..txs).flat_map(|tx| self.transaction(tx, count, value as usize, world)).collect()
    }

    fn transaction(&self, tx: u32, count: u32, value: usize, world: &mut World) -> Vec<Vec<u8>> {
        let value = vec![7; value];
        let first = tx.wrapping_mul(count);
        let names = (first..first + count).map(|number| self.name(number));
        let public = |fields: Vec<u8>, world: &mut World| vec![world.tx(&results("cc", &fields))];
        let private = |number: u8, world: &mut World| {
            let item = |name: String| message(&[Bytes(1, name.as_bytes()), Bytes(3, &value)]);
            let items: Vec<u8> = names.clone().flat_map(|name| message(&[Bytes(number.into(), &item(name))])).collect();
            let collection = format!("collection{}", tx % self.sizes[2]);
            vec![world.tx(&hashed(&collection, &items))]
        };
        match self.kind {
            Kind::Writes => public(names.flat_map(|name| write(&name, &value)).collect(), world),
            Kind::Deletes => {
                let delete = |name: String| message(&[Bytes(3, &message(&[Bytes(1, name.as_bytes()), Number(2, 1)]))]);
                public(names.flat_map(delete).collect(), world)
            }
            Kind::Reads => {
                let read = |name: String| message(&[Bytes(1, &message(&[Bytes(1, name.as_bytes())]))]);
                public(names.flat_map(read).collect(), world)
            }
            Kind::Ranges => {
                let range = |name: String| message(&[Bytes(2, &message(&[Bytes(1, name.as_bytes()), Number(3, 1)]))]);
                public(names.flat_map(range).collect(), world)
            }
            Kind::Summaries => {
                let summary = message(&[Number(1, value.len() as u64 + 2), Number(2, 9), Bytes(3, &[0; 32])]);
                let fields = |name: &str| message(&[Bytes(1, name.as_bytes()), Number(3, 1), Bytes(5, &summary)]);
                public(names.flat_map(|name| message(&[Bytes(2, &fields(&name))])).collect(), world)
            }
            Kind::Policies => {
                let principals = vec![policy::role_of("Org1MSP", role::PEER); value.len() / 20 + 1];
                let policy = policy::envelope(&policy::n_out_of(0, &[policy::signed_by(0)]), &principals);
                public(names.flat_map(|name| metadata(&name, VALIDATION_PARAMETER, &policy)).collect(), world)
            }
            Kind::Notes => public(names.flat_map(|name| metadata(&name, "nothing", &value)).collect(), world),
            Kind::HashedWrites => private(2, world),
            Kind::HashedReads => private(1, world),
            Kind::Endorsements => {
                let junk =
                    |name: String| message(&[Bytes(2, &message(&[Bytes(1, name.as_bytes()), Bytes(2, &value)]))]);
                vec![with_endorsements(world, 1, &names.flat_map(junk).collect::<Vec<_>>())]
            }
            Kind::Endorsers => {
                let identity = world.network.peer(2).serialized();
                let differ = self.sizes[2] as usize;
                let many =
                    (0..count as usize / 100 + 1).flat_map(|number| endorsement(&varied(&identity, number % differ)));
                vec![with_endorsements(world, 1, &many.collect::<Vec<_>>())]
            }
            Kind::Namespaces => {
                let all: Vec<u8> = names.flat_map(|name| results(&name, &[])).collect();
                vec![world.tx(&all)]
            }
            Kind::Envelopes => names
                .map(|name| message(&[Bytes(1, name.as_bytes()), Bytes(2, &[&[1], value.as_slice()].concat())]))
                .collect(),
            Kind::Ids => names.map(|name| unsigned(&name)).collect(),
            Kind::Collections => define_collections(world, count.min(20_000) as usize),
            Kind::Quiet => Vec::new(),
        }
    }
}

impl Recipe {
    /// Measures the last block on a channel of its own.
    pub fn run(&self) -> Measured {
        let mut world = World::ordinary();
        let Some((last, earlier)) = self.0.split_last() else { return world.measure(&[]) };
        for block in earlier {
            for part in block.iter().filter(|part| part.kind == Kind::Quiet) {
                (0..part.sizes[0].min(40)).for_each(|_| world.earlier(&[]));
            }
            let entries: Vec<_> = block.iter().flat_map(|part| part.entries(&mut world)).collect();
            if !entries.is_empty() {
                world.earlier(&entries);
            }
        }
        let entries: Vec<_> = last.iter().flat_map(|part| part.entries(&mut world)).collect();
        let first = world.tx(&results("cc", &write("first", b"v")));
        world.measure(&[vec![first], entries].concat())
    }
}

impl Display for Recipe {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let part = |part: &Part| {
            let (_, name) = Kind::ALL.iter().find(|(kind, _)| *kind == part.kind).expect("every kind has a name");
            let sizes: Vec<_> = part.sizes.iter().map(u32::to_string).collect();
            format!("{name} {}", sizes.join(" "))
        };
        let blocks: Vec<_> =
            self.0.iter().map(|block| block.iter().map(part).collect::<Vec<_>>().join(" + ")).collect();
        formatter.write_str(&blocks.join(" | "))
    }
}

impl FromStr for Recipe {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let part = |text: &str| {
            let mut words = text.split_whitespace();
            let name = words.next().unwrap_or_default();
            let kind =
                Kind::ALL.iter().find(|(_, known)| *known == name).ok_or(format!("there is no part {name:?}"))?;
            let sizes: Vec<u32> =
                words.map(str::parse).collect::<Result<_, _>>().map_err(|error| format!("{text}: {error}"))?;
            let sizes = sizes.try_into().map_err(|_| format!("{text:?} does not have {SIZES} numbers"))?;
            Ok(Part { kind: kind.0, sizes }.bounded())
        };
        let blocks = text.split('|').map(|block| block.split('+').map(part).collect::<Result<_, String>>());
        blocks.collect::<Result<_, String>>().map(Self)
    }
}
