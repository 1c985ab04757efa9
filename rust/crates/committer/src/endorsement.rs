// SPDX-License-Identifier: Apache-2.0
//! Whether a namespace's writes carry the endorsements that they need
//! (`core/common/validation/statebased`: key-level, collection and chaincode policies).

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use fastledger_identity::{ChannelConfig, Identity};
use fastledger_mvcc::{StateKey, StateReader};
use fastledger_wire::Message;
use fastledger_wire::rwset::{KvMetadataWrite, NsRwSet};

use crate::definitions::{CollectionIndex, Definition};
use crate::key_policies::{KeyPolicies, KeyPolicy, LONG_METADATA_BYTES};
use crate::policies::{self, PolicyRef};
use crate::rules::Rules;

/// Name of the metadata entry that holds a key's endorsement policy (`MetaDataKeys_VALIDATION_PARAMETER`).
const VALIDATION_PARAMETER: &str = "VALIDATION_PARAMETER";

/// A policy that was not satisfied, or could not be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unendorsed {
    /// What the policy guards, for people.
    pub guards: String,
    /// The policy in Fabric's policy language, or what is wrong with it.
    pub policy: String,
}

/// How a check ends that does not end well.
pub(crate) enum Failure<E> {
    /// The transaction lacks an endorsement.
    Unendorsed(Unendorsed),
    /// The state cannot be read.
    Broken(E),
}

impl<E> From<Unendorsed> for Failure<E> {
    fn from(unendorsed: Unendorsed) -> Self {
        Self::Unendorsed(unendorsed)
    }
}

/// The check of one transaction's writes to one namespace.
///
/// A policy that was satisfied once for the transaction is not evaluated again, and where no write asked for any
/// other policy the chaincode's own must hold (FAB-9473).
pub(crate) struct NamespaceCheck<'c, 'a, S> {
    pub config: &'c ChannelConfig,
    pub rules: Rules,
    pub state: &'c S,
    /// Keys whose policy an earlier, endorsed transaction of this block changes.
    pub changed: &'c HashSet<StateKey<'a>>,
    /// Those of keys with long metadata that were looked up for the block.
    pub key_policies: &'c RefCell<KeyPolicies<'a>>,
    pub namespace: &'a str,
    pub definition: &'c Definition,
    /// Where the definition's collections stand.
    pub collections: &'c CollectionIndex,
    /// Those whose signature holds, each once.
    pub endorsers: &'c [Arc<Identity>],
}

#[derive(Default)]
struct Satisfied<'a> {
    any: bool,
    chaincode: bool,
    collections: HashSet<&'a str>,
    /// Keys with a policy of their own, by collection.
    keys: HashSet<(&'a str, &'a [u8])>,
}

