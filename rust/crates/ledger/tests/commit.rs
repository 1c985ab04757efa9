// SPDX-License-Identifier: Apache-2.0
//! What is committed can be read, staged or flushed, before and after reopening.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::ops::ControlFlow;

use fastledger_ledger::{Ledger, LedgerError, TxLocation, View};
use fastledger_mvcc::state::StateReader;
use fastledger_wire::Height;
use support::{Effects, ModelKey, append, in_layers_and_merged, key, open, record, state_key};

fn range(view: &View, namespace: &str, start: &str, end: &str) -> Vec<(Vec<u8>, Height)> {
    let mut found = Vec::new();
    view.range(namespace, start.as_bytes(), end, &mut |key, version| {
        found.push((key.to_vec(), version));
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

fn names(found: &[(Vec<u8>, Height)]) -> Vec<String> {
    found.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
}

/// Runs a check on a ledger with everything staged, then flushed, then reopened; in layers, and merged.
fn in_every_stage(fill: impl Fn(&Ledger), check: impl Fn(&Ledger)) {
    in_layers_and_merged(|| in_three_stages(&fill, &check));
}

fn in_three_stages(fill: impl Fn(&Ledger), check: impl Fn(&Ledger)) {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, recovery) = open(dir.path());
    assert_eq!(recovery.replay, 0..0);
    fill(&ledger);
    check(&ledger);
    ledger.flush().unwrap();
    check(&ledger);
    drop(ledger);
    let (ledger, recovery) = open(dir.path());
    assert!(recovery.replay.is_empty());
    assert_eq!(recovery.rebuilding, None);
    check(&ledger);
}

#[test]
fn values_versions_and_metadata_come_back() {
    let plain = key("cc", "", b"a");
    let hashed = key("cc", "coll", &[0xff; 32]);
    let config = key("", "", b"");
    in_every_stage(
        |ledger| {
            let mut first = Effects::default().put(plain.clone(), 3, "one").put(config.clone(), 0, "config");
            first.puts.push((hashed.clone(), 4, b"hash".to_vec(), b"meta".to_vec()));
            first.stage(ledger);
            Effects::default().put(plain.clone(), 7, "two").stage(ledger);
            Effects { deletes: vec![(config.clone(), 0)], ..Effects::default() }.stage(ledger);
        },
        |ledger| {
            let view = ledger.view().unwrap();
            assert_eq!((view.height(), ledger.height(), ledger.committed_height()), (3, 3, 3));
            assert_eq!(view.commit_hash(), Effects::commit_hash(2));
            let found = view.get(state_key(&plain)).unwrap().unwrap();
            assert_eq!((found.value.as_ref(), found.version), (b"two".as_slice(), Height { block: 1, tx: 7 }));
            assert_eq!(view.version(state_key(&hashed)).unwrap(), Some(Height { block: 0, tx: 4 }));
            assert_eq!(view.metadata(state_key(&hashed)).unwrap().as_ref(), b"meta");
            assert_eq!(view.metadata(state_key(&plain)).unwrap().as_ref(), b"");
            let up_to = |most, key| view.metadata_up_to(most, state_key(key)).unwrap();
            assert_eq!((up_to(4, &hashed).as_deref(), up_to(3, &hashed)), (Some(b"meta".as_slice()), None));
            assert_eq!(up_to(0, &plain).as_deref(), Some([].as_slice()));
            assert_eq!(view.get(state_key(&config)).unwrap(), None);
            assert_eq!(view.get(state_key(&key("c", "", b"c\0a"))).unwrap(), None);
        },
    );
}

#[test]
fn a_view_knows_since_when_definitions_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(dir.path());
    let since = |ledger: &Ledger| ledger.view().unwrap().definitions_height();
    let ordinary = || Effects::default().put(key("cc", "", b"a"), 0, "one");
    ordinary().stage(&ledger);
    assert_eq!(since(&ledger), 0);
    let before = ledger.view().unwrap();
    for (place, height) in [(("_lifecycle", ""), 2), (("_lifecycle", "_implicit_org_A"), 3), (("lscc", ""), 4)] {
        Effects::default().put(key(place.0, place.1, b"a"), 0, "one").stage(&ledger);
        assert_eq!(since(&ledger), height);
    }
    Effects { deletes: vec![(key("_lifecycle", "", b"a"), 0)], ..Effects::default() }.stage(&ledger);
    ordinary().stage(&ledger);
    assert_eq!((before.definitions_height(), since(&ledger)), (0, 5));
    ledger.flush().unwrap();
    drop((before, ledger));
    let (ledger, _) = open(dir.path());
    ordinary().stage(&ledger);
    assert_eq!(since(&ledger), 6);
}

#[test]
fn ranges_see_the_same_beside_runs_of_deleted_keys_again_and_again() {
    let name = |number: u32| format!("{number:03}");
    let is_gone = |number: u32| matches!(number, 5..=40 | 42..=60 | 62..=70 | 90..=119);
    in_every_stage(
        |ledger| {
            let state = |effects: Effects, number| effects.put(key("cc", "", name(number).as_bytes()), 0, "value");
            (0..120).fold(Effects::default(), state).stage(ledger);
            let deletes = (0..120).filter(|number| is_gone(*number));
            let deletes = deletes.map(|number| (key("cc", "", name(number).as_bytes()), 0)).collect();
            Effects { deletes, ..Effects::default() }.put(key("cd", "", b"000"), 1, "behind").stage(ledger);
        },
        |ledger| {
            let view = ledger.view().unwrap();
            let bounds: Vec<u32> = (0..=120).step_by(7).chain([5, 41, 61, 119]).collect();
            for round in 0..2 {
                for start in &bounds {
                    for end in &bounds {
                        let expected: Vec<_> =
                            (*start..*end.min(&120)).filter(|number| !is_gone(*number)).map(name).collect();
                        let found = range(&view, "cc", &name(*start), &name(*end));
                        assert_eq!(names(&found), expected, "from {start} to {end}, round {round}");
                    }
                }
                assert_eq!(names(&range(&view, "cc", "080", "")).len(), 10);
                assert_eq!(names(&range(&view, "cd", "", "")), ["000"]);
            }
        },
    );
}

#[test]
fn ranges_stay_in_their_namespace_and_see_staged_blocks() {
    let ns = |name: &str| key("cc", "", name.as_bytes());
    in_every_stage(
        |ledger| {
            let mut first = Effects::default();
            for name in ["a", "b", "c", "d"] {
                first = first.put(ns(name), 0, name);
            }
            first = first.put(key("cc", "coll", b"b"), 0, "hash").put(key("cb", "", b"z"), 0, "z");
            first.put(key("cd", "", b"a"), 0, "a").stage(ledger);
            let second = Effects { deletes: vec![(ns("b"), 1)], ..Effects::default() };
            second.put(ns("bb"), 1, "new").put(ns("d"), 2, "changed").stage(ledger);
        },
        |ledger| {
            let view = ledger.view().unwrap();
            assert_eq!(names(&range(&view, "cc", "", "")), ["a", "bb", "c", "d"]);
            assert_eq!(names(&range(&view, "cc", "b", "d")), ["bb", "c"]);
            assert_eq!(names(&range(&view, "cc", "d", "b")), [""; 0]);
            assert_eq!(range(&view, "cc", "d", "")[0].1, Height { block: 1, tx: 2 });
            let mut hashes = Vec::new();
            view.range_values(("cc", "coll"), b"", b"", &mut |key, value| {
                hashes.push((key.to_vec(), value.value.into_owned()));
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(hashes, [(b"b".to_vec(), b"hash".to_vec())]);
            let mut seen = 0;
            view.range("cc", b"", "", &mut |_, _| {
                seen += 1;
                if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
            assert_eq!(seen, 2);
        },
    );
}

#[test]
fn keys_of_any_length_keep_byte_order() {
    // Lengths around the limits of short and stored keys, tails that reverse the order of hashes now and then.
    let mut all: Vec<String> = Vec::new();
    for length in [1, 440, 443, 444, 445, 446, 447, 476, 477, 478, 507, 508, 511, 512, 1000, 70_000] {
        for tail in ["", "a", "b", "0", "zz", "~"] {
            all.push("k".repeat(length) + tail);
        }
    }
    all.sort();
    all.dedup();
    in_every_stage(
        |ledger| {
            for part in [0, 1, 2] {
                let mut effects = Effects::default();
                for name in all.iter().skip(part).step_by(3) {
                    effects = effects.put(key("cc", "", name.as_bytes()), part as u64, &name[..1]);
                }
                effects.stage(ledger);
            }
        },
        |ledger| {
            let view = ledger.view().unwrap();
            assert_eq!(names(&range(&view, "cc", "", "")), all);
            for window in all.windows(5).step_by(3) {
                assert_eq!(names(&range(&view, "cc", &window[0], &window[4])), window[..4]);
            }
            for name in &all {
                assert!(view.version(state_key(&key("cc", "", name.as_bytes()))).unwrap().is_some());
            }
        },
    );
}

#[test]
fn deleting_a_long_key_hides_only_that() {
    let long: Vec<ModelKey> =
        ["a", "b", "c"].iter().map(|tail| key("cc", "", ("x".repeat(600) + tail).as_bytes())).collect();
    in_every_stage(
        |ledger| {
            let effects = long.iter().fold(Effects::default(), |effects, key| effects.put(key.clone(), 0, "v"));
            effects.commit(ledger);
            Effects { deletes: vec![(long[1].clone(), 0)], ..Effects::default() }.stage(ledger);
        },
        |ledger| {
            let found = range(&ledger.view().unwrap(), "cc", "", "");
            assert_eq!(
                found.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(),
                [long[0].2.clone(), long[2].2.clone()]
            );
        },
    );
}

#[test]
fn the_first_of_equal_tx_ids_is_found() {
    let hex = "ab".repeat(32);
    let upper = "AB".repeat(32);
    let long = "x".repeat(5000);
    in_every_stage(
        |ledger| {
            let first = vec![hex.clone(), String::new(), hex.clone(), long.clone(), "plain text \u{1F600}".into()];
            Effects { tx_ids: first, ..Effects::default() }.stage(ledger);
            Effects { tx_ids: vec![upper.clone(), hex.clone(), String::new()], ..Effects::default() }.stage(ledger);
        },
        |ledger| {
            let view = ledger.view().unwrap();
            let at = |id: &str| match view.tx_location(id).unwrap() {
                Some(TxLocation::Block { height, code: 0 }) => Some((height.block, height.tx)),
                None => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(at(&hex), Some((0, 0)));
            assert_eq!(at(""), Some((0, 1)));
            assert_eq!(at(&long), Some((0, 3)));
            assert_eq!(at("plain text \u{1F600}"), Some((0, 4)));
            assert_eq!(at(&upper), Some((1, 0)));
            assert_eq!(at(&("x".repeat(4999))), None);
            assert!(!view.tx_id_exists(&"cd".repeat(32)).unwrap());
            assert_eq!(ledger.block_by_tx_id(&upper).unwrap().unwrap().number, 1);
        },
    );
}

#[test]
fn history_is_newest_first_and_of_that_key_only() {
    in_every_stage(
        |ledger| {
            for block in 0..3u64 {
                let write = |key: &str, tx| ("cc".to_owned(), key.to_owned(), tx);
                let mut history =
                    vec![write("a", block), write("a", block + 300), write("ab", 9), write("a\0\u{1}", 8)];
                history.push(("c".into(), "ca".into(), 1));
                Effects { history, ..Effects::default() }.stage(ledger);
            }
        },
        |ledger| {
            let heights = ledger.view().unwrap().history("cc", "a").unwrap();
            let expected = [(2, 302), (2, 2), (1, 301), (1, 1), (0, 300), (0, 0)];
            assert_eq!(heights, expected.map(|(block, tx)| Height { block, tx }));
            assert_eq!(ledger.view().unwrap().history("cc", "b").unwrap(), []);
        },
    );
}

#[test]
fn collections_and_explanations_come_back() {
    in_every_stage(
        |ledger| {
            for block in 0..4u8 {
                let collections = if block % 2 == 1 { vec![("cc".to_owned(), vec![block])] } else { vec![] };
                let explanations = if block == 2 { b"why".to_vec() } else { vec![] };
                Effects { collections, explanations, ..Effects::default() }.stage(ledger);
            }
        },
        |ledger| {
            let view = ledger.view().unwrap();
            let below = |block| view.collection_config_below(block, "cc").unwrap();
            assert_eq!([below(0), below(1)], [None, None]);
            assert_eq!([below(2), below(3)], [Some((1, vec![1])), Some((1, vec![1]))]);
            assert_eq!(below(u64::MAX), Some((3, vec![3])));
            assert_eq!(view.collection_config_below(9, "c").unwrap(), None);
            assert_eq!(view.explanations(2).unwrap(), Some(b"why".to_vec()));
            assert_eq!(view.explanations(1).unwrap(), None);
        },
    );
}

#[test]
fn hashed_keys_expire_unless_written_since() {
    let hash_of = |name: &str| key("cc", "coll", &fastledger_wire::hash::sha256(&[name.as_bytes()]));
    let expiring = fastledger_ledger::expiring_block(1, 3).unwrap();
    assert_eq!(expiring, 5);
    in_layers_and_merged(|| {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, _) = open(dir.path());
        let next = |effects: Effects| {
            effects.stage(&ledger);
        };
        let exists = |name: &str| ledger.view().unwrap().version(state_key(&hash_of(name))).unwrap().is_some();
        next(Effects::default());
        let names = ["kept", "gone", "rewritten", "written last"];
        let mut first = names.iter().fold(Effects::default(), |effects, name| effects.put(hash_of(name), 0, "v"));
        first.expiries = names[1..].iter().map(|name| (hash_of(name), expiring)).collect();
        next(first);
        next(Effects::default());
        let mut rewrite = Effects::default().put(hash_of("rewritten"), 0, "w");
        rewrite.expiries = vec![(hash_of("rewritten"), 7)];
        next(rewrite);
        next(Effects::default());
        assert!(names.iter().all(|name| exists(name)), "transactions of block 5 still see them");
        next(Effects::default().put(hash_of("written last"), 0, "x"));
        assert_eq!(names.map(exists), [true, false, true, true]);
        next(Effects::default());
        assert!(exists("rewritten"));
        next(Effects::default());
        assert!(!exists("rewritten"));
        ledger.flush().unwrap();
        assert_eq!(names.map(exists), [true, false, false, true]);
    });
}

#[test]
fn blocks_are_found_by_number_and_hash_and_in_order() {
    in_every_stage(
        |ledger| {
            for _ in 0..5 {
                Effects::default().stage(ledger);
            }
        },
        |ledger| {
            let all: Vec<_> = ledger.blocks(0).unwrap().map(Result::unwrap).collect();
            assert_eq!(all.iter().map(|block| block.number).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
            assert_eq!(ledger.blocks(3).unwrap().map(Result::unwrap).collect::<Vec<_>>(), all[3..]);
            assert_eq!(ledger.blocks(5).unwrap().count(), 0);
            assert!(matches!(ledger.blocks(6), Err(LedgerError::NoSuchBlock { number: 6, first: 0, end: 5 })));
            assert_eq!(ledger.block(2).unwrap(), all[2]);
            let tip = ledger.tip().unwrap();
            assert_eq!(ledger.block_by_hash(&tip.header_hash).unwrap().unwrap(), all[4]);
            assert_eq!(ledger.block_by_hash(&[0; 32]).unwrap(), None);
            assert!(matches!(ledger.block(5), Err(LedgerError::NoSuchBlock { .. })));
            let envelope = ledger.transaction(Height { block: 1, tx: 0 }).unwrap();
            assert_eq!(envelope.len(), 100);
            assert!(ledger.transaction(Height { block: 1, tx: 1 }).is_err());
        },
    );
}

#[test]
fn a_view_does_not_change() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(dir.path());
    let a = key("cc", "", b"a");
    Effects::default().put(a.clone(), 0, "1").stage(&ledger);
    let staged = ledger.view().unwrap();
    ledger.flush().unwrap();
    let flushed = ledger.view().unwrap();
    Effects::default().put(a.clone(), 0, "2").put(key("cc", "", b"b"), 0, "b").commit(&ledger);
    for view in [&staged, &flushed] {
        assert_eq!(view.height(), 1);
        assert_eq!(view.get(state_key(&a)).unwrap().unwrap().value.as_ref(), b"1");
        assert_eq!(names(&range(view, "cc", "", "")), ["a"]);
    }
    assert_eq!(names(&range(&ledger.view().unwrap(), "cc", "", "")), ["a", "b"]);
}

#[test]
fn what_does_not_follow_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(dir.path());
    assert!(matches!(ledger.append(b"nonsense"), Err(LedgerError::NotARecord { .. })));
    let trailing = [record(0, b"", 1, 10), vec![0]].concat();
    assert!(matches!(ledger.append(&trailing), Err(LedgerError::NotARecord { .. })));
    assert!(matches!(ledger.append(&record(1, b"", 1, 10)), Err(LedgerError::NotNext { number: 1, .. })));
    assert!(matches!(ledger.append(&record(0, b"x", 1, 10)), Err(LedgerError::NotNext { number: 0, .. })));
    let zero = append(&ledger, 1, 10);
    assert!(ledger.append(&record(1, &[0; 32], 1, 10)).is_err());
    let one = append(&ledger, 1, 10);
    let effects = Effects::default();
    assert!(effects.with(&one, |block| ledger.stage(block)).is_err(), "block 0 comes first");
    effects.with(&zero, |block| ledger.stage(block)).unwrap();
    assert!(effects.with(&zero, |block| ledger.stage(block)).is_err(), "block 0 is staged already");
    let mut moved = one;
    moved.location.offset += 1;
    assert!(effects.with(&moved, |block| ledger.stage(block)).is_err());
    effects.with(&one, |block| ledger.stage(block)).unwrap();
    assert_eq!((ledger.height(), ledger.committed_height()), (2, 2));
}

#[test]
fn more_blocks_than_may_be_staged_flush_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(dir.path());
    for block in 0..150u64 {
        Effects::default().put(key("cc", "", &block.to_be_bytes()), 0, "v").stage(&ledger);
    }
    assert!(ledger.savepoint().unwrap().tip.number >= 64);
    assert_eq!(range(&ledger.view().unwrap(), "cc", "", "").len(), 150);
}
