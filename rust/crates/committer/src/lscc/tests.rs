// SPDX-License-Identifier: Apache-2.0
//! Every rule on its own, over hand-encoded messages.

use std::cell::RefCell;
use std::collections::BTreeMap;

use fastledger_wire::encode;
use fastledger_wire::peer::{ChaincodeHeaderExtension, ChaincodeId};

use super::*;

const V1_0: Rules = Rules { v1_1_validation: false, v1_2_validation: false, private_channel_data: false };
const V1_1: Rules = Rules { v1_1_validation: true, ..V1_0 };
/// V1_1 with `V1_1_PVTDATA_EXPERIMENTAL`.
const V1_1_PRIVATE: Rules = Rules { private_channel_data: true, ..V1_1 };
const V1_2: Rules = Rules { v1_2_validation: true, ..V1_1_PRIVATE };

const GO: u64 = 1;

/// A message of length-delimited fields.
fn message(fields: &[(u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, value) in fields {
        encode::present_field(&mut bytes, *number, value);
    }
    bytes
}

/// `varints` before `fields`.
fn message_with(varints: &[(u32, u64)], fields: &[(u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, value) in varints {
        encode::varint_field(&mut bytes, *number, *value);
    }
    bytes.extend(message(fields));
    bytes
}

fn deployment(kind: u64, name: &str, version: &str) -> Vec<u8> {
    let id = message(&[(2, name.as_bytes()), (3, version.as_bytes())]);
    message(&[(1, &message_with(&[(1, kind)], &[(2, &id)]))])
}

fn record(name: &str, version: &str, policy: &str) -> Vec<u8> {
    message(&[(1, name.as_bytes()), (2, version.as_bytes()), (8, policy.as_bytes())])
}

fn kv_write(key: &str, value: &[u8]) -> Vec<u8> {
    message(&[(1, key.as_bytes()), (3, value)])
}

fn namespace(name: &str, writes: &[Vec<u8>]) -> Vec<u8> {
    let writes: Vec<_> = writes.iter().map(|write| (3, write.as_slice())).collect();
    message(&[(1, name.as_bytes()), (2, &message(&writes))])
}

/// A collection whose members are any of the rules in `policy`.
fn collection(name: &str, blocks_to_live: u64, required: i32, maximum: i32, policy: Option<&[u8]>) -> Vec<u8> {
    let sign_extended = |count: i32| u64::from_ne_bytes(i64::from(count).to_ne_bytes());
    let counts = [(3, sign_extended(required)), (4, sign_extended(maximum)), (5, blocks_to_live)];
    let policy = policy.map(|rule| message(&[(1, &message(&[(2, rule)]))]));
    let mut fields = vec![(1, name.as_bytes())];
    fields.extend(policy.as_ref().map(|policy| (2, policy.as_slice())));
    message(&[(1, &message_with(&counts, &fields))])
}

/// `NOutOf(n, rules)`, or with no rules `NOutOf(n, SignedBy(0))`.
fn out_of(n: u64, rules: &[Vec<u8>]) -> Vec<u8> {
    let signed_by = vec![0x08, 0x00];
    let rules = if rules.is_empty() { vec![signed_by] } else { rules.to_vec() };
    let rules: Vec<_> = rules.iter().map(|rule| (2, rule.as_slice())).collect();
    message(&[(2, &message_with(&[(1, n)], &rules))])
}

fn simple(name: &str, blocks_to_live: u64) -> Vec<u8> {
    collection(name, blocks_to_live, 0, 1, Some(&out_of(1, &[])))
}

fn package(collections: &[Vec<u8>]) -> Vec<u8> {
    message(&collections.iter().map(|collection| (1, collection.as_slice())).collect::<Vec<_>>())
}

/// A ledger, and the policies that the creator fails.
#[derive(Default)]
struct World {
    state: BTreeMap<String, Vec<u8>>,
    unsatisfied: Vec<&'static str>,
    broken: bool,
    asked: RefCell<Vec<String>>,
}

impl Lookup for World {
    type Error = &'static str;

    fn lscc_state(&self, key: &str) -> Result<Option<Vec<u8>>, Self::Error> {
        if self.broken { Err("disk") } else { Ok(self.state.get(key).cloned()) }
    }

    fn creator_satisfies(&self, policy: &[u8]) -> Result<(), String> {
        let policy = String::from_utf8_lossy(policy).into_owned();
        self.asked.borrow_mut().push(policy.clone());
        if self.unsatisfied.contains(&policy.as_str()) { Err("not satisfied".to_owned()) } else { Ok(()) }
    }
}

/// An invocation of LSCC, from which each test departs in one point.
struct Case {
    arguments: Vec<Vec<u8>>,
    namespaces: Vec<Vec<u8>>,
    rules: Rules,
    world: World,
}

impl Case {
    fn deploy() -> Self {
        let arguments = vec![b"deploy".to_vec(), b"ch".to_vec(), deployment(GO, "cc", "1")];
        let namespaces = vec![namespace("lscc", &[kv_write("cc", &record("cc", "1", "new"))])];
        Self { arguments, namespaces, rules: V1_2, world: World::default() }
    }

    fn upgrade() -> Self {
        let mut case = Self::deploy();
        case.arguments[0] = b"upgrade".to_vec();
        case.with_state("cc", record("cc", "0", "old"))
    }

    fn with_state(mut self, key: &str, value: Vec<u8>) -> Self {
        self.world.state.insert(key.to_owned(), value);
        self
    }

    fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    fn with_writes(mut self, writes: &[Vec<u8>]) -> Self {
        self.namespaces[0] = namespace("lscc", writes);
        self
    }

    fn with_deployment(mut self, deployment: Vec<u8>) -> Self {
        self.arguments[2] = deployment;
        self
    }

    /// The sixth argument and, if they are to be `written`, LSCC's second write.
    fn with_collections(mut self, argument: &[u8], written: Option<&[u8]>) -> Self {
        self.arguments.resize(6, Vec::new());
        self.arguments.push(argument.to_vec());
        self.with_second_write(written)
    }

    fn with_second_write(self, value: Option<&[u8]>) -> Self {
        let mut writes = vec![kv_write("cc", &record("cc", "1", "new"))];
        writes.extend(value.map(|value| kv_write("cc~collection", value)));
        self.with_writes(&writes)
    }

    fn with_unsatisfied(mut self, policy: &'static str) -> Self {
        self.world.unsatisfied.push(policy);
        self
    }

    fn proposal_payload(&self) -> Vec<u8> {
        let arguments: Vec<_> = self.arguments.iter().map(|argument| (1, argument.as_slice())).collect();
        let spec = message(&[(3, &message(&arguments))]);
        message(&[(1, &message(&[(1, &spec)]))])
    }

    fn judge(&self) -> Result<(), Failure<&'static str>> {
        self.judge_proposal(&self.proposal_payload())
    }

    fn judge_proposal(&self, proposal_payload: &[u8]) -> Result<(), Failure<&'static str>> {
        let namespaces: Vec<_> = self.namespaces.iter().map(|namespace| (2, namespace.as_slice())).collect();
        let results = message(&namespaces);
        validate_invocation(&transaction("lscc", proposal_payload, &results), &self.rules, &self.world)
    }

    #[track_caller]
    fn passes(&self) {
        assert_eq!(self.judge(), Ok(()));
    }

    #[track_caller]
    fn fails(&self, reason: &str) {
        match self.judge() {
            Err(Failure::Policy(text)) => assert!(text.contains(reason), "{text:?} does not say {reason:?}"),
            other => panic!("{other:?} instead of a policy failure that says {reason:?}"),
        }
    }
}