impl<'a, S: StateReader> NamespaceCheck<'_, 'a, S> {
    /// Checks every write in Fabric's order: public values and metadata, then hashed values, then hashed metadata.
    pub(crate) fn check<'w>(&self, writes: impl Iterator<Item = &'w NsRwSet<'a>>) -> Result<(), Failure<S::Error>>
    where
        'a: 'w,
    {
        let mut satisfied = Satisfied::default();
        for (collection, key) in writes.flat_map(written_keys) {
            self.key(collection, key, &mut satisfied)?;
        }
        if !satisfied.any {
            self.chaincode_policy(&mut satisfied)?;
        }
        Ok(())
    }

    /// `checkSBAndCCEP`.
    fn key(&self, collection: &'a str, key: &'a [u8], satisfied: &mut Satisfied<'a>) -> Result<(), Failure<S::Error>> {
        if satisfied.keys.contains(&(collection, key)) {
            return Ok(());
        }
        let key = StateKey { namespace: self.namespace, collection, key };
        if self.changed.contains(&key) {
            return Err(unendorsed(key, "it was changed by an earlier transaction of the same block").into());
        }
        let outcome = self.key_policy(key).map_err(Failure::Broken)?;
        if outcome.map_err(|text| unendorsed(key, text))?.is_none() {
            return Ok(self.collection_policy(collection, satisfied)?);
        }
        satisfied.keys.insert((collection, key.key));
        satisfied.any = true;
        Ok(())
    }

    /// Whether the endorsers satisfy a key's own policy; none where it has none.
    fn key_policy(&self, key: StateKey<'a>) -> Result<Result<Option<()>, String>, S::Error> {
        let known = self.key_policies.borrow().get(key);
        if let Some(known) = known {
            return Ok(known.evaluate(self.endorsers));
        }
        let metadata = self.state.metadata(key)?;
        let find = |policy| policies::find(self.config, self.wrapped(policy));
        let policy = validation_parameter(&metadata).and_then(|policy| policy.map(find).transpose());
        if metadata.len() < LONG_METADATA_BYTES {
            return Ok(
                policy.and_then(|policy| policy.map(|policy| policies::hold(&policy, self.endorsers)).transpose())
            );
        }
        let policy = Arc::new(KeyPolicy::new(policy));
        self.key_policies.borrow_mut().remember(key, &policy, metadata.len());
        Ok(policy.evaluate(self.endorsers))
    }

    fn wrapped<'p>(&self, policy: &'p [u8]) -> PolicyRef<'p> {
        if self.rules.v2_0_validation { PolicyRef::WrappedSignature(policy) } else { PolicyRef::Signature(policy) }
    }

    /// `CheckCCEPIfNotChecked`.
    fn collection_policy(&self, collection: &'a str, satisfied: &mut Satisfied<'a>) -> Result<(), Unendorsed> {
        if collection.is_empty() {
            return self.chaincode_policy_once(satisfied);
        }
        if satisfied.collections.contains(collection) {
            return Ok(());
        }
        let guards = || format!("the policy of collection {collection:?}");
        let guard = self
            .definition
            .collection_guard(collection, self.collections)
            .map_err(|unusable| Unendorsed { guards: guards(), policy: unusable.0 })?;
        match guard.policy() {
            None => self.chaincode_policy_once(satisfied)?,
            Some(policy) => policies::evaluate(self.config, policy, self.endorsers)
                .map_err(|policy| Unendorsed { guards: guards(), policy })?,
        }
        satisfied.collections.insert(collection);
        satisfied.any = true;
        Ok(())
    }

    fn chaincode_policy_once(&self, satisfied: &mut Satisfied<'a>) -> Result<(), Unendorsed> {
        if satisfied.chaincode { Ok(()) } else { self.chaincode_policy(satisfied) }
    }

    fn chaincode_policy(&self, satisfied: &mut Satisfied<'a>) -> Result<(), Unendorsed> {
        policies::evaluate(self.config, self.definition.policy(self.rules), self.endorsers).map_err(|policy| {
            Unendorsed { guards: format!("the endorsement policy of chaincode {:?}", self.namespace), policy }
        })?;
        satisfied.chaincode = true;
        satisfied.any = true;
        Ok(())
    }
}

fn unendorsed(key: StateKey<'_>, policy: impl Into<String>) -> Unendorsed {
    let name = crate::verdict::KeyName::from(key);
    Unendorsed { guards: format!("the policy of key {:?}", name.key), policy: policy.into() }
}

/// Every written key as (collection, key), in the order in which Fabric checks them.
fn written_keys<'w, 'a>(writes: &'w NsRwSet<'a>) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'w, 'a> {
    let public = writes.public.writes.iter().map(|write| ("", write.key.as_bytes()));
    public
        .chain(writes.public.metadata_writes.iter().map(|write| ("", write.key.as_bytes())))
        .chain(writes.collections.iter().flat_map(|collection| {
            collection.hashed.hashed_writes.iter().map(|write| (collection.collection, write.key_hash))
        }))
        .chain(writes.collections.iter().flat_map(|collection| {
            collection.hashed.metadata_writes.iter().map(|write| (collection.collection, write.key_hash))
        }))
}

/// Every key whose metadata, and with it perhaps its policy, a transaction changes.
pub(crate) fn metadata_keys<'w, 'a>(writes: &'w NsRwSet<'a>) -> impl Iterator<Item = StateKey<'a>> + use<'w, 'a> {
    let namespace = writes.namespace;
    let public = writes.public.metadata_writes.iter().map(move |write| StateKey {
        namespace,
        collection: "",
        key: write.key.as_bytes(),
    });
    public.chain(writes.collections.iter().flat_map(move |collection| {
        collection.hashed.metadata_writes.iter().map(move |write| StateKey {
            namespace,
            collection: collection.collection,
            key: write.key_hash,
        })
    }))
}

