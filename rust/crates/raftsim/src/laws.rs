// SPDX-License-Identifier: Apache-2.0
//! What must hold at every step (thesis, figure 3.2), and what clients were told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fastledger_consensus::{Entry, Message, MessageKind, Node};

use crate::chain::Block;

/// A law that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

pub(crate) type Held = Result<(), Broken>;

/// What has been seen, of all members and for all time.
#[derive(Debug, Default)]
pub(crate) struct Laws {
    leaders: BTreeMap<u64, u64>,
    votes: BTreeMap<(u64, u64), u64>,
    /// Of each entry that ever was in a log: what it holds, and the term of the one before.
    entries: BTreeMap<(u64, u64), (Vec<u8>, u64)>,
    /// What was applied at each place of the log.
    applied: BTreeMap<u64, Applied>,
    /// What was ordered.
    blocks: Vec<Block>,
    contents: BTreeSet<u64>,
}

#[derive(Debug)]
struct Applied {
    term: u64,
    data: Vec<u8>,
    /// The earliest term in which anybody applied it: it was committed then, or before.
    known_in: u64,
}

fn broken<T>(text: String) -> Result<T, Broken> {
    Err(Broken(text))
}

impl Laws {
    /// At most one member leads in a term, and it has everything that was committed in earlier ones. What is committed
    /// later, also of earlier terms' entries, one that stood still may lack when it finds that it was elected.
    pub(crate) fn leads(&mut self, node: &Node) -> Held {
        let (id, term) = (node.id(), node.hard_state().term);
        let leader = *self.leaders.entry(term).or_insert(id);
        if leader != id {
            return broken(format!("in term {term} both {leader} and {id} lead"));
        }
        if let Some((index, applied)) = self.applied.iter().rev().find(|(_, applied)| applied.known_in < term) {
            let has = match node.entries(*index, *index) {
                Some(found) => found.first().is_some_and(|entry| entry.term == applied.term),
                None => *index < node.first_index(),
            };
            if !has {
                return broken(format!("{id} leads in term {term} without entry {index}, which is committed"));
            }
        }
        Ok(())
    }

    pub(crate) fn elections(&self) -> u64 {
        self.leaders.len() as u64
    }

    /// Nobody votes for two candidates in a term, whatever happens in between.
    pub(crate) fn sends(&mut self, message: &Message) -> Held {
        if message.kind != MessageKind::VoteResp || message.reject {
            return Ok(());
        }
        self.votes(message.from, message.term, message.to)
    }

    /// What a member has voted, told to others or kept.
    pub(crate) fn votes(&mut self, voter: u64, term: u64, candidate: u64) -> Held {
        match *self.votes.entry((voter, term)).or_insert(candidate) {
            first if first == candidate => Ok(()),
            first => broken(format!("{voter} votes for {first} and {candidate} in term {term}")),
        }
    }

    /// Entries of the same index and term are the same, and so are those before them.
    pub(crate) fn appends(&mut self, node: &Node, entries: &[Entry]) -> Held {
        let mut before = entries.first().and_then(|first| {
            let before = node.entries(first.index - 1, first.index - 1)?;
            before.first().map(|entry| entry.term)
        });
        for Entry { index, term, data, .. } in entries {
            if let Some(before) = before {
                let seen = self.entries.entry((*index, *term)).or_insert_with(|| (data.to_vec(), before));
                if seen.0 != *data || seen.1 != before {
                    return broken(format!("entry {index} of term {term} is two different ones"));
                }
            }
            before = Some(*term);
        }
        Ok(())
    }

    /// Everybody applies the same at the same place; `now` is the term of who does.
    pub(crate) fn applies(&mut self, id: u64, entry: &Entry, now: u64) -> Held {
        let Entry { index, term, data, .. } = entry;
        let make = || Applied { term: *term, data: data.to_vec(), known_in: now };
        let first = self.applied.entry(*index).or_insert_with(make);
        if (first.term, first.data.as_slice()) != (*term, data) {
            return broken(format!(
                "{id} applies another entry {index} than others, of term {term} and {}",
                first.term
            ));
        }
        first.known_in = first.known_in.min(now);
        Ok(())
    }

    /// At each height all members have one block, and no content is ordered twice.
    pub(crate) fn writes(&mut self, id: u64, block: Block) -> Held {
        let place = usize::try_from(block.number).unwrap_or(usize::MAX);
        match self.blocks.get(place) {
            Some(ordered) if *ordered == block => Ok(()),
            Some(ordered) => broken(format!("{id} writes {block:?}, others {ordered:?}")),
            None if place == self.blocks.len() => {
                self.blocks.push(block);
                if self.contents.insert(block.content) {
                    Ok(())
                } else {
                    broken(format!("{block:?} was ordered before"))
                }
            }
            None => broken(format!("{id} writes {block:?} before others")),
        }
    }

    pub(crate) fn height(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// What was ordered from a height on, for who pulls it.
    pub(crate) fn blocks_from(&self, height: u64) -> &[Block] {
        &self.blocks[usize::try_from(height).unwrap_or_default().min(self.blocks.len())..]
    }
}
