// SPDX-License-Identifier: Apache-2.0
//! Signature policies by hand: greedy, in order, and giving back what a failed branch took (`common/cauthdsl`).

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fastledger_identity::policy::SignaturePolicy;
use fastledger_identity::{Identity, Msp, MspManager, MspVersion, Policy, Signers};
use fastledger_wire::encode;
use fastledger_wire::msp::{MspPrincipal, role};
use fastledger_wire::policies::{NOutOf, SignaturePolicy as Rule, SignaturePolicyEnvelope};
use fastledger_wire::protobuf::DECODE_STACK_BYTES;

/// An MSP with node OUs and its identities by name.
struct Org {
    msps: MspManager,
    serialized: BTreeMap<String, Vec<u8>>,
}

impl Org {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/msps.json.zst");
        let mut decoder = zstd::Decoder::new(File::open(path).expect("the vectors")).expect("zstd");
        decoder.window_log_max(27).expect("a window");
        let cases: serde_json::Value = serde_json::from_reader(decoder).expect("JSON");
        let mut case = cases.as_array().expect("cases").iter();
        let case = case.rfind(|case| case["name"] == "keys with node OUs").expect("the case");
        let bytes = |value: &serde_json::Value| BASE64_STANDARD.decode(value.as_str().expect("text")).expect("base64");
        let msp = Msp::new(&bytes(&case["config"]), MspVersion::V3_0).expect("an MSP");
        let identities = case["identities"].as_array().expect("identities").iter();
        let named = identities
            .filter(|one| one["readable"] == true)
            .map(|one| (one["name"].as_str().expect("a name").to_owned(), bytes(&one["serialized"])));
        Self { msps: MspManager::from_msps(MspVersion::V3_0, [msp]), serialized: named.collect() }
    }

    fn identity(&self, name: &str) -> Arc<Identity> {
        self.msps.identity(&self.serialized[name]).expect("a readable identity")
    }

    fn policy(&self, rule: Rule) -> Policy {
        let principals: Vec<_> = ROLES.iter().map(|role| role_principal(*role)).collect();
        let identities = principals.iter().map(|principal| MspPrincipal { principal_classification: 0, principal });
        let envelope = SignaturePolicyEnvelope { version: 0, rule: Some(rule), identities: identities.collect() };
        Policy::Signature(SignaturePolicy::compile(&envelope, &self.msps).expect("a policy"))
    }

    fn holds(&self, rule: Rule, names: &[&str]) -> bool {
        let signers: Vec<_> = names.iter().map(|name| self.identity(name)).collect();
        self.policy(rule).is_satisfied_by(&signers)
    }
}

const ROLES: [i32; 4] = [role::MEMBER, role::CLIENT, role::PEER, role::ADMIN];

fn role_principal(role: i32) -> Vec<u8> {
    let mut principal = Vec::new();
    encode::bytes_field(&mut principal, 1, b"OrgMSP");
    encode::varint_field(&mut principal, 2, u64::try_from(role).expect("a role"));
    principal
}

const MEMBER: Rule = Rule::SignedBy(0);
const CLIENT: Rule = Rule::SignedBy(1);
const PEER: Rule = Rule::SignedBy(2);

fn out_of(n: i32, rules: impl Into<Vec<Rule>>) -> Rule {
    Rule::NOutOf(NOutOf { n, rules: rules.into() })
}

