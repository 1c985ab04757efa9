// SPDX-License-Identifier: Apache-2.0
//! Every configuration, block signature and creator of the real ledgers, held against what real peers decided.

mod corpus;

use corpus::{Corpus, Transaction};
use fastledger_crypto::{Verifier, VerifierOptions};
use fastledger_identity::{ChannelConfig, block_signature};
use fastledger_wire::common::{Block, BlockHeader, metadata_slot};
use fastledger_wire::configtx::ConfigEnvelope;
use fastledger_wire::encode::bytes_field;
use fastledger_wire::{Message, TxValidationCode};

const ALL: [(&str, &str); 9] = [
    ("fabric-3.1", "small"),
    ("fabric-3.1", "bypass"),
    ("fabric-3.1", "malformed"),
    ("fabric-3.1", "perf-2of2"),
    ("fabric-3.1", "perf-contended"),
    ("fabric-1.4", "v14"),
    ("fabric-1.4", "v11"),
    ("fabric-1.4", "tls"),
    ("fabric-1.4", "pvt14"),
];

/// Walks a corpus with the configuration in force before each block; the first block has none.
fn replay(corpus: &Corpus, mut visit: impl FnMut(&Block<'_>, usize, &ChannelConfig)) -> ChannelConfig {
    let mut config: Option<ChannelConfig> = None;
    for (number, bytes) in corpus.blocks.iter().enumerate() {
        let block = Block::decode(bytes).expect("a block");
        if let Some(config) = &config {
            visit(&block, number, config);
        }
        let data = &block.data.as_ref().expect("data").data;
        let Some(transaction) = Transaction::decode(data[0]).filter(Transaction::is_config) else { continue };
        let next = match &config {
            None => ChannelConfig::from_transaction(data[0]),
            Some(config) => {
                assert_is_proposed(config, transaction.data);
                config.apply(transaction.data)
            }
        };
        config = Some(next.unwrap_or_else(|error| panic!("{} block {number}: {error}", corpus.name)));
    }
    config.expect("a configuration")
}

/// The orderer's own step: the update alone makes the configuration that the real orderer put beside it.
fn assert_is_proposed(config: &ChannelConfig, config_envelope: &[u8]) {
    let theirs = ConfigEnvelope::decode(config_envelope).expect("a ConfigEnvelope");
    let update = theirs.last_update.as_ref().expect("an update");
    let mut envelope = Vec::new();
    bytes_field(&mut envelope, 1, update.payload);
    bytes_field(&mut envelope, 2, update.signature);
    let proposed = config.propose_update(&envelope).expect("the update that the orderer took");
    assert_eq!(ConfigEnvelope::decode(&proposed).expect("a ConfigEnvelope"), theirs);
}

fn corpora() -> impl Iterator<Item = Corpus> {
    ALL.into_iter().filter_map(|(release, name)| Corpus::read(release, name))
}

#[test]
fn every_configuration_applies() {
    for corpus in corpora() {
        let last = replay(&corpus, |_, _, _| {});
        assert!(last.application().is_some_and(|application| application.organizations.len() >= 2), "{}", corpus.name);
        assert!(last.policy("/Channel/Application/Writers").is_some());
    }
}

#[test]
fn every_block_signature_holds_and_no_other() {
    let verifier = Verifier::new(VerifierOptions::default());
    for corpus in corpora() {
        replay(&corpus, |block, number, config| {
            let header = block.header.clone().expect("a header");
            let slot = block.metadata.as_ref().expect("metadata").metadata[metadata_slot::SIGNATURES];
            block_signature::verify(&header, slot, config, &verifier)
                .unwrap_or_else(|error| panic!("{} block {number}: {error}", corpus.name));
            assert_tampering_is_refused(&header, slot, config, &verifier);
        });
    }
}

fn assert_tampering_is_refused(header: &BlockHeader<'_>, slot: &[u8], config: &ChannelConfig, verifier: &Verifier) {
    let mut data_hash = header.data_hash.to_vec();
    data_hash[7] ^= 1;
    for forged in [
        BlockHeader { number: header.number + 1, ..header.clone() },
        BlockHeader { data_hash: &data_hash, ..header.clone() },
        BlockHeader { previous_hash: &data_hash, ..header.clone() },
    ] {
        assert!(block_signature::verify(&forged, slot, config, verifier).is_err());
    }
    // The last byte belongs to the only signature.
    let mut forged = slot.to_vec();
    *forged.last_mut().expect("a byte") ^= 1;
    assert!(block_signature::verify(header, &forged, config, verifier).is_err());
    assert!(block_signature::verify(header, &[], config, verifier).is_err());
}

/// Codes that are given before anyone looks at the creator.
fn comes_before_the_creator(code: u8) -> bool {
    let before = [TxValidationCode::BadPayload, TxValidationCode::BadCommonHeader, TxValidationCode::NilEnvelope];
    before.iter().any(|before| *before as u8 == code)
}

#[test]
fn every_creator_is_judged_as_by_the_real_peer() {
    let mut refused = 0;
    for corpus in corpora() {
        replay(&corpus, |block, number, config| {
            let envelopes = &block.data.as_ref().expect("data").data;
            for (index, (envelope, code)) in envelopes.iter().zip(&corpus.codes[number]).enumerate() {
                let Some(transaction) = Transaction::decode(envelope) else { continue };
                if comes_before_the_creator(*code) || transaction.is_config() {
                    continue;
                }
                let verdict = creator_verdict(&transaction, config);
                let expected = *code != TxValidationCode::BadCreatorSignature as u8;
                assert_eq!(verdict.is_ok(), expected, "{} {number}/{index}: {verdict:?}", corpus.name);
                refused += usize::from(!expected);
            }
        });
    }
    eprintln!("{refused} creators refused");
}

fn creator_verdict(transaction: &Transaction<'_>, config: &ChannelConfig) -> Result<(), String> {
    if transaction.channel_id != config.channel_id() {
        return Err("another channel".into());
    }
    let creator = config.msps().identity(transaction.creator).map_err(|error| error.to_string())?;
    creator.validity().map_err(ToString::to_string)?;
    creator.verify(&[transaction.payload], transaction.signature).map_err(|error| error.to_string())
}