/// The policy in a key's stored metadata (`statemetadata.Deserialize`); the last entry of a name counts.
fn validation_parameter(metadata: &[u8]) -> Result<Option<&[u8]>, String> {
    if metadata.is_empty() {
        return Ok(None);
    }
    let stored =
        KvMetadataWrite::decode(metadata).map_err(|error| format!("its metadata cannot be decoded: {error}"))?;
    let entry = stored.entries.iter().rfind(|entry| entry.name == VALIDATION_PARAMETER);
    Ok(entry.map(|entry| entry.value).filter(|policy| !policy.is_empty()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use std::borrow::Cow;
    use std::convert::Infallible;
    use std::ops::ControlFlow;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;

    use fastledger_mvcc::VersionedValue;
    use fastledger_vectors::Corpus;
    use fastledger_wire::rwset::{KvRwSet, KvWrite};
    use fastledger_wire::{Height, encode};

    use super::*;
    use crate::definitions::LifecycleDefinition;

    /// State in which every key of the public has one policy, and which counts how often it is asked.
    struct Guarded {
        metadata: Vec<u8>,
        asked: AtomicUsize,
    }

    impl StateReader for Guarded {
        type Error = Infallible;

        fn version(&self, _: StateKey<'_>) -> Result<Option<Height>, Infallible> {
            Ok(None)
        }

        fn get(&self, _: StateKey<'_>) -> Result<Option<VersionedValue<'static>>, Infallible> {
            Ok(None)
        }

        fn metadata(&self, key: StateKey<'_>) -> Result<Cow<'static, [u8]>, Infallible> {
            self.asked.fetch_add(1, Relaxed);
            Ok(if key.collection.is_empty() { Cow::Owned(self.metadata.clone()) } else { Cow::Borrowed(&[]) })
        }

        fn range(
            &self,
            _: &str,
            _: &[u8],
            _: &str,
            _: &mut dyn FnMut(&[u8], Height) -> ControlFlow<()>,
        ) -> Result<(), Infallible> {
            Ok(())
        }
    }

    fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode::present_field(&mut out, number, bytes);
        out
    }

    /// A `SignaturePolicyEnvelope` that nobody needs to sign for.
    fn nobody_needed() -> Vec<u8> {
        field(2, &field(2, &[]))
    }

    /// Calls with the check of a chaincode that has one collection without a policy of its own.
    fn with_check(state: &Guarded, run: impl FnOnce(&NamespaceCheck<'_, 'static, Guarded>)) {
        let corpus = Corpus::kept("fabric-3.1/small");
        let config = ChannelConfig::from_block(corpus.delivered_blocks()[0]).unwrap();
        let rules = Rules { v2_0_validation: true, ..Rules::default() };
        let collections = field(1, &field(1, &field(1, b"coll")));
        let definition = &Definition::Lifecycle(LifecycleDefinition {
            sequence: 1,
            version: "1".to_owned(),
            init_required: false,
            endorsement_plugin: "escc".to_owned(),
            validation_plugin: "vscc".to_owned(),
            validation_parameter: field(1, &nobody_needed()),
            collections,
        });
        let (changed, namespace) = (&HashSet::new(), "cc");
        let (key_policies, collections) = (&RefCell::default(), &CollectionIndex::default());
        run(&NamespaceCheck {
            config: &config,
            rules,
            state,
            changed,
            key_policies,
            namespace,
            definition,
            collections,
            endorsers: &[],
        });
    }

    #[test]
    fn a_key_with_a_policy_is_looked_up_once_however_often_it_is_written() {
        let entry = [field(1, VALIDATION_PARAMETER.as_bytes()), field(2, &nobody_needed())].concat();
        let state = Guarded { metadata: [field(1, b"k"), field(2, &entry)].concat(), asked: AtomicUsize::new(0) };
        let write = |key| KvWrite { key, is_delete: false, value: b"v" };
        let writes = [vec![write("k"); 500], vec![write("l")], vec![write("k"); 500]].concat();
        let public = KvRwSet { writes, ..KvRwSet::default() };
        with_check(&state, |check| {
            assert!(check.check([NsRwSet { namespace: "cc", public, collections: Vec::new() }].iter()).is_ok());
            assert_eq!(state.asked.load(Relaxed), 2);
        });
    }

    #[test]
    fn long_metadata_is_read_once_for_a_block() {
        let entry = [field(1, VALIDATION_PARAMETER.as_bytes()), field(2, &nobody_needed())].concat();
        for length in [LONG_METADATA_BYTES, 1] {
            let key = field(1, &vec![b'k'; length]);
            let state = Guarded { metadata: [key, field(2, &entry)].concat(), asked: AtomicUsize::new(0) };
            let write = KvWrite { key: "k", is_delete: false, value: b"v" };
            let public = KvRwSet { writes: vec![write], ..KvRwSet::default() };
            with_check(&state, |check| {
                for _ in 0..100 {
                    let writes = [NsRwSet { namespace: "cc", public: public.clone(), collections: Vec::new() }];
                    assert!(check.check(writes.iter()).is_ok());
                }
                assert_eq!(state.asked.load(Relaxed), if length == 1 { 100 } else { 1 });
            });
        }
    }

    #[test]
    fn a_collection_is_looked_up_once_also_where_the_chaincodes_policy_guards_it() {
        let state = Guarded { metadata: Vec::new(), asked: AtomicUsize::new(0) };
        with_check(&state, |check| {
            let mut satisfied = Satisfied::default();
            for _ in 0..3 {
                assert_eq!(check.collection_policy("coll", &mut satisfied), Ok(()));
                assert!(satisfied.chaincode && satisfied.collections.contains("coll"));
            }
        });
    }
}
