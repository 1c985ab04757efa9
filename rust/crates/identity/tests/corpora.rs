// SPDX-License-Identifier: Apache-2.0
//! Every configuration, block signature and creator of the real ledgers, held against what real peers decided.

use fastledger_crypto::{Verifier, VerifierOptions};
use fastledger_identity::{ChannelConfig, block_signature};
use fastledger_vectors::{Corpus, all};
use fastledger_wire::common::{
    Block, BlockHeader, ChannelHeader, Envelope, Payload, SignatureHeader, header_type, metadata_slot,
};
use fastledger_wire::configtx::ConfigEnvelope;
use fastledger_wire::encode::bytes_field;
use fastledger_wire::{Message, TxValidationCode};

/// The parts of a transaction that tell who made it.
struct Transaction<'a> {
    r#type: i32,
    channel_id: &'a str,
    creator: &'a [u8],
    payload: &'a [u8],
    data: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Transaction<'a> {
    fn decode(envelope: &'a [u8]) -> Option<Self> {
        let envelope = Envelope::decode(envelope).ok()?;
        let payload = Payload::decode(envelope.payload).ok()?;
        let header = payload.header?;
        let channel_header = ChannelHeader::decode(header.channel_header).ok()?;
        let signature_header = SignatureHeader::decode(header.signature_header).ok()?;
        Some(Self {
            r#type: channel_header.r#type,
            channel_id: channel_header.channel_id,
            creator: signature_header.creator,
            payload: envelope.payload,
            data: payload.data,
            signature: envelope.signature,
        })
    }

    fn is_config(&self) -> bool {
        self.r#type == header_type::CONFIG
    }
}

/// Walks a corpus with the configuration in force before each block; the first block has none.
fn replay(corpus: &Corpus, mut visit: impl FnMut(&Block<'_>, usize, &ChannelConfig)) -> ChannelConfig {
    let mut config: Option<ChannelConfig> = None;
    for (number, bytes) in corpus.delivered_blocks().into_iter().enumerate() {
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

#[test]
fn every_configuration_applies() {
    for corpus in all() {
        let last = replay(&corpus, |_, _, _| {});
        assert!(last.application().is_some_and(|application| application.organizations.len() >= 2), "{}", corpus.name);
        assert!(last.policy("/Channel/Application/Writers").is_some());
    }
}

/// A `ConfigEnvelope` whose channel group has one more field, which no definition knows: what comes twice is merged.
fn with_unknown_field(config_envelope: &[u8]) -> Vec<u8> {
    let nested = |number, content: &[u8]| {
        let mut out = Vec::new();
        bytes_field(&mut out, number, content);
        out
    };
    // Field 99, a varint.
    let unknown = nested(1, &nested(2, &[0x98, 0x06, 7]));
    [config_envelope, &unknown].concat()
}

/// `proto.Equal` compares such fields, and `proto.Merge` and `proto.Clone` keep them.
#[test]
fn fields_that_nobody_knows_are_kept_and_compared() {
    let mut updates = 0;
    for corpus in all() {
        let blocks = corpus.delivered_blocks();
        let configs = blocks.iter().filter_map(|block| {
            let entry = Block::decode(block).expect("a block").data.expect("data").data[0];
            Transaction::decode(entry).filter(Transaction::is_config)
        });
        let configs: Vec<_> = configs.collect();
        let Some([first, second]) = configs.first_chunk() else { continue };
        updates += 1;
        let plain = ChannelConfig::from_envelope(first.channel_id, first.data).expect("a configuration");
        let extended = with_unknown_field(first.data);
        let extended = ChannelConfig::from_envelope(first.channel_id, &extended).expect("a configuration");
        assert!(plain.apply(second.data).is_ok());
        assert!(plain.apply(&with_unknown_field(second.data)).is_err(), "{}", corpus.name);
        assert!(extended.apply(second.data).is_err(), "{}", corpus.name);
        assert!(extended.apply(&with_unknown_field(second.data)).is_ok(), "{}", corpus.name);
        let theirs = ConfigEnvelope::decode(second.data).expect("a ConfigEnvelope");
        let update = theirs.last_update.expect("an update");
        let mut envelope = Vec::new();
        bytes_field(&mut envelope, 1, update.payload);
        bytes_field(&mut envelope, 2, update.signature);
        let proposed = extended.propose_update(&envelope).expect("the update that the orderer took");
        assert!(extended.apply(&proposed).is_ok() && plain.apply(&proposed).is_err(), "{}", corpus.name);
    }
    assert!(updates > 0);
}

#[test]
fn every_block_signature_holds_and_no_other() {
    let verifier = Verifier::new(VerifierOptions::default());
    for corpus in all() {
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
    for corpus in all() {
        let verdicts = corpus.verdicts();
        replay(&corpus, |block, number, config| {
            let envelopes = &block.data.as_ref().expect("data").data;
            for (index, (envelope, code)) in envelopes.iter().zip(&verdicts[number].codes).enumerate() {
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
