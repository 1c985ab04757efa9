// SPDX-License-Identifier: Apache-2.0
//! Random chains against a model made of plain maps, in all the states that changes go through.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fastledger_ledger::{Durability, Ledger, Options, TxLocation, View};
use fastledger_mvcc::state::StateReader;
use fastledger_wire::Height;
use proptest::prelude::*;
use support::{Effects, ModelKey, append, key, state_key};

/// The obvious ledger.
#[derive(Default, Clone)]
struct Model {
    height: u64,
    states: BTreeMap<ModelKey, (Height, Vec<u8>, Vec<u8>)>,
    history: BTreeMap<(String, String), Vec<Height>>,
    tx_ids: BTreeMap<String, Height>,
    expiries: BTreeMap<u64, Vec<(ModelKey, u64)>>,
}

impl Model {
    fn commit(&mut self, effects: &Effects) {
        let block = self.height;
        for (key, committing) in self.expiries.remove(&block).unwrap_or_default() {
            if self.states.get(&key).is_some_and(|(version, ..)| version.block == committing) {
                self.states.remove(&key);
            }
        }
        for (key, tx, value, metadata) in &effects.puts {
            self.states.insert(key.clone(), (Height { block, tx: *tx }, value.clone(), metadata.clone()));
        }
        for (key, _) in &effects.deletes {
            self.states.remove(key);
        }
        for (namespace, key, tx) in &effects.history {
            let heights = self.history.entry((namespace.clone(), key.clone())).or_default();
            heights.insert(0, Height { block, tx: *tx });
        }
        for (tx, id) in (0..).zip(&effects.tx_ids) {
            self.tx_ids.entry(id.clone()).or_insert(Height { block, tx });
        }
        for (key, expiring) in &effects.expiries {
            self.expiries.entry(*expiring).or_default().push((key.clone(), block));
        }
        self.height += 1;
    }

