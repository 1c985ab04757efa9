// SPDX-License-Identifier: Apache-2.0
//! What a fuzzer says of a block of transactions; ids, hashes and signatures are made to fit afterwards.
//!
//! It is a protobuf message itself, so that [`crate::tree`] can mutate it down to the last key of a read-write set.

use fastledger_wire::Message;
use fastledger_wire::messages;

use crate::message::{Bytes, Number, message};
use crate::network::{Endorsed, Network, transaction};

/// Most transactions of a block.
const MAX_TXS: usize = 12;
/// Most endorsements of a transaction.
const MAX_ENDORSERS: usize = 12;
/// In the byte that names an endorser: the signature is bad.
pub const SPOILED: u8 = 0x80;

messages! {
    /// A block.
    BlockRecipe<'a> {
        1 => transactions: Vec<TxRecipe<'a>>,
    }

    /// A transaction.
    TxRecipe<'a> {
        /// Place among the network's members.
        1 => creator: u32,
        /// One byte for each endorser: its place, and [`SPOILED`].
        2 => endorsers: &'a [u8],
        3 => chaincode: &'a str,
        4 => version: &'a str,
        /// Encoded `ChaincodeInvocationSpec`.
        5 => input: &'a [u8],
        /// Encoded `TxReadWriteSet`.
        6 => results: &'a [u8],
        /// Encoded `ChaincodeEvent`.
        7 => events: &'a [u8],
        8 => nonce: &'a [u8],
        /// The whole entry as it is, if not empty.
        9 => raw: &'a [u8],
    }
}

/// The entries that a recipe makes; none where it is not one.
#[must_use]
pub fn entries(recipe: &[u8], network: &Network) -> Vec<Vec<u8>> {
    let recipe = BlockRecipe::decode(recipe).unwrap_or_default();
    recipe.transactions.iter().take(MAX_TXS).map(|tx| entry(tx, network)).collect()
}

fn entry(recipe: &TxRecipe<'_>, network: &Network) -> Vec<u8> {
    if !recipe.raw.is_empty() {
        return recipe.raw.to_vec();
    }
    let endorsers: Vec<_> = recipe
        .endorsers
        .iter()
        .take(MAX_ENDORSERS)
        .map(|place| (network.member(usize::from(place & !SPOILED)), place & SPOILED == 0))
        .collect();
    transaction(&Endorsed {
        creator: network.member(recipe.creator as usize),
        nonce: recipe.nonce,
        chaincode: recipe.chaincode,
        version: recipe.version,
        input: recipe.input,
        results: recipe.results,
        events: recipe.events,
        endorsers: &endorsers,
    })
}

/// The recipe of one harmless transaction.
#[must_use]
pub fn plain(nonce: u64) -> Vec<u8> {
    let write = message(&[Bytes(3, &message(&[Bytes(1, b"plain"), Bytes(3, b"value")]))]);
    let results = message(&[Bytes(2, &message(&[Bytes(1, b"cc"), Bytes(2, &write)]))]);
    message(&[Bytes(1, &tx_recipe("cc", &results, &nonce.to_be_bytes()))])
}

/// The recipe of a transaction with these results, endorsed by the first peers of all organizations.
#[must_use]
pub fn tx_recipe(chaincode: &str, results: &[u8], nonce: &[u8]) -> Vec<u8> {
    let input = message(&[Bytes(1, &message(&[Number(1, 1)]))]);
    message(&[
        Number(1, 2),
        Bytes(2, &[0, 6, 12]),
        Bytes(3, chaincode.as_bytes()),
        Bytes(4, b"1"),
        Bytes(5, &input),
        Bytes(6, results),
        Bytes(8, nonce),
    ])
}
