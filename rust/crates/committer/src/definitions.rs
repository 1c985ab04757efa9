// SPDX-License-Identifier: Apache-2.0
//! Chaincode definitions as committed state has them, of both lifecycles.
//!
//! A definition takes effect from the block after the one that wrote it, so all of a block is judged by the
//! state before it. State that a definition cannot be read from halts a real peer; because no transaction may
//! stop a channel, here it makes invalid the transactions that need it (see [`Unusable`]).

use fastledger_mvcc::{StateKey, StateReader, UpdateBatch};
use fastledger_wire::lifecycle::{
    ChaincodeData, ChaincodeEndorsementInfo, ChaincodeValidationInfo, StateData, StateMetadata,
};
use fastledger_wire::peer::{CollectionConfig, CollectionConfigPackage};
use fastledger_wire::policies::ApplicationPolicy;
use fastledger_wire::{DecodeError, Message};

use crate::policies::PolicyRef;
use crate::rules::Rules;
use crate::system_chaincodes::{LIFECYCLE, LSCC};

/// The only validation plugin there is.
const BUILT_IN_PLUGIN: &str = "vscc";
/// `implicitcollection.prefix`.
const IMPLICIT_COLLECTION_PREFIX: &str = "_implicit_org_";

/// Public state, before a block or after it.
pub(crate) trait PublicState {
    /// How reading can break.
    type Error;

    /// A public key's value.
    fn value(&self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>, Self::Error>;
}

impl<S: StateReader> PublicState for S {
    type Error = S::Error;

    fn value(&self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>, S::Error> {
        let key = StateKey { namespace, collection: "", key: key.as_bytes() };
        Ok(self.get(key)?.map(|found| found.value.into_owned()))
    }
}

/// Committed state with a block's changes on top.
pub(crate) struct StateAfter<'s, 'a, S> {
    pub state: &'s S,
    pub batch: &'s UpdateBatch<'a>,
}

impl<S: StateReader> PublicState for StateAfter<'_, '_, S> {
    type Error = S::Error;

    fn value(&self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>, S::Error> {
        let wanted = StateKey { namespace, collection: "", key: key.as_bytes() };
        match self.batch.updates.binary_search_by(|update| update.key.cmp(&wanted)) {
            Ok(found) => Ok(self.batch.updates[found].state.as_ref().map(|(value, _)| value.to_vec())),
            Err(_) => self.state.value(namespace, key),
        }
    }
}

/// Why a namespace has no usable definition; the text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unusable(pub String);

/// What the state says about one chaincode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Definition {
    /// Defined by `_lifecycle`.
    Lifecycle {
        /// Encoded `ApplicationPolicy`.
        policy: Vec<u8>,
        /// Encoded `CollectionConfigPackage`, empty for none.
        collections: Vec<u8>,
    },
    /// Instantiated through LSCC.
    Legacy {
        /// Version that transactions must carry on channels with 1.x capabilities.
        version: String,
        /// Encoded `SignaturePolicyEnvelope`.
        policy: Vec<u8>,
    },
    /// The lifecycle's own namespace, whose policy stands in the channel's configuration.
    LifecycleItself,
    /// A system chaincode of 1.x, which no state defines.
    SystemChaincode,
}

/// Whose endorsement policy guards a collection of a chaincode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CollectionGuard<'d> {
    /// No policy of its own, so the chaincode's.
    Chaincode,
    /// The collection's.
    Own(ApplicationPolicy<'d>),
    /// The organization of an implicit collection, by MSP id.
    Organization(&'d str),
}

impl Definition {
    /// The definition in force for `name` where transactions follow 2.x rules (`ValidationInfoRetrieveShim`).
    pub(crate) fn find<S: PublicState>(state: &S, name: &str) -> Result<Result<Self, Unusable>, S::Error> {
        if name == LIFECYCLE {
            return Ok(Ok(Self::LifecycleItself));
        }
        match Fields::find(state, name)? {
            Err(unusable) => Ok(Err(unusable)),
            Ok(Some(fields)) => match fields.definition() {
                Ok(Some(definition)) => Ok(Ok(definition)),
                Ok(None) => Self::find_legacy(state, name),
                Err(unusable) => Ok(Err(unusable)),
            },
            Ok(None) => Self::find_legacy(state, name),
        }
    }

    /// What LSCC's state says about `name`.
    pub(crate) fn find_legacy<S: PublicState>(state: &S, name: &str) -> Result<Result<Self, Unusable>, S::Error> {
        let Some(stored) = state.value(LSCC, name)? else {
            return Ok(Err(Unusable(format!("chaincode {name:?} is not defined on this channel"))));
        };
        Ok(legacy_definition(name, &stored))
    }

    /// The chaincode's endorsement policy.
    pub(crate) fn policy(&self, rules: Rules) -> PolicyRef<'_> {
        match self {
            Self::Lifecycle { policy, .. } => PolicyRef::Application(policy),
            // 2.x rules wrap it into an ApplicationPolicy, and so lose sight of its version.
            Self::Legacy { policy, .. } if rules.v2_0_validation => PolicyRef::WrappedSignature(policy),
            Self::Legacy { policy, .. } => PolicyRef::Signature(policy),
            Self::LifecycleItself => PolicyRef::LifecycleEndorsement,
            Self::SystemChaincode => PolicyRef::AnyMember,
        }
    }

    /// Whose policy guards `collection` (`CollectionValidationInfo`).
    pub(crate) fn collection_guard<'d>(&'d self, collection: &'d str) -> Result<CollectionGuard<'d>, Unusable> {
        let collections = match self {
            // The 1.x lifecycle knows no policies of collections.
            Self::Legacy { .. } | Self::SystemChaincode => return Ok(CollectionGuard::Chaincode),
            Self::LifecycleItself => &[],
            Self::Lifecycle { collections, .. } => collections.as_slice(),
        };
        if let Some(msp_id) = collection.strip_prefix(IMPLICIT_COLLECTION_PREFIX) {
            return Ok(CollectionGuard::Organization(msp_id));
        }
        let package = CollectionConfigPackage::decode(collections)
            .map_err(|error| Unusable(format!("the chaincode's collections cannot be decoded: {error}")))?;
        for config in package.config {
            if let CollectionConfig::Static(config) = config
                && config.name == collection
            {
                // An empty policy counts as none: it has no bytes.
                return Ok(match config.endorsement_policy {
                    None | Some(ApplicationPolicy::Unset) => CollectionGuard::Chaincode,
                    Some(policy) => CollectionGuard::Own(policy),
                });
            }
        }
        Err(Unusable(format!("collection {collection:?} is not defined")))
    }
}

fn legacy_definition(name: &str, stored: &[u8]) -> Result<Definition, Unusable> {
    let data = ChaincodeData::decode(stored)
        .map_err(|error| Unusable(format!("LSCC's record of chaincode {name:?} cannot be decoded: {error}")))?;
    usable_plugin(name, data.vscc, data.policy)?;
    Ok(Definition::Legacy { version: data.version.to_owned(), policy: data.policy.to_vec() })
}

fn usable_plugin(name: &str, plugin: &str, policy: &[u8]) -> Result<(), Unusable> {
    match (plugin, policy) {
        ("", _) => Err(Unusable(format!("the definition of chaincode {name:?} names no validation plugin"))),
        (_, []) => Err(Unusable(format!("the definition of chaincode {name:?} has no endorsement policy"))),
        (BUILT_IN_PLUGIN, _) => Ok(()),
        _ => Err(Unusable(format!("chaincode {name:?} is validated by plugin {plugin:?}, which does not exist here"))),
    }
}

/// The stored fields of a `lifecycle.ChaincodeDefinition`, each an encoded `StateData` (`lifecycle.Serializer`).
struct Fields<'n> {
    name: &'n str,
    sequence: Vec<u8>,
    endorsement_info: Vec<u8>,
    validation_info: Vec<u8>,
    collections: Vec<u8>,
}

impl<'n> Fields<'n> {
    fn find<S: PublicState>(state: &S, name: &'n str) -> Result<Result<Option<Self>, Unusable>, S::Error> {
        let read = |key: String| state.value(LIFECYCLE, &key);
        let Some(metadata) = read(format!("namespaces/metadata/{name}"))? else { return Ok(Ok(None)) };
        match StateMetadata::decode(&metadata) {
            Err(error) => return Ok(Err(undecodable(name, "metadata", error))),
            Ok(metadata) if metadata.datatype != "ChaincodeDefinition" => {
                return Ok(Err(Unusable(format!("{name:?} is not a chaincode but a {:?}", metadata.datatype))));
            }
            Ok(_) => {}
        }
        let field = |field: &str| read(format!("namespaces/fields/{name}/{field}")).map(Option::unwrap_or_default);
        Ok(Ok(Some(Self {
            name,
            sequence: field("Sequence")?,
            endorsement_info: field("EndorsementInfo")?,
            validation_info: field("ValidationInfo")?,
            collections: field("Collections")?,
        })))
    }