    fn check(&self, view: &View) {
        assert_eq!(view.height(), self.height);
        let mut found = BTreeMap::new();
        view.all_states(&mut |key, value| {
            let key = (key.namespace.to_owned(), key.collection.to_owned(), key.key.to_vec());
            found.insert(key, (value.version, value.value.into_owned(), value.metadata.into_owned()));
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(found, self.states);
        for name in all_keys() {
            let version = view.version(state_key(&name)).unwrap();
            assert_eq!(version, self.states.get(&name).map(|state| state.0), "{name:?}");
            let metadata = view.metadata(state_key(&name)).unwrap();
            assert_eq!(metadata.as_ref(), self.states.get(&name).map_or(&[][..], |state| &state.2));
        }
        self.check_ranges(view);
        for id in (0..TX_IDS).map(tx_id) {
            let at = view.tx_location(&id).unwrap();
            let expected = self.tx_ids.get(&id).map(|height| TxLocation::Block { height: *height, code: 0 });
            assert_eq!(at, expected, "{id}");
        }
        for name in all_keys().into_iter().filter(|name| name.1.is_empty()) {
            let text = String::from_utf8(name.2.clone()).unwrap();
            let expected = self.history.get(&(name.0.clone(), text.clone())).cloned().unwrap_or_default();
            assert_eq!(view.history(&name.0, &text).unwrap(), expected);
        }
    }

    fn check_ranges(&self, view: &View) {
        let ends = ["", "a", "k", &"k".repeat(447), &("k".repeat(600) + "1"), "m"];
        for start in ends {
            for end in ends {
                let mut found = Vec::new();
                let mut visit = |key: &[u8], version: Height| {
                    found.push((key.to_vec(), version));
                    ControlFlow::Continue(())
                };
                view.range("cc", start.as_bytes(), end, &mut visit).unwrap();
                let within = |key: &[u8]| key >= start.as_bytes() && (end.is_empty() || key < end.as_bytes());
                let states = self.states.iter().filter(|(key, _)| key.0 == "cc" && key.1.is_empty() && within(&key.2));
                let expected: Vec<_> = states.map(|(key, state)| (key.2.clone(), state.0)).collect();
                assert_eq!(found, expected, "from {start:?} to {end:?}");
            }
        }
    }
}

const TX_IDS: u32 = 40;

fn tx_id(number: u32) -> String {
    match number % 4 {
        0 => "x".repeat(number as usize * 40),
        1 => format!("text {number}"),
        _ => format!("{number:064x}"),
    }
}

/// Few keys, so that they are written again and again: short, long, in groups, hashed, in neighbouring namespaces.
fn all_keys() -> Vec<ModelKey> {
    let mut keys = Vec::new();
    for name in ["", "a", "b", "k", "\u{7f}"] {
        keys.push(key("cc", "", name.as_bytes()));
    }
    for length in [446, 447, 600] {
        for tail in ["", "1", "2", "3"] {
            keys.push(key("cc", "", ("k".repeat(length) + tail).as_bytes()));
        }
    }
    for hashed in 0..4 {
        keys.push(key("cc", "coll", &[hashed; 32]));
    }
    keys.push(key("cc", &"c".repeat(500), &[7; 32]));
    keys.push(key("cd", "", b"a"));
    keys.push(key("cb", "", b"zz"));
    keys
}

/// What happens to the ledger between blocks.
#[derive(Debug, Clone, Copy)]
enum Event {
    Nothing,
    Flush,
    Reopen,
    KeepView,
}

#[derive(Debug, Clone)]
struct Step {
    writes: Vec<(usize, u8)>,
    tx_ids: Vec<u32>,
    event: Event,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let event = prop_oneof![
        3 => Just(Event::Nothing),
        3 => Just(Event::Flush),
        1 => Just(Event::Reopen),
        1 => Just(Event::KeepView),
    ];
    let writes = prop::collection::vec((0..all_keys().len(), any::<u8>()), 0..12);
    let step = (writes, prop::collection::vec(0..TX_IDS, 0..4), event).prop_map(|(writes, tx_ids, event)| Step {
        writes,
        tx_ids,
        event,
    });
    prop::collection::vec(step, 1..60)
}

fn effects(step: &Step, block: u64) -> Effects {
    let keys = all_keys();
    let mut effects = Effects { tx_ids: step.tx_ids.iter().map(|id| tx_id(*id)).collect(), ..Effects::default() };
    let mut written = Vec::new();
    for (tx, (index, choice)) in (0..).zip(&step.writes) {
        let name = &keys[*index];
        if written.contains(index) {
            continue;
        }
        written.push(*index);
        if choice % 4 == 0 {
            effects.deletes.push((name.clone(), tx));
        } else {
            let metadata = if choice % 7 == 1 { b"metadata".to_vec() } else { vec![] };
            effects.puts.push((name.clone(), tx, vec![*choice; 1 + usize::from(*choice % 90)], metadata));
            if !name.1.is_empty() && choice % 3 != 0 {
                effects.expiries.push((name.clone(), block + 1 + u64::from(choice % 5)));
            }
        }
        if name.1.is_empty() {
            effects.history.push((name.0.clone(), String::from_utf8(name.2.clone()).unwrap(), tx));
        }
    }
    effects
}

fn check_all(kept: &[(View, Model)]) {
    for (view, model) in kept {
        model.check(view);
    }
}

fn run(steps: &[Step], layer_bytes: usize) {
    let dir = tempfile::tempdir().unwrap();
    let options =
        Options { map_bytes: 64 << 20, layer_bytes, lanes: 2, durability: Durability::EachFlush, ..Options::default() };
    let (mut ledger, _) = Ledger::open(dir.path(), options).unwrap();
    let mut model = Model::default();
    let mut kept: Vec<(View, Model)> = Vec::new();
    let mut history = Vec::new();
    for step in steps {
        let effects = effects(step, model.height);
        let appended = append(&ledger, 1, 50);
        effects.with(&appended, |block| ledger.stage(block)).unwrap();
        model.commit(&effects);
        history.push((appended, effects));
        match step.event {
            Event::Nothing => {}
            Event::Flush => ledger.flush().unwrap(),
            Event::KeepView => kept.push((ledger.view().unwrap(), model.clone())),
            Event::Reopen => {
                check_all(&kept);
                kept.clear();
                drop(ledger);
                let recovery;
                (ledger, recovery) = Ledger::open(dir.path(), options).unwrap();
                assert_eq!((&recovery.rebuilding, &recovery.torn), (&None, &None));
                for number in recovery.replay {
                    let (appended, effects) = &history[usize::try_from(number).unwrap()];
                    effects.with(appended, |block| ledger.stage(block)).unwrap();
                }
            }
        }
        if kept.len() > 3 {
            let (view, model) = kept.remove(0);
            model.check(&view);
        }
    }
    model.check(&ledger.view().unwrap());
    ledger.flush().unwrap();
    model.check(&ledger.view().unwrap());
    check_all(&kept);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ledger_agrees_with_plain_maps(steps in steps(), layer_bytes in prop_oneof![Just(0), Just(3_000), Just(1 << 20)]) {
        run(&steps, layer_bytes);
    }
}
