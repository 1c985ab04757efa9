// SPDX-License-Identifier: Apache-2.0
//! What one transaction costs here beside its signatures: looking identities up and evaluating a policy.

use std::fs::File;
use std::hint::black_box;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use criterion::{Criterion, criterion_group, criterion_main};
use fastledger_identity::policy::SignaturePolicy;
use fastledger_identity::{Msp, MspManager, MspVersion, Policy};
use fastledger_wire::Message;
use fastledger_wire::msp::{MspPrincipal, SerializedIdentity};
use fastledger_wire::policies::{NOutOf, SignaturePolicy as Rule, SignaturePolicyEnvelope};

/// The same cases that the tests use: an MSP with node OUs, its identities, policies over them.
fn case() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/msps.json.zst");
    let mut decoder = zstd::Decoder::new(File::open(path).expect("the vectors")).expect("zstd");
    decoder.window_log_max(27).expect("a window");
    let cases: serde_json::Value = serde_json::from_reader(decoder).expect("JSON");
    let mut cases = cases.as_array().expect("cases").iter();
    cases.rfind(|case| case["name"] == "keys with node OUs").expect("the case").clone()
}

fn bytes(value: &serde_json::Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().expect("text")).expect("base64")
}

fn identities(criterion: &mut Criterion) {
    let case = case();
    let msp = || Msp::new(&bytes(&case["config"]), MspVersion::V3_0).expect("an MSP");
    let msps = MspManager::from_msps(MspVersion::V3_0, [msp()]);
    let serialized = bytes(&case["identities"][0]["serialized"]);
    let pem = SerializedIdentity::decode(&serialized).expect("an identity").id_bytes;
    criterion.bench_function("identity/known", |bencher| bencher.iter(|| msps.identity(black_box(&serialized))));
    let msp = msp();
    criterion.bench_function("identity/new", |bencher| bencher.iter(|| msp.identity(black_box(pem))));

    let signers: Vec<_> =
        (0..2).map(|i| msps.identity(&bytes(&case["identities"][i]["serialized"])).expect("one")).collect();
    let principals: Vec<_> = (1..4).map(|role| bytes(&case["principals"][role]["bytes"])).collect();
    let identities = principals.iter().map(|principal| MspPrincipal { principal_classification: 0, principal });
    let rules = (0..3).map(Rule::SignedBy).collect();
    let rule = Some(Rule::NOutOf(NOutOf { n: 2, rules }));
    let envelope = SignaturePolicyEnvelope { version: 0, rule, identities: identities.collect() };
    let policy = Policy::Signature(SignaturePolicy::compile(&envelope, &msps).expect("a policy"));
    println!("policy: {policy}");
    criterion.bench_function("policy/evaluate", |bencher| bencher.iter(|| policy.is_satisfied_by(black_box(&signers))));
}

criterion_group!(benches, identities);
criterion_main!(benches);