    /// Every field must be readable, also those that validation does not use (`Serializer.Deserialize`).
    ///
    /// A definition without plugin and policy is none: Fabric then asks the other lifecycle.
    fn definition(&self) -> Result<Option<Definition>, Unusable> {
        match StateData::decode(&self.sequence) {
            Ok(StateData::Int64(_) | StateData::Unset) => {}
            Ok(_) => return Err(self.mistyped("Sequence")),
            Err(error) => return Err(undecodable(self.name, "Sequence", error)),
        }
        let endorsement_info = self.bytes("EndorsementInfo", &self.endorsement_info)?;
        ChaincodeEndorsementInfo::decode(endorsement_info)
            .map_err(|error| undecodable(self.name, "EndorsementInfo", error))?;
        let validation_info = self.bytes("ValidationInfo", &self.validation_info)?;
        let validation = ChaincodeValidationInfo::decode(validation_info)
            .map_err(|error| undecodable(self.name, "ValidationInfo", error))?;
        let collections = self.bytes("Collections", &self.collections)?;
        CollectionConfigPackage::decode(collections).map_err(|error| undecodable(self.name, "Collections", error))?;
        if validation == ChaincodeValidationInfo::default() {
            return Ok(None);
        }
        usable_plugin(self.name, validation.validation_plugin, validation.validation_parameter)?;
        let policy = validation.validation_parameter.to_vec();
        Ok(Some(Definition::Lifecycle { policy, collections: collections.to_vec() }))
    }

    fn bytes<'f>(&self, field: &str, stored: &'f [u8]) -> Result<&'f [u8], Unusable> {
        match StateData::decode(stored) {
            Ok(StateData::Bytes(bytes)) => Ok(bytes),
            Ok(StateData::Unset) => Ok(&[]),
            Ok(_) => Err(self.mistyped(field)),
            Err(error) => Err(undecodable(self.name, field, error)),
        }
    }

    fn mistyped(&self, field: &str) -> Unusable {
        Unusable(format!("field {field} of chaincode {:?} is of another type in state", self.name))
    }
}

fn undecodable(name: &str, what: &str, error: DecodeError) -> Unusable {
    Unusable(format!("{what} of chaincode {name:?} cannot be decoded: {error}"))
}
