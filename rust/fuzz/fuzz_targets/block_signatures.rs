// SPDX-License-Identifier: Apache-2.0
//! Orderers' signatures of blocks: any bytes are accepted or refused, and a known set of signers by a naive count.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use fastledger_crypto::{Engine, Verifier, VerifierOptions};
use fastledger_fuzz::network::{CHANNEL, CONSENTERS, Network, Rules, config_block, signatures};
use fastledger_fuzz::{on_deep_stack, tree};
use fastledger_identity::{ChannelConfig, block_signature};
use fastledger_wire::common::BlockHeader;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// Bytes that choose the channel and up to six signers.
const HEADER: usize = 7;
/// Of four consenters one may be faulty.
const QUORUM: usize = 3;

struct Channel {
    rules: Rules,
    config: ChannelConfig,
}

static CHANNELS: LazyLock<[Channel; 2]> = LazyLock::new(|| {
    [Rules::V2_5, Rules::Bft].map(|rules| {
        let (_, envelope) = config_block(Network::get(), rules);
        Channel { rules, config: ChannelConfig::from_envelope(CHANNEL, &envelope).expect("a good configuration") }
    })
});

static VERIFIER: LazyLock<Verifier> =
    LazyLock::new(|| Verifier::new(VerifierOptions { engine: Some(Engine::Library), table_bytes: 0 }));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(&mut data[..max_size], size, seed, HEADER, fuzzer_mutate)
});

fuzz_target!(|data: &[u8]| on_deep_stack(|| {
    let Some((choice, bytes)) = data.split_first_chunk::<HEADER>() else { return };
    let channel = &CHANNELS[usize::from(choice[0] & 1)];
    let header = BlockHeader { number: 7, previous_hash: &[1; 32], data_hash: &[2; 32] };
    drop(block_signature::verify(&header, bytes, &channel.config, &VERIFIER));

    // Signers beyond the network's are unknown consenters; one that is spoiled does not count.
    let signers: Vec<_> = choice[1..].iter().map(|byte| (usize::from(byte & 7), byte & 8 == 0)).collect();
    let metadata = signatures(Network::get(), channel.rules, &header, bytes, &signers);
    let good = signers.iter().filter(|(place, good)| *good && is_known(channel.rules, *place));
    let good: BTreeSet<_> = good.map(|(place, _)| place % CONSENTERS).collect();
    let needed = if channel.rules == Rules::Bft { QUORUM } else { 1 };
    let verdict = block_signature::verify(&header, &metadata, &channel.config, &VERIFIER);
    assert_eq!(verdict.is_ok(), good.len() >= needed, "{signers:?}: {verdict:?}");
    let other = BlockHeader { number: 8, ..header };
    assert!(block_signature::verify(&other, &metadata, &channel.config, &VERIFIER).is_err());
}));

/// On raft channels a place beyond the last is that of another orderer once more.
fn is_known(rules: Rules, place: usize) -> bool {
    rules != Rules::Bft || place < CONSENTERS
}