fn transaction<'a>(chaincode: &'a str, proposal_payload: &'a [u8], results: &'a [u8]) -> EndorserTransaction<'a> {
    let chaincode_id = Some(ChaincodeId { name: chaincode, ..ChaincodeId::default() });
    EndorserTransaction {
        tx_id: "",
        proposal_response_payload: &[],
        endorsements: Vec::new(),
        proposal_payload,
        header_extension: Ok(ChaincodeHeaderExtension { chaincode_id }),
        action: Err("not looked at".to_owned()),
        rwset: TxRwSet::decode(results),
    }
}

#[test]
fn plain_deployments_and_upgrades_pass_at_every_level() {
    for rules in [V1_0, V1_1, V1_1_PRIVATE, V1_2] {
        Case::deploy().with_rules(rules).passes();
        Case::upgrade().with_rules(rules).passes();
    }
}

#[test]
fn undecodable_or_empty_invocations_fail() {
    let case = Case::deploy();
    let said = |payload: &[u8]| match case.judge_proposal(payload) {
        Err(Failure::Policy(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(said(&[0xff]).contains("chaincode proposal payload"));
    assert!(said(&message(&[(1, &[0xff])])).contains("chaincode invocation spec does not decode"));
    for no_arguments in [
        vec![],
        message(&[(1, &[])]),
        message(&[(1, &message(&[(1, &[])]))]),
        message(&[(1, &message(&[(1, &message(&[(3, &[])]))]))]),
    ] {
        assert!(said(&no_arguments).contains("names no function"));
    }
}

#[test]
fn other_functions_fail() {
    for function in ["getid", "install", "Deploy", "", "deploy "] {
        let mut case = Case::deploy();
        case.arguments[0] = function.as_bytes().to_vec();
        case.fails(&format!("not {function:?}"));
    }
}

#[test]
fn arguments_are_counted_by_capability() {
    let with_count = |count: usize, rules| {
        let mut case = Case::deploy().with_rules(rules);
        case.arguments.resize(1 + count, Vec::new());
        case
    };
    with_count(0, V1_2).fails("0 arguments");
    with_count(1, V1_2).fails("at least 2");
    with_count(5, V1_1).passes();
    with_count(6, V1_1).fails("at most 5");
    with_count(6, V1_1_PRIVATE).passes();
    with_count(6, V1_2).passes();
    with_count(7, V1_2).fails("at most 6");
}

#[test]
fn the_deployment_spec_must_be_whole() {
    Case::deploy().with_deployment(vec![0xff]).fails("deployment spec does not decode");
    Case::deploy().with_deployment(vec![]).fails("no chaincode spec");
    Case::deploy().with_deployment(message(&[(1, &[])])).fails("no chaincode id");
    for kind in [1, 2, 3, 4] {
        Case::deploy().with_deployment(deployment(kind, "cc", "1")).passes();
    }
    for kind in [0, 5] {
        Case::deploy().with_deployment(deployment(kind, "cc", "1")).fails(&format!("type {kind}"));
    }
}

#[test]
fn names_and_versions_follow_lsccs_patterns() {
    for name in ["a", "0", "a-b_c", "A9-z"] {
        assert!(is_chaincode_name(name), "{name}");
    }
    for name in ["", "-a", "a-", "a--b", "a-_b", "_", "a.b", "a b", "a\n", "ä", "a~collection"] {
        assert!(!is_chaincode_name(name), "{name}");
        Case::deploy().with_deployment(deployment(GO, name, "1")).fails("no chaincode name");
    }
    for version in ["1.0", "v_1-2+x", ".", "+"] {
        assert!(is_chaincode_version(version), "{version}");
    }
    for version in ["", "1 0", "1\n", "1:0", "ä"] {
        assert!(!is_chaincode_version(version), "{version}");
        Case::deploy().with_deployment(deployment(GO, "cc", version)).fails("no chaincode version");
    }
    for name in SYSTEM_CHAINCODES {
        Case::deploy().with_deployment(deployment(GO, name, "1")).fails("system chaincode");
    }
}

#[test]
fn the_first_write_is_the_chaincodes_record() {
    let mut undecodable = Case::deploy();
    undecodable.namespaces = vec![vec![0xff]];
    undecodable.fails("read-write set does not decode");
    let mut none = Case::deploy();
    none.namespaces = vec![namespace("cc", &[])];
    none.fails("no read-write set of lscc");
    Case::deploy().with_writes(&[]).fails("lscc writes nothing");
    Case::deploy().with_writes(&[kv_write("dd", &record("cc", "1", "new"))]).fails("first writes key \"dd\"");
    Case::deploy().with_writes(&[kv_write("cc", &[0xff])]).fails("written record of chaincode cc does not decode");
    Case::deploy().with_writes(&[kv_write("cc", &record("dd", "1", "new"))]).fails("names \"dd\"");
    Case::deploy().with_writes(&[kv_write("cc", &record("cc", "2", "new"))]).fails("version \"2\" instead of 1");
}

#[test]
fn only_lscc_and_the_chaincode_are_written() {
    let with_namespace = |namespace: Vec<u8>| {
        let mut case = Case::deploy();
        case.namespaces.push(namespace);
        case
    };
    with_namespace(namespace("cc", &[kv_write("a", b"1")])).passes();
    with_namespace(namespace("dd", &[])).passes();
    with_namespace(namespace("dd", &[kv_write("a", b"1")])).fails("writes to \"dd\"");
    // Neither metadata nor private writes count, in Fabric's eyes.
    let metadata = message(&[(4, &message(&[(1, b"a")]))]);
    with_namespace(message(&[(1, b"dd"), (2, &metadata)])).passes();
    let hashed = message(&[(1, b"c"), (2, &message(&[(2, &message(&[(1, b"hash")]))]))]);
    with_namespace(message(&[(1, b"dd"), (3, &hashed)])).passes();
}

#[test]
fn deploying_needs_an_absent_chaincode_and_upgrading_a_present_one() {
    Case::deploy().with_state("cc", record("cc", "0", "old")).fails("already instantiated");
    let mut absent = Case::upgrade();
    absent.world.state.clear();
    absent.fails("not instantiated");
    Case::upgrade().with_state("cc", record("cc", "1", "old")).fails("already has version 1");
}

#[test]
fn committed_state_that_does_not_decode_fails_the_transaction() {
    Case::deploy().with_state("cc", vec![0xff]).fails("committed record of chaincode cc does not decode");
    Case::upgrade().with_state("cc", vec![0xff]).fails("committed record of chaincode cc does not decode");
    let new = package(&[simple("c", 0)]);
    let upgrade = Case::upgrade().with_collections(&new, Some(&new));
    upgrade.with_state("cc~collection", vec![0xff]).fails("committed collections of chaincode cc do not decode");
    Case::deploy().with_state("cc~collection", vec![0xff]).fails("has collections before");
}

#[test]
fn unreadable_state_is_broken_not_invalid() {
    for mut case in [Case::deploy(), Case::upgrade()] {
        case.world.broken = true;
        assert_eq!(case.judge(), Err(Failure::Broken("disk")));
    }
}

#[test]
fn deploying_asks_for_the_written_instantiation_policy() {
    let case = Case::deploy();
    case.passes();
    assert_eq!(*case.world.asked.borrow(), ["new"]);
    Case::deploy().with_unsatisfied("new").fails("instantiation policy of chaincode cc: not satisfied");
    Case::deploy().with_writes(&[kv_write("cc", &record("cc", "1", ""))]).fails("no instantiation policy");
}

#[test]
fn upgrading_asks_for_the_committed_policy_and_from_v1_1_for_the_written_one() {
    let asked = |case: Case| {
        case.passes();
        case.world.asked.into_inner()
    };
    assert_eq!(asked(Case::upgrade().with_rules(V1_0)), ["old"]);
    assert_eq!(asked(Case::upgrade().with_rules(V1_1)), ["old", "new"]);
    assert_eq!(asked(Case::upgrade().with_state("cc", record("cc", "0", "new"))), ["new"]);
    Case::upgrade().with_unsatisfied("old").with_rules(V1_0).fails("not satisfied");
    Case::upgrade().with_unsatisfied("new").with_rules(V1_0).passes();
    Case::upgrade().with_unsatisfied("new").with_rules(V1_1).fails("not satisfied");
    Case::upgrade().with_state("cc", record("cc", "0", "")).fails("no instantiation policy");
    let without = [kv_write("cc", &record("cc", "1", ""))];
    Case::upgrade().with_writes(&without).with_rules(V1_0).passes();
    Case::upgrade().with_writes(&without).with_rules(V1_1).fails("no instantiation policy");
}

#[test]
fn collections_need_their_capability() {
    let new = package(&[simple("c", 0)]);
    let written = Some(new.as_slice());
    Case::deploy().with_second_write(written).with_rules(V1_1).fails("2 keys instead of one");
    Case::deploy().with_collections(&new, written).with_rules(V1_1_PRIVATE).passes();
    Case::deploy().with_collections(&new, written).with_rules(V1_2).passes();
    Case::upgrade().with_collections(&new, written).with_rules(V1_1_PRIVATE).fails("2 keys instead of one");
    Case::upgrade().with_collections(&new, None).with_rules(V1_1_PRIVATE).passes();
    Case::upgrade().with_collections(&new, written).with_rules(V1_2).passes();
}

#[test]
fn written_collections_are_the_argument() {
    let new = package(&[simple("c", 0)]);
    let other = package(&[simple("d", 0)]);
    for case in [Case::deploy, Case::upgrade] {
        case().with_collections(&new, Some(&other)).fails("other collections");
        case().with_collections(&new, None).fails("other collections");
        case().with_second_write(Some(&new)).fails("other collections");
        // No argument equals a write of nothing, and an empty argument no write.
        case().with_second_write(Some(&[])).passes();
        case().with_collections(&[], None).passes();
        let record = kv_write("cc", &record("cc", "1", "new"));
        case().with_writes(&[record.clone(), kv_write("cc~x", &new)]).fails("\"cc~x\" instead of cc~collection");
        case().with_writes(&[record.clone(), record.clone(), record]).fails("3 keys instead of one or two");
        case().with_collections(&[0xff], Some(&[0xff])).fails("collections of chaincode cc do not decode");
    }
}

#[test]
fn deploying_finds_no_earlier_collections() {
    Case::deploy().with_state("cc~collection", package(&[])).fails("has collections before");
    Case::deploy().with_state("cc~collection", package(&[])).with_rules(V1_1).passes();
}

#[test]
fn upgrading_keeps_committed_collections_and_their_lifetimes() {
    let upgrade_to = |collections: &[Vec<u8>]| {
        let new = package(collections);
        let committed = package(&[simple("a", 2), simple("b", 0)]);
        Case::upgrade().with_collections(&new, Some(&new)).with_state("cc~collection", committed)
    };
    upgrade_to(&[simple("b", 0), simple("c", 9), simple("a", 2)]).passes();
    upgrade_to(&[simple("a", 2)]).fails("collection \"b\" is missing");
    upgrade_to(&[simple("a", 3), simple("b", 0)]).fails("\"a\" changes blockToLive from 2 to 3");
    upgrade_to(&[]).fails("is missing");
    upgrade_to(&[simple("a", 2), simple("b", 0)])
        .with_state("cc~collection", package(&[vec![]]))
        .fails("no known kind");
    // Without the argument the committed collections stay as they are.
    Case::upgrade().with_state("cc~collection", package(&[simple("a", 2)])).passes();
    // An empty argument is a configuration without them.
    let emptied = Case::upgrade().with_collections(&[], None);
    emptied.with_state("cc~collection", package(&[simple("a", 2)])).fails("is missing");
}

#[test]
fn collections_are_well_formed_from_v1_2() {
    let any = out_of(1, &[]);
    let one = |collection: Vec<u8>| vec![collection];
    let nested = out_of(1, &[out_of(1, &[]), out_of(1, &[out_of(2, &[])])]);
    for (collections, reason) in [
        (one(vec![]), "no known kind"),
        (one(simple("", 0)), "\"\" is no collection name"),
        (one(simple("a.b", 0)), "\"a.b\" is no collection name"),
        (one(simple("ä", 0)), "is no collection name"),
        (vec![simple("a", 0), simple("b", 0), simple("a", 1)], "collection a is configured twice"),
        (one(collection("a", 0, 2, 1, Some(&any))), "maximum peer count 1 is below the required 2"),
        (one(collection("a", 0, -1, 1, Some(&any))), "required peer count -1 is negative"),
        (one(collection("a", 0, 0, -1, Some(&any))), "maximum peer count -1"),
        (one(collection("a", 0, 0, 1, None)), "collection a has no member policy"),
        (one(collection("a", 0, 0, 1, Some(&out_of(2, &[])))), "asks for 2 of its rules"),
        (one(collection("a", 0, 0, 1, Some(&out_of(0, &[])))), "asks for 0 of its rules"),
        (one(collection("a", 0, 0, 1, Some(&nested))), "asks for 2 of its rules"),
    ] {
        let new = package(&collections);
        Case::deploy().with_collections(&new, Some(&new)).fails(reason);
        Case::upgrade().with_collections(&new, Some(&new)).fails(reason);
        Case::deploy().with_collections(&new, Some(&new)).with_rules(V1_1_PRIVATE).passes();
    }
}

#[test]
fn member_policies_are_alternatives_however_nested() {
    let mut deep = out_of(1, &[]);
    for _ in 0..100 {
        deep = out_of(1, &[deep]);
    }
    let signed_by = [0x08, 0x00];
    let no_rule = [];
    let collections = [
        simple("_-9", 0),
        collection("same", 0, 3, 3, Some(&deep)),
        collection("one", 0, 0, 0, Some(&signed_by)),
        collection("none", 0, 0, 0, Some(&no_rule)),
    ];
    let new = package(&collections);
    Case::deploy().with_collections(&new, Some(&new)).passes();
    // A signature policy that is there and empty passes, one that is not there does not.
    let empty_policy = message(&[(1, &message(&[(1, b"e"), (2, &message(&[(1, &[])]))]))]);
    let new = package(&[empty_policy]);
    Case::deploy().with_collections(&new, Some(&new)).passes();
    let unset_policy = message(&[(1, &message(&[(1, b"e"), (2, &[])]))]);
    let new = package(&[unset_policy]);
    Case::deploy().with_collections(&new, Some(&new)).fails("no member policy");
}

#[test]
fn upgrades_of_go_chaincode_are_seen() {
    let upgraded = |case: &Case, invoked: &str| {
        let payload = case.proposal_payload();
        let transaction = transaction(invoked, &payload, &[]);
        upgraded_chaincode(&transaction).map(|upgrade| format!("{}:{}", upgrade.name, upgrade.version))
    };
    assert_eq!(upgraded(&Case::upgrade(), "lscc").as_deref(), Some("cc:1"));
    assert_eq!(upgraded(&Case::upgrade(), "cc"), None);
    assert_eq!(upgraded(&Case::deploy(), "lscc"), None);
    for kind in [0, 2, 3, 4] {
        assert_eq!(upgraded(&Case::upgrade().with_deployment(deployment(kind, "cc", "1")), "lscc"), None);
    }
    for malformed in [vec![0xff], vec![], message(&[(1, &[])])] {
        assert_eq!(upgraded(&Case::upgrade().with_deployment(malformed), "lscc"), None);
    }
    let mut short = Case::upgrade();
    short.arguments.truncate(2);
    assert_eq!(upgraded(&short, "lscc"), None);
    assert_eq!(upgraded_chaincode(&transaction("lscc", &[0xff], &[])), None);
}
