// SPDX-License-Identifier: Apache-2.0
//! Majorities.

use std::cmp::Reverse;

/// How a vote stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// A majority can still come together, and has not.
    Pending,
    /// No majority can come together any more.
    Lost,
    /// A majority is for it.
    Won,
}

/// How many of `voters` are a majority.
fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// How a vote stands in which each voter was for it, against it, or not heard from. Of no voters everything is won.
#[must_use]
pub fn vote_result(votes: impl IntoIterator<Item = Option<bool>>) -> Vote {
    let (mut asked, mut granted, mut missing) = (0, 0, 0);
    for vote in votes {
        asked += 1;
        granted += usize::from(vote == Some(true));
        missing += usize::from(vote.is_none());
    }
    let needed = if asked == 0 { 0 } else { majority(asked) };
    match (granted >= needed, granted + missing >= needed) {
        (true, _) => Vote::Won,
        (_, true) => Vote::Pending,
        _ => Vote::Lost,
    }
}

/// The highest entry that a majority has acknowledged; each voter is given with the highest that it has. Of no voters all.
#[must_use]
pub fn committed_index(acknowledged: impl IntoIterator<Item = u64>) -> u64 {
    let mut indexes: Vec<_> = acknowledged.into_iter().collect();
    indexes.sort_unstable_by_key(|index| Reverse(*index));
    indexes.get(majority(indexes.len()) - 1).copied().unwrap_or(u64::MAX)
}
