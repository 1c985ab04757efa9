// SPDX-License-Identifier: Apache-2.0
//! The LSCC invocations of ledgers that Fabric 1.4.12 made, against its verdicts (`tests/vectors/fabric-1.4`).

use std::collections::BTreeMap;

use fastledger_vectors::Corpus;
use fastledger_wire::TxValidationCode;
use fastledger_wire::common::Block;

use super::super::*;
use crate::transaction::{Body, Entry};

/// Slot of the block's metadata that holds one code per transaction.
const TRANSACTIONS_FILTER: usize = 2;

/// The blocks that a 1.4 peer committed.
fn committed(name: &str) -> Vec<Vec<u8>> {
    let corpus = Corpus::kept(&format!("fabric-1.4/{name}"));
    corpus.committed_blocks().into_iter().map(<[u8]>::to_vec).collect()
}

/// The state of `lscc`, and a creator who satisfies every policy or none.
struct World {
    state: BTreeMap<String, Vec<u8>>,
    creator_is_admin: bool,
}

impl Lookup for World {
    type Error = std::convert::Infallible;

    fn lscc_state(&self, key: &str) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.state.get(key).cloned())
    }

    fn creator_satisfies(&self, _policy: &[u8]) -> Result<(), String> {
        if self.creator_is_admin { Ok(()) } else { Err("not an admin".to_owned()) }
    }
}

/// What became of one invocation of LSCC.
struct Verdict {
    block: usize,
    fabric: TxValidationCode,
    ours: Result<(), String>,
    ours_without_admin: Result<(), String>,
    upgraded: Option<String>,
}

/// Judges every LSCC invocation of a chain, each over the state that the valid ones before its block left.
fn replay(blocks: &[Vec<u8>], rules: Rules) -> Vec<Verdict> {
    let mut state = BTreeMap::new();
    let mut verdicts = Vec::new();
    for (number, bytes) in blocks.iter().enumerate() {
        let block = Block::decode(bytes).expect("a block");
        let metadata = block.metadata.expect("metadata").metadata;
        let codes = metadata[TRANSACTIONS_FILTER];
        let mut next = state.clone();
        for (index, data) in block.data.expect("data").data.iter().enumerate() {
            let entry = Entry::parse(data);
            let Ok(signed) = entry.signed() else { continue };
            let Ok(Body::Endorser(transaction)) = &signed.body else { continue };
            let invoked =
                transaction.header_extension.as_ref().ok().and_then(|extension| extension.chaincode_id.as_ref());
            let invoked = invoked.map_or("", |id| id.name);
            if invoked != LSCC {
                assert_eq!(upgraded_chaincode(transaction, rules), None);
                continue;
            }
            let fabric = TxValidationCode::from_number(codes[index]).expect("a code");
            let judge = |creator_is_admin| {
                let world = World { state: state.clone(), creator_is_admin };
                validate_invocation(transaction, rules, &world).map_err(|failure| match failure {
                    Failure::Policy(text) => text,
                    Failure::Broken(never) => match never {},
                })
            };
            let upgraded =
                upgraded_chaincode(transaction, rules).map(|upgrade| format!("{}:{}", upgrade.name, upgrade.version));
            let (ours, ours_without_admin) = (judge(true), judge(false));
            verdicts.push(Verdict { block: number, fabric, ours, ours_without_admin, upgraded });
            if fabric == TxValidationCode::Valid {
                apply(&mut next, transaction.rwset.as_ref().expect("a valid read-write set"));
            }
        }
        state = next;
    }
    verdicts
}

fn apply(state: &mut BTreeMap<String, Vec<u8>>, rwset: &TxRwSet<'_>) {
    let lscc = rwset.namespaces.iter().find(|namespace| namespace.namespace == LSCC);
    for write in lscc.into_iter().flat_map(|namespace| &namespace.public.writes) {
        state.insert(write.key.to_owned(), write.value.to_vec());
    }
}

fn agree(verdicts: &[Verdict]) {
    for Verdict { block, fabric, ours, ours_without_admin, .. } in verdicts {
        match fabric {
            TxValidationCode::Valid => {
                assert_eq!(*ours, Ok(()), "block {block}");
                let refused = ours_without_admin.as_ref().expect_err("the policy was not asked");
                assert!(refused.contains("instantiation policy"), "block {block}: {refused}");
            }
            TxValidationCode::EndorsementPolicyFailure => assert!(ours.is_err(), "block {block} passes"),
            other => panic!("block {block} has an LSCC invocation with {other:?}"),
        }
    }
}

#[test]
fn the_cli_runs_deploy_upgrade_and_getid() {
    let v1_1 = Rules { v1_1_validation: true, ..Rules::default() };
    let v1_4 = Rules { v1_2_validation: true, private_channel_data: true, ..v1_1 };
    for (name, rules) in [("v14", v1_4), ("v11", v1_1), ("tls", v1_4)] {
        let verdicts = replay(&committed(name), rules);
        agree(&verdicts);
        let seen: Vec<_> = verdicts.iter().map(|verdict| (verdict.block, verdict.upgraded.as_deref())).collect();
        assert_eq!(seen, [(3, None), (10, Some("mycc:2.0")), (15, None)], "{name}");
        assert!(verdicts[2].ours.as_ref().expect_err("getid passes").contains("getid"));
    }
}

#[test]
fn collections_of_pvt14_are_judged_as_fabric_did() {
    let rules = Rules { v1_1_validation: true, v1_2_validation: true, private_channel_data: true, ..Rules::default() };
    let verdicts = replay(&committed("pvt14"), rules);
    agree(&verdicts);
    let blocks: Vec<_> = verdicts.iter().map(|verdict| verdict.block).collect();
    assert_eq!(blocks, [2, 3, 3, 39, 40, 41, 43, 45, 47]);
    let reason = |block: usize| {
        let verdict = verdicts.iter().find(|verdict| verdict.block == block).expect("a verdict");
        verdict.ours.as_ref().expect_err("it passes").clone()
    };
    assert!(reason(39).contains("changes blockToLive"), "{}", reason(39));
    assert!(reason(40).contains("is missing"), "{}", reason(40));
    assert!(reason(47).contains("getid"), "{}", reason(47));
}