#[test]
fn evaluation_is_greedy_and_in_order() {
    let org = Org::read();
    for (rule, signers, holds) in [
        (MEMBER, &["client"][..], true),
        (MEMBER, &[], false),
        (PEER, &["client"], false),
        (out_of(2, [MEMBER, CLIENT]), &["peer", "client"], true),
        // The member rule takes the client, and nobody is left for the client rule.
        (out_of(2, [MEMBER, CLIENT]), &["client", "peer"], false),
        (out_of(2, [CLIENT, MEMBER]), &["client", "peer"], true),
        (out_of(2, [MEMBER, MEMBER]), &["client"], false),
        // Every rule is tried, so the inner gate takes both although one would do.
        (out_of(2, [out_of(1, [MEMBER, MEMBER]), MEMBER]), &["client", "peer"], false),
        (out_of(2, [out_of(1, [MEMBER]), MEMBER]), &["client", "peer"], true),
        // What a failed gate took is given back.
        (out_of(1, [out_of(2, [MEMBER, PEER]), CLIENT]), &["client"], true),
        (out_of(2, [out_of(3, [MEMBER, MEMBER, MEMBER]), MEMBER, MEMBER]), &["client", "peer"], true),
        (out_of(0, []), &[], true),
        (out_of(0, [PEER]), &[], true),
        (out_of(-1, []), &[], true),
        (out_of(1, []), &["client"], false),
        (out_of(2, [out_of(0, []), CLIENT]), &["client"], true),
        // An expired certificate is valid, one with two roles is not.
        (MEMBER, &["expired"], true),
        (MEMBER, &["two roles"], false),
        (out_of(1, [MEMBER]), &["two roles", "peer"], true),
    ] {
        assert_eq!(org.holds(rule.clone(), signers), holds, "{rule:?} {signers:?}");
    }
}

#[test]
fn more_than_64_signers_are_kept_apart() {
    let org = Org::read();
    let many: Vec<_> = std::iter::repeat_n("no ou", 70).chain(["client", "peer"]).collect();
    assert!(org.holds(out_of(2, [MEMBER, MEMBER]), &many));
    assert!(!org.holds(out_of(3, [MEMBER, MEMBER, MEMBER]), &many));
    assert!(org.holds(out_of(2, [PEER, CLIENT]), &many));
}

#[test]
fn rules_that_make_no_sense_do_not_compile() {
    let org = Org::read();
    let compile = |rule| {
        let envelope = SignaturePolicyEnvelope { version: 0, rule, identities: vec![MspPrincipal::default()] };
        SignaturePolicy::compile(&envelope, &org.msps)
    };
    assert!(compile(Some(Rule::SignedBy(0))).is_ok());
    for rule in
        [None, Some(Rule::Unset), Some(Rule::SignedBy(1)), Some(Rule::SignedBy(-1)), Some(out_of(0, [Rule::Unset]))]
    {
        assert!(compile(rule.clone()).is_err(), "{rule:?}");
    }
}

#[test]
fn reasons_name_rule_signers_and_what_is_unmet() {
    let org = Org::read();
    let policy = org.policy(out_of(2, [CLIENT, PEER]));
    assert_eq!(policy.to_string(), "OutOf(2, 'OrgMSP.client', 'OrgMSP.peer')");
    let reason = policy.evaluate(&[org.identity("client")]).expect_err("no peer has signed");
    assert_eq!(reason.unmet, ["'OrgMSP.peer'"]);
    assert_eq!(
        reason.to_string(),
        "OutOf(2, 'OrgMSP.client', 'OrgMSP.peer') is not satisfied by OrgMSP/O=org,OU=client,CN=client; \
         unmet: 'OrgMSP.peer'"
    );
}

#[test]
fn signers_count_once_by_certificate() {
    let org = Org::read();
    let client = org.identity("client");
    let same = org.identity("CRLF");
    assert!(!Arc::ptr_eq(&client, &same));
    assert!(Arc::ptr_eq(&client, &org.identity("client")));
    let signers: Signers =
        [client, same, org.identity("peer"), org.identity("high-S certificate")].into_iter().collect();
    assert_eq!(signers.as_slice().len(), 2);
    let many: Signers = org.serialized.keys().chain(org.serialized.keys()).map(|name| org.identity(name)).collect();
    let distinct: std::collections::BTreeSet<_> =
        org.serialized.keys().map(|name| org.identity(name).identifier().to_vec()).collect();
    assert_eq!(many.as_slice().len(), distinct.len());
}

#[test]
fn the_deepest_policy_is_evaluated_without_recursion() {
    let deepest = || {
        let org = Org::read();
        let rule = (0..5_000).fold(MEMBER, |rule, _| out_of(1, [rule]));
        let policy = org.policy(rule);
        // Evaluating and showing it needs no more stack than a thread has by default.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(policy.is_satisfied_by(&[org.identity("client")]));
                assert!(policy.to_string().len() < 8192);
            });
        });
    };
    let thread = std::thread::Builder::new().stack_size(DECODE_STACK_BYTES).spawn(deepest).expect("a thread");
    thread.join().expect("no panic");
}
