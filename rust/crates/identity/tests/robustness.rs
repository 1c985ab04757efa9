// SPDX-License-Identifier: Apache-2.0
//! Whatever bytes come in, an answer comes out: damaged definitions, identities, updates and signatures never panic.

use std::fs::File;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fastledger_crypto::{Verifier, VerifierOptions};
use fastledger_identity::{ChannelConfig, Msp, MspManager, MspVersion, block_signature};
use fastledger_wire::common::BlockHeader;
use serde_json::Value;

fn vectors(name: &str) -> Value {
    let path = format!("{}/tests/vectors/{name}.json.zst", env!("CARGO_MANIFEST_DIR"));
    let mut decoder = zstd::Decoder::new(File::open(path).expect("the vectors")).expect("zstd");
    decoder.window_log_max(27).expect("a window");
    serde_json::from_reader(decoder).expect("JSON")
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().unwrap_or_default()).expect("base64")
}

/// A small generator (xorshift), the same on every run.
struct Damage(u64);

impl Damage {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below.max(1) as u64).expect("below a usize")
    }

    /// Sets, inserts, removes or cuts off bytes in one to three places.
    fn done_to(&mut self, original: &[u8]) -> Vec<u8> {
        let mut damaged = original.to_vec();
        for _ in 0..=self.next(3) {
            let at = self.next(damaged.len());
            let byte = u8::try_from(self.next(256)).expect("a byte");
            match self.next(8) {
                0 => damaged.insert(at.min(damaged.len()), byte),
                1 if !damaged.is_empty() => drop(damaged.remove(at)),
                2 => damaged.truncate(at),
                _ if !damaged.is_empty() => damaged[at] = byte,
                _ => {}
            }
        }
        damaged
    }
}

#[test]
fn damaged_msps_and_identities_are_answered() {
    let cases = vectors("msps");
    let mut damage = Damage(0x9e37_79b9_7f4a_7c15);
    for case in cases.as_array().expect("cases").iter().step_by(5) {
        for _ in 0..10 {
            _ = Msp::new(&damage.done_to(&bytes(&case["config"])), MspVersion::V3_0);
        }
        let Ok(msp) = Msp::new(&bytes(&case["config"]), MspVersion::V3_0) else { continue };
        let msps = MspManager::from_msps(MspVersion::V3_0, [msp]);
        for identity in case["identities"].as_array().into_iter().flatten() {
            let serialized = damage.done_to(&bytes(&identity["serialized"]));
            _ = msps.is_well_formed(&serialized);
            if let Ok(identity) = msps.identity(&serialized) {
                _ = identity.verify(&[b"message"], &damage.done_to(identity.certificate().der()));
            }
        }
    }
}

#[test]
fn damaged_configurations_and_blocks_are_answered() {
    let vectors = vectors("config_updates");
    let mut damage = Damage(0x2545_f491_4f6c_dd1d);
    let base = &vectors["bases"][3];
    let channel = base["channel"].as_str().expect("a channel");
    let encoded = bytes(&base["config"]);
    let config = ChannelConfig::from_config(channel, &encoded).expect("a configuration");
    for _ in 0..100 {
        _ = ChannelConfig::from_config(channel, &damage.done_to(&encoded));
        _ = ChannelConfig::from_transaction(&damage.done_to(&encoded));
        _ = config.application_policy(&damage.done_to(&[0x0a, 0x06, 0x12, 0x04, 0x12, 0x02, 0x08, 0x01]));
    }
    for case in vectors["cases"].as_array().expect("cases") {
        assert!(config.apply(&damage.done_to(&bytes(&case["envelope"]))).is_err(), "nobody signed it for this channel");
    }
    let verifier = Verifier::new(VerifierOptions::default());
    let header = BlockHeader { number: 300, previous_hash: &[0; 32], data_hash: b"data hash" };
    for case in vectors["blocks"].as_array().expect("blocks") {
        for _ in 0..20 {
            _ = block_signature::verify(&header, &damage.done_to(&bytes(&case["metadata"])), &config, &verifier);
        }
    }
}
