// SPDX-License-Identifier: Apache-2.0
//! Cases that Fabric's and Go's own code judged; `vectors/README.md` says how they were made.

use std::fs::File;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fastledger_crypto::{Verifier, VerifierOptions};
use fastledger_identity::policy::SignaturePolicy;
use fastledger_identity::x509::Certificate;
use fastledger_identity::{
    ChannelConfig, Identity, IdentityError, Msp, MspManager, MspVersion, Policy, block_signature,
};
use fastledger_wire::Message;
use fastledger_wire::common::BlockHeader;
use fastledger_wire::configtx::ConfigEnvelope;
use fastledger_wire::encode::bytes_field;
use fastledger_wire::hash::hex;
use fastledger_wire::msp::MspPrincipal;
use fastledger_wire::policies::{SignaturePolicy as Rule, SignaturePolicyEnvelope};
use serde_json::Value;

fn vectors(name: &str) -> Value {
    let path = format!("{}/tests/vectors/{name}.json.zst", env!("CARGO_MANIFEST_DIR"));
    let mut decoder = zstd::Decoder::new(File::open(path).expect("the vectors")).expect("zstd");
    decoder.window_log_max(27).expect("a window");
    serde_json::from_reader(decoder).expect("JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_str().map(|text| BASE64_STANDARD.decode(text).expect("base64")).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn holds(value: &Value) -> bool {
    value.as_bool().unwrap_or_default()
}

fn version(value: &Value) -> MspVersion {
    [MspVersion::V1_0, MspVersion::V1_1, MspVersion::V1_3, MspVersion::V1_4_3, MspVersion::V3_0]
        [usize::try_from(number(value)).expect("a version")]
}

#[test]
fn msps_judge_as_fabric_does() {
    let mut disagreements = Vec::new();
    for case in list(&vectors("msps")) {
        check_msp(case, &mut disagreements);
    }
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

fn check_msp(case: &Value, disagreements: &mut Vec<String>) {
    let name = format!("{} (version {})", text(&case["name"]), case["version"]);
    let msp = Msp::new(&bytes(&case["config"]), version(&case["version"]));
    if msp.is_ok() != holds(&case["sets_up"]) {
        disagreements.push(format!("{name}: sets up {msp:?}, Fabric: {}", case["error"]));
    }
    let Ok(msp) = msp else { return };
    let msps = MspManager::from_msps(version(&case["version"]), [msp]);
    let identities: Vec<_> =
        list(&case["identities"]).iter().map(|one| msps.identity(&bytes(&one["serialized"])).ok()).collect();
    for (expected, identity) in list(&case["identities"]).iter().zip(&identities) {
        if msps.is_well_formed(&bytes(&expected["serialized"])) != holds(&expected["well_formed"]) {
            disagreements
                .push(format!("{name}, {}: is it well formed? Fabric: {}", expected["name"], expected["well_formed"]));
        }
        let facts = facts(identity.as_deref());
        let wanted =
            (holds(&expected["readable"]), holds(&expected["valid"]), text(&expected["identifier"]).to_owned());
        if facts != wanted {
            let one = &expected["name"];
            disagreements.push(format!("{name}, {one}: {facts:?}, Fabric: {wanted:?} {}", expected["error"]));
        }
        if let Some(identity) = identity {
            check_signatures(&name, expected, identity, disagreements);
            check_principals(&name, case, expected, identity, &msps, disagreements);
        }
    }
    for policy in list(&case["policies"]) {
        check_policy(&name, policy, &identities, &msps, disagreements);
    }
}

fn facts(identity: Option<&Identity>) -> (bool, bool, String) {
    match identity {
        Some(identity) => (true, identity.validity().is_ok(), hex(identity.identifier())),
        None => (false, false, String::new()),
    }
}

fn check_signatures(name: &str, expected: &Value, identity: &Identity, disagreements: &mut Vec<String>) {
    let message = bytes(&expected["message"]);
    let (head, tail) = message.split_at(message.len() / 2);
    for signature in list(&expected["signatures"]) {
        let verdict = identity.verify(&[head, tail], &bytes(&signature["bytes"]));
        if verdict.is_ok() != holds(&signature["holds"]) {
            disagreements.push(format!("{name}, {}, signature {}: {verdict:?}", expected["name"], signature["name"]));
        }
    }
}

fn check_principals(
    name: &str,
    case: &Value,
    expected: &Value,
    identity: &Arc<Identity>,
    msps: &MspManager,
    disagreements: &mut Vec<String>,
) {
    for (principal, satisfies) in list(&case["principals"]).iter().zip(list(&expected["satisfies"])) {
        let encoded = bytes(&principal["bytes"]);
        let classification = i32::try_from(number(&principal["classification"])).expect("a classification");
        let envelope = SignaturePolicyEnvelope {
            version: 0,
            rule: Some(Rule::SignedBy(0)),
            identities: vec![MspPrincipal { principal_classification: classification, principal: &encoded }],
        };
        let policy = Policy::Signature(SignaturePolicy::compile(&envelope, msps).expect("a policy"));
        let verdict = policy.evaluate(std::slice::from_ref(identity));
        if verdict.is_ok() != holds(satisfies) {
            disagreements.push(format!("{name}, {}, principal {}: {verdict:?}", expected["name"], principal["name"]));
        }
    }
}

fn check_policy(
    name: &str,
    case: &Value,
    identities: &[Option<Arc<Identity>>],
    msps: &MspManager,
    disagreements: &mut Vec<String>,
) {
    let encoded = bytes(&case["envelope"]);
    let envelope = SignaturePolicyEnvelope::decode(&encoded).expect("an envelope");
    let indexes = list(&case["identities"]).iter().map(|index| usize::try_from(number(index)).expect("an index"));
    let signers: Option<Vec<_>> = indexes.map(|index| identities[index].clone()).collect();
    let signers = signers.expect("readable signers");
    let verdict = SignaturePolicy::compile(&envelope, msps)
        .map_err(|error| error.to_string())
        .and_then(|policy| Policy::Signature(policy).evaluate(&signers).map_err(|reason| reason.to_string()));
    if verdict.is_ok() != holds(&case["holds"]) {
        disagreements.push(format!("{name}, policy {envelope:?}: {verdict:?}"));
    }
}

#[test]
fn certificates_read_as_go_reads_them() {
    let vectors = vectors("certificates");
    let bases: Vec<_> = list(&vectors["bases"]).iter().map(bytes).collect();
    let mut disagreements = Vec::new();
    for case in list(&vectors["cases"]) {
        let der = match usize::try_from(number(&case["base"])) {
            Ok(base) => mutated(&bases[base], list(&case["edits"])),
            Err(_) => bytes(&case["der"]),
        };
        let found = Certificate::from_der(&der).map(|certificate| {
            let subject = certificate.subject();
            let units = format!("{}/{}", subject.organizational_units.join("|"), subject.common_name);
            (units, certificate.not_before(), certificate.not_after(), certificate.is_ca())
        });
        let wanted = (text(&case["ous"]).to_owned(), number(&case["from"]), number(&case["to"]), holds(&case["ca"]));
        let agrees = match &found {
            Ok(found) => holds(&case["reads"]) && *found == wanted,
            Err(_) => !holds(&case["reads"]),
        };
        if !agrees {
            disagreements.push(format!("{}: {found:?}, Go: {wanted:?}", hex(&der)));
        }
    }
    assert!(disagreements.is_empty(), "{} of them\n{}", disagreements.len(), disagreements.join("\n"));
}

fn mutated(base: &[u8], edits: &[Value]) -> Vec<u8> {
    let mut der = base.to_vec();
    for edit in edits.chunks_exact(3) {
        let offset = usize::try_from(number(&edit[1])).expect("an offset");
        let byte = u8::try_from(number(&edit[2])).expect("a byte");
        match number(&edit[0]) {
            1 => der.insert(offset, byte),
            2 => drop(der.remove(offset)),
            _ => der[offset] = byte,
        }
    }
    der
}

#[test]
fn configuration_transactions_apply_as_in_fabric() {
    let vectors = vectors("config_updates");
    let bases = bases(&vectors);
    for case in list(&vectors["cases"]) {
        let base = &bases[usize::try_from(number(&case["base"])).expect("a base")];
        // The oracle asked as a peer does.
        let verdict = base.apply(&bytes(&case["envelope"])).and_then(ChannelConfig::supported_by_peers);
        let (name, error) = (&case["name"], &case["error"]);
        assert_eq!(verdict.is_ok(), holds(&case["applies"]), "{name}: {:?}, Fabric: {error}", verdict.as_ref().err());
        match verdict {
            Ok(next) => assert_eq!(next.sequence(), base.sequence() + 1),
            Err(IdentityError::ConfigUpdate(reason) | IdentityError::Config(reason)) => assert_says(&reason, error),
            Err(other) => assert_says(&other.to_string(), error),
        }
    }
}

/// Whether a text begins as Fabric's does; ours may say more about bytes that do not decode.
fn assert_says(ours: &str, fabrics: &Value) {
    // Go's protobuf writes one of two kinds of space after its name, at random.
    let fabrics = text(fabrics).replace('\u{a0}', " ");
    let fabrics = match fabrics.as_str() {
        // The oracle's own text, one of Fabric's that does not say what did not decode, and one that dumps the group.
        "nil update" => "config envelope has nil last update",
        "proto: cannot parse invalid wire-format data" => "error unmarshalling SignatureHeader",
        other => other.trim_end_matches("mod_policy:\"Admins\""),
    };
    assert!(ours.starts_with(fabrics), "{ours:?}, Fabric: {fabrics:?}");
}

#[test]
fn proposed_updates_make_the_configuration_that_fabric_makes() {
    let vectors = vectors("config_updates");
    let bases = bases(&vectors);
    for case in list(&vectors["cases"]) {
        let base = &bases[usize::try_from(number(&case["base"])).expect("a base")];
        let encoded = bytes(&case["envelope"]);
        let envelope = ConfigEnvelope::decode(&encoded).expect("a ConfigEnvelope");
        let Some(update) = envelope.last_update else { continue };
        let mut last_update = Vec::new();
        bytes_field(&mut last_update, 1, update.payload);
        bytes_field(&mut last_update, 2, update.signature);
        match base.propose_update(&last_update) {
            Ok(proposed) => {
                let ours = ConfigEnvelope::decode(&proposed).expect("a ConfigEnvelope");
                assert_eq!(ours.last_update, Some(update), "{}", case["name"]);
                if holds(&case["applies"]) {
                    assert_eq!(ours.config, envelope.config, "{}", case["name"]);
                    base.apply(&proposed).expect("what was proposed applies");
                }
            }
            Err(IdentityError::ConfigUpdate(reason)) => {
                assert!(!holds(&case["applies"]), "{}: {reason}", case["name"]);
                let inner = reason
                    .strip_prefix("error authorizing update: ")
                    .or_else(|| reason.strip_prefix("error converting envelope to config update: "));
                assert_says(inner.expect("a prefix"), &case["error"]);
            }
            Err(other) => panic!("{}: {other}", case["name"]),
        }
    }
}

fn bases(vectors: &Value) -> Vec<ChannelConfig> {
    let read =
        |base: &Value| ChannelConfig::from_config(text(&base["channel"]), &bytes(&base["config"])).expect("a base");
    list(&vectors["bases"]).iter().map(read).collect()
}

#[test]
fn block_signatures_hold_as_in_fabric() {
    let vectors = vectors("config_updates");
    let bases = bases(&vectors);
    let verifier = Verifier::new(VerifierOptions::default());
    for case in list(&vectors["blocks"]) {
        let base = &bases[usize::try_from(number(&case["base"])).expect("a base")];
        let (previous_hash, data_hash) = (bytes(&case["previous_hash"]), bytes(&case["data_hash"]));
        let number = case["number"].as_u64().expect("a number");
        let header = BlockHeader { number, previous_hash: &previous_hash, data_hash: &data_hash };
        let verdict = block_signature::verify(&header, &bytes(&case["metadata"]), base, &verifier);
        assert_eq!(verdict.is_ok(), holds(&case["holds"]), "{}: {verdict:?}, Fabric: {}", case["name"], case["error"]);
    }
}
