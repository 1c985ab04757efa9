// SPDX-License-Identifier: Apache-2.0
//! The verdict on each transaction of a block up to its endorsement policies, in block order.
//!
//! Two generations of Fabric's validator live here: that of channels with application capability `V2_0` or later
//! (`txvalidator/v20`) and that of earlier ones (`txvalidator/v14` with the built-in v1.2 and v1.3 plugins).

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use fastledger_identity::{ChannelConfig, Identity, Signers};
use fastledger_mvcc::{StateKey, StateReader};
use fastledger_wire::common::header_type;
use fastledger_wire::rwset::TxRwSet;
use fastledger_wire::{Message, TxValidationCode, msp};

use crate::checked::{Checked, SignatureCheck};
use crate::definitions::{CollectionIndex, Definition, LegacyDefinition, Unusable};
use crate::endorsement::{self, Failure, NamespaceCheck, Unendorsed};
use crate::explain::describe_endorsements;
use crate::invocation::Invocation;
use crate::key_policies::KeyPolicies;
use crate::lscc;
use crate::policies::{self, PolicyRef};
use crate::rules::Rules;
use crate::system_chaincodes::{LSCC, is_system_chaincode, never_invokable, never_written};
use crate::transaction::{Body, EndorserTransaction};
use crate::verdict::{Invalid, Reason};

/// What the ledger knows beside its state.
pub(crate) trait TxIdIndex {
    /// How looking up can break.
    type Error;

    /// Whether any earlier block holds a transaction of this id, valid or not.
    fn contains(&self, tx_id: &str) -> Result<bool, Self::Error>;
}

