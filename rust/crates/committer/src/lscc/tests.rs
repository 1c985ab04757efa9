// SPDX-License-Identifier: Apache-2.0
//! A ledger and an invocation of LSCC made by hand, from which each test departs in one point.

mod collections;
mod corpus;
mod invocations;

use std::cell::RefCell;
use std::collections::BTreeMap;

use fastledger_wire::encode;
use fastledger_wire::peer::{ChaincodeHeaderExtension, ChaincodeId};

use super::*;
use crate::era::Era;

fn v1_0() -> Rules {
    Rules::default()
}

fn v1_1() -> Rules {
    Rules { v1_1_validation: true, ..v1_0() }
}

/// With `V1_1_PVTDATA_EXPERIMENTAL`.
fn v1_1_private() -> Rules {
    Rules { private_channel_data: true, ..v1_1() }
}

fn v1_2() -> Rules {
    Rules { v1_2_validation: true, ..v1_1_private() }
}

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

/// An invocation of LSCC.
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
        Self { arguments, namespaces, rules: v1_2(), world: World::default() }
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
        validate_invocation(&transaction("lscc", proposal_payload, &results), self.rules, &self.world)
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