/// A transaction that passed everything but concurrency control.
#[derive(Debug)]
pub(crate) enum Accepted<'t, 'a> {
    /// A new configuration: an encoded `ConfigEnvelope`.
    Config(&'a [u8]),
    /// What an endorsed transaction reads and writes.
    Endorser(&'t EndorserTransaction<'a>, &'t TxRwSet<'a>),
    /// A channel that the system channel creates: an encoded envelope with its first configuration.
    ChannelCreation(&'a [u8]),
    /// Nothing that the ledger's state would show.
    ResourceUpdate,
}

/// How judging ends short of acceptance.
pub(crate) enum Stop<E> {
    /// With a verdict.
    Invalid(Invalid),
    /// Not at all: the world is broken.
    Broken(E),
}

impl<E> From<Invalid> for Stop<E> {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

/// A chaincode's definition as the block's transactions meet it.
struct Known {
    definition: Definition,
    collections: CollectionIndex,
}

/// Judges the transactions of one block, first to last.
pub(crate) struct Judge<'j, 'a, S> {
    config: &'j ChannelConfig,
    rules: Rules,
    state: &'j S,
    definitions: HashMap<&'a str, Arc<Result<Known, Unusable>>>,
    changed_policies: HashSet<StateKey<'a>>,
    key_policies: RefCell<KeyPolicies<'a>>,
}

impl<'j, 'a, S: StateReader> Judge<'j, 'a, S> {
    /// Begins a block; `state` is what was committed before it.
    pub(crate) fn new(config: &'j ChannelConfig, rules: Rules, state: &'j S) -> Self {
        Self {
            config,
            rules,
            state,
            definitions: HashMap::new(),
            changed_policies: HashSet::new(),
            key_policies: RefCell::default(),
        }
    }

    /// Judges the next transaction.
    pub(crate) fn judge<'t>(
        &mut self,
        checked: &'t Checked<'a>,
        index: &impl TxIdIndex<Error = S::Error>,
    ) -> Result<Accepted<'t, 'a>, Stop<S::Error>> {
        let signed = checked.entry.signed().map_err(Clone::clone)?;
        self.known_type(signed.channel_header.r#type)?;
        if let Err(text) = checked.creator() {
            return Err(Invalid::rule(TxValidationCode::BadCreatorSignature, &**text).into());
        }
        let tx = match signed.body.as_ref().map_err(Clone::clone)? {
            Body::Config(envelope) => return Ok(Accepted::Config(envelope)),
            Body::ChannelCreation(envelope) => {
                self.may_create_channels(checked)?;
                return Ok(Accepted::ChannelCreation(envelope));
            }
            Body::ResourceUpdate => return self.resource_update(),
            Body::Token => return Err(unsupported(TxValidationCode::UnknownTxType, "a FabToken transaction").into()),
            Body::Endorser(tx) => &**tx,
        };
        if index.contains(tx.tx_id).map_err(Stop::Broken)? {
            let text = format!("transaction {} stands in an earlier block", tx.tx_id);
            return Err(Invalid::rule(TxValidationCode::DuplicateTxid, text).into());
        }
        let invocation = Invocation::of(tx, self.rules)?;
        let result = if self.rules.v2_0_validation {
            self.v20(&invocation, checked)
        } else {
            self.v14(&invocation, tx, checked)
        };
        result.map_err(|failure| match failure {
            Stop::Invalid(mut invalid) => {
                describe_endorsements(&mut invalid, tx, checked.endorsements());
                Stop::Invalid(invalid)
            }
            broken @ Stop::Broken(_) => broken,
        })?;
        for namespace in &invocation.rwset.namespaces {
            self.changed_policies.extend(endorsement::metadata_keys(namespace));
        }
        Ok(Accepted::Endorser(tx, invocation.rwset))
    }

    /// Part of `validateChannelHeader`. Peers never see a system channel, where alone channels are created.
    fn known_type(&self, r#type: i32) -> Result<(), Invalid> {
        let creates_channel = r#type == header_type::ORDERER_TRANSACTION && self.config.consortiums().is_some();
        if creates_channel || self.rules.era.knows_type(r#type) {
            return Ok(());
        }
        let text = format!("header type {type} has no place in a block of this channel");
        Err(Invalid::rule(TxValidationCode::BadCommonHeader, text))
    }

    /// An orderer signs what it makes of a request, and asks itself whether it may write (`SigFilter`).
    fn may_create_channels(&self, checked: &Checked<'a>) -> Result<(), Invalid> {
        let creator: Vec<_> = checked.creator().into_iter().cloned().collect();
        let policies = ["/Channel/Writers", "/Channel/Orderer/Writers"];
        let mut writers = policies.into_iter().filter_map(|path| self.config.policy(path));
        if writers.any(|policy| policy.is_satisfied_by(&creator)) {
            return Ok(());
        }
        let text = "the creator satisfies neither /Channel/Writers nor /Channel/Orderer/Writers of the system channel";
        Err(Invalid::rule(TxValidationCode::BadCreatorSignature, text))
    }

    fn resource_update<'t>(&self) -> Result<Accepted<'t, 'a>, Stop<S::Error>> {
        let capabilities = self.config.application().map(|application| application.capabilities).unwrap_or_default();
        if capabilities.resources_tree {
            return Ok(Accepted::ResourceUpdate);
        }
        Err(unsupported(TxValidationCode::UnsupportedTxPayload, "an update of the peers' resources").into())
    }

    fn v20(&mut self, invocation: &Invocation<'_, 'a>, checked: &Checked<'a>) -> Result<(), Stop<S::Error>> {
        let endorsers = checked.endorsers();
        for namespace in &invocation.namespaces {
            let definition = self.definition(namespace)?;
            let definition = definition
                .as_ref()
                .as_ref()
                .map_err(|unusable| Invalid::rule(TxValidationCode::InvalidChaincode, unusable.0.clone()))?;
            self.by_key(invocation, namespace, definition, endorsers.as_slice())?;
        }
        Ok(())
    }

    fn v14(
        &mut self,
        invocation: &Invocation<'_, 'a>,
        tx: &EndorserTransaction<'a>,
        checked: &Checked<'a>,
    ) -> Result<(), Stop<S::Error>> {
        if is_system_chaincode(invocation.chaincode) {
            return self.system_chaincode(invocation, tx, checked);
        }
        only_own_writes(invocation)?;
        for namespace in &invocation.namespaces {
            let definition = self.definition(namespace)?;
            let definition = definition
                .as_ref()
                .as_ref()
                .map_err(|unusable| Invalid::rule(TxValidationCode::InvalidOtherReason, unusable.0.clone()))?;
            if *namespace == invocation.chaincode
                && let Definition::Legacy(LegacyDefinition { version, .. }) = &definition.definition
                && version != invocation.version
            {
                let text = format!(
                    "version {:?} of chaincode {namespace:?} was endorsed, but version {version:?} is in force",
                    invocation.version
                );
                return Err(Invalid::rule(TxValidationCode::ExpiredChaincode, text).into());
            }
            self.built_in_plugin(invocation, namespace, definition, tx, checked)?;
        }
        Ok(())
    }

    fn system_chaincode(
        &mut self,
        invocation: &Invocation<'_, 'a>,
        tx: &EndorserTransaction<'a>,
        checked: &Checked<'a>,
    ) -> Result<(), Stop<S::Error>> {
        let name = invocation.chaincode;
        if !self.rules.era.knows_all_system_chaincodes() && name != LSCC && !never_invokable(name) {
            let text = format!("system chaincode {name:?} is not defined on this channel");
            return Err(Invalid::rule(TxValidationCode::InvalidOtherReason, text).into());
        }
        if never_invokable(name) {
            let text = format!("system chaincode {name:?} cannot be invoked");
            return Err(Invalid::rule(TxValidationCode::IllegalWriteset, text).into());
        }
        let known = Known { definition: Definition::SystemChaincode, collections: CollectionIndex::default() };
        self.built_in_plugin(invocation, name, &known, tx, checked)
    }

    /// The built-in validation plugin of 1.3, or that of 1.2 before.
    fn built_in_plugin(
        &mut self,
        invocation: &Invocation<'_, 'a>,
        namespace: &'a str,
        known: &Known,
        tx: &EndorserTransaction<'a>,
        checked: &Checked<'a>,
    ) -> Result<(), Stop<S::Error>> {
        if self.rules.v1_3_validation {
            self.by_key(invocation, namespace, known, checked.endorsers().as_slice())?;
        } else {
            self.by_chaincode(namespace, &known.definition, tx, checked)?;
        }
        if namespace == LSCC { self.lscc_invocation(tx, checked) } else { Ok(()) }
    }

    fn by_key(
        &self,
        invocation: &Invocation<'_, 'a>,
        namespace: &'a str,
        Known { definition, collections }: &Known,
        endorsers: &[Arc<Identity>],
    ) -> Result<(), Stop<S::Error>> {
        let check = NamespaceCheck {
            config: self.config,
            rules: self.rules,
            state: self.state,
            changed: &self.changed_policies,
            key_policies: &self.key_policies,
            namespace,
            definition,
            collections,
            endorsers,
        };
        let writes = invocation.rwset.namespaces.iter().filter(|writes| writes.namespace == namespace);
        check.check(writes).map_err(|failure| match failure {
            Failure::Unendorsed(unendorsed) => Stop::Invalid(policy_failure(namespace, unendorsed)),
            Failure::Broken(error) => Stop::Broken(error),
        })
    }

    fn by_chaincode(
        &self,
        namespace: &str,
        definition: &Definition,
        tx: &EndorserTransaction<'a>,
        checked: &Checked<'a>,
    ) -> Result<(), Invalid> {
        let guards = format!("the endorsement policy of chaincode {namespace:?}");
        let endorsers = first_endorsers(tx, checked.endorsements())
            .map_err(|policy| policy_failure(namespace, Unendorsed { guards: guards.clone(), policy }))?;
        policies::evaluate(self.config, definition.policy(self.rules), endorsers.as_slice())
            .map_err(|policy| policy_failure(namespace, Unendorsed { guards, policy }))
    }

    fn lscc_invocation(&self, tx: &EndorserTransaction<'a>, checked: &Checked<'a>) -> Result<(), Stop<S::Error>> {
        let lookup = LsccLookup { state: self.state, config: self.config, creator: checked.creator().ok() };
        lscc::validate_invocation(tx, self.rules, &lookup).map_err(|failure| match failure {
            lscc::Failure::Policy(text) => {
                Stop::Invalid(Invalid::rule(TxValidationCode::EndorsementPolicyFailure, text))
            }
            lscc::Failure::Broken(error) => Stop::Broken(error),
        })
    }

    fn definition(&mut self, name: &'a str) -> Result<Arc<Result<Known, Unusable>>, Stop<S::Error>> {
        if let Some(known) = self.definitions.get(name) {
            return Ok(Arc::clone(known));
        }
        let found = Definition::in_force(self.state, name, self.rules);
        let found = found.map_err(Stop::Broken)?;
        let found = Arc::new(found.map(|definition| Known { definition, collections: CollectionIndex::default() }));
        self.definitions.insert(name, Arc::clone(&found));
        Ok(found)
    }
}

/// A 1.x chaincode may write to LSCC's namespace as little as to that of a system chaincode it cannot call.
fn only_own_writes(invocation: &Invocation<'_, '_>) -> Result<(), Invalid> {
    let foreign = invocation.namespaces.iter().find(|namespace| **namespace == LSCC || never_written(namespace));
    match foreign {
        Some(namespace) => {
            let text = format!("chaincode {:?} writes to {namespace:?}", invocation.chaincode);
            Err(Invalid::rule(TxValidationCode::IllegalWriteset, text))
        }
        None => Ok(()),
    }
}

fn unsupported(code: TxValidationCode, what: &str) -> Invalid {
    Invalid::rule(code, format!("{what}, which no channel takes"))
}

fn policy_failure(namespace: &str, unendorsed: Unendorsed) -> Invalid {
    Invalid {
        code: TxValidationCode::EndorsementPolicyFailure,
        reason: Arc::new(Reason::Policy {
            namespace: namespace.to_owned(),
            guards: unendorsed.guards,
            policy: unendorsed.policy,
            endorsements: Vec::new(),
        }),
    }
}

/// The signature set of the 1.2 plugin: of each identity only the first endorsement counts, even where its signature
/// is bad and a later one's is good, and one that cannot be decoded spoils them all (`deduplicateIdentity`).
fn first_endorsers(tx: &EndorserTransaction<'_>, endorsements: &[SignatureCheck]) -> Result<Signers, String> {
    let mut seen = HashSet::new();
    let mut endorsers = Signers::default();
    for (endorsement, check) in tx.endorsements.iter().zip(endorsements) {
        let identity = msp::SerializedIdentity::decode(endorsement.endorser)
            .map_err(|error| format!("an endorser's identity cannot be decoded: {error}"))?;
        if seen.insert((identity.mspid, identity.id_bytes))
            && let Ok(endorser) = check
        {
            endorsers.add(Arc::clone(endorser));
        }
    }
    Ok(endorsers)
}

struct LsccLookup<'l, S> {
    state: &'l S,
    config: &'l ChannelConfig,
    creator: Option<&'l Arc<Identity>>,
}

impl<S: StateReader> lscc::Lookup for LsccLookup<'_, S> {
    type Error = S::Error;

    fn lscc_state(&self, key: &str) -> Result<Option<Vec<u8>>, S::Error> {
        let key = StateKey { namespace: LSCC, collection: "", key: key.as_bytes() };
        Ok(self.state.get(key)?.map(|found| found.value.into_owned()))
    }

    fn creator_satisfies(&self, policy: &[u8]) -> Result<(), String> {
        let creator: Vec<_> = self.creator.into_iter().cloned().collect();
        policies::evaluate(self.config, PolicyRef::Signature(policy), &creator)
    }
}
