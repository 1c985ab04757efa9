// SPDX-License-Identifier: Apache-2.0
//! Chaincode definitions as committed state has them, of both lifecycles.
//!
//! A definition takes effect from the block after the one that wrote it, so all of a block is judged by the
//! state before it. State that a definition cannot be read from halts a real peer; because no transaction may
//! stop a channel, here it makes invalid the transactions that need it (see [`Unusable`]).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use fastledger_mvcc::{StateKey, StateReader, UpdateBatch};
use fastledger_wire::lifecycle::{
    ChaincodeData, ChaincodeEndorsementInfo, ChaincodeValidationInfo, StateData, StateMetadata,
};
use fastledger_wire::peer::{CollectionConfig, CollectionConfigPackage};
use fastledger_wire::policies::ApplicationPolicy;
use fastledger_wire::protobuf::{Reader, Value, with_stack_for};
use fastledger_wire::{DecodeError, Message};

use crate::policies::PolicyRef;
use crate::rules::Rules;
use crate::system_chaincodes::{LIFECYCLE, LSCC, is_system_chaincode, lscc_collections_key};

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
pub struct Unusable(pub String);

/// A chaincode that the channel agreed on through `_lifecycle` (`lifecycle.ChaincodeDefinition`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleDefinition {
    /// How many definitions the chaincode has had.
    pub sequence: i64,
    /// Chosen by those who approve.
    pub version: String,
    /// Whether a transaction must initialize the chaincode before any other.
    pub init_required: bool,
    /// Name of the plugin that endorses.
    pub endorsement_plugin: String,
    /// Name of the plugin that validates.
    pub validation_plugin: String,
    /// Encoded `protos.ApplicationPolicy`.
    pub validation_parameter: Vec<u8>,
    /// Encoded `protos.CollectionConfigPackage` of the explicit collections, empty for none.
    pub collections: Vec<u8>,
}

/// A chaincode that was instantiated through LSCC (`ccprovider.ChaincodeData`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyDefinition {
    /// Version that transactions must carry on channels with 1.x capabilities.
    pub version: String,
    /// Name of the plugin that endorses.
    pub escc: String,
    /// Name of the plugin that validates.
    pub vscc: String,
    /// Encoded `common.SignaturePolicyEnvelope`.
    pub policy: Vec<u8>,
    /// The id of the package that was instantiated.
    pub id: Vec<u8>,
    /// Encoded `protos.CollectionConfigPackage`, empty for none.
    pub collections: Vec<u8>,
}

/// How the channel defines a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// By `_lifecycle`.
    Lifecycle(LifecycleDefinition),
    /// By LSCC.
    Legacy(LegacyDefinition),
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

impl CollectionGuard<'_> {
    /// The policy, none where it is the chaincode's.
    pub(crate) fn policy(&self) -> Option<PolicyRef<'_>> {
        match self {
            Self::Chaincode => None,
            Self::Own(policy) => Some(PolicyRef::Decoded(policy)),
            Self::Organization(msp_id) => Some(PolicyRef::Organization(msp_id)),
        }
    }
}

impl Definition {
    /// The definition by which a channel of these rules judges what was written under `name`.
    pub(crate) fn in_force<S: PublicState>(
        state: &S,
        name: &str,
        rules: Rules,
    ) -> Result<Result<Self, Unusable>, S::Error> {
        if !rules.v2_0_validation && is_system_chaincode(name) && rules.era.knows_all_system_chaincodes() {
            return Ok(Ok(Self::SystemChaincode));
        }
        if rules.v2_0_validation && name == LIFECYCLE {
            return Ok(Ok(Self::LifecycleItself));
        }
        let found = if rules.v2_0_validation { Self::find(state, name)? } else { Self::find_legacy(state, name)? };
        let undefined = || Unusable(format!("chaincode {name:?} is not defined on this channel"));
        Ok(found.and_then(|found| found.ok_or_else(undefined)?.usable(name)))
    }

    /// What the state says of a chaincode, by whichever lifecycle (`ValidationInfoRetrieveShim`); none where neither
    /// knows it.
    ///
    /// A definition without plugin and policy is none: Fabric then asks the other lifecycle.
    pub(crate) fn find<S: PublicState>(state: &S, name: &str) -> Result<Result<Option<Self>, Unusable>, S::Error> {
        let fields = match Fields::find(state, name)? {
            Err(unusable) => return Ok(Err(unusable)),
            Ok(None) => return Self::find_legacy(state, name),
            Ok(Some(fields)) => fields,
        };
        match fields.definition() {
            Err(unusable) => Ok(Err(unusable)),
            Ok(found) if found.validation_plugin.is_empty() && found.validation_parameter.is_empty() => {
                Self::find_legacy(state, name)
            }
            Ok(found) => Ok(Ok(Some(Self::Lifecycle(found)))),
        }
    }

    /// What LSCC's table says of a chaincode.
    pub(crate) fn find_legacy<S: PublicState>(
        state: &S,
        name: &str,
    ) -> Result<Result<Option<Self>, Unusable>, S::Error> {
        let Some(stored) = state.value(LSCC, name)? else { return Ok(Ok(None)) };
        let data = match ChaincodeData::decode(&stored) {
            Ok(data) => data,
            Err(error) => {
                let text = format!("LSCC's record of chaincode {name:?} cannot be decoded: {error}");
                return Ok(Err(Unusable(text)));
            }
        };
        Ok(Ok(Some(Self::Legacy(LegacyDefinition {
            version: data.version.to_owned(),
            escc: data.escc.to_owned(),
            vscc: data.vscc.to_owned(),
            policy: data.policy.to_vec(),
            id: data.id.to_vec(),
            collections: state.value(LSCC, &lscc_collections_key(name))?.unwrap_or_default(),
        }))))
    }

    /// Whether transactions can be judged by it: the plugin must exist and have a policy.
    fn usable(self, name: &str) -> Result<Self, Unusable> {
        let (plugin, policy) = match &self {
            Self::Lifecycle(found) => (&found.validation_plugin, &found.validation_parameter),
            Self::Legacy(found) => (&found.vscc, &found.policy),
            Self::LifecycleItself | Self::SystemChaincode => return Ok(self),
        };
        match (plugin.as_str(), policy.as_slice()) {
            ("", _) => Err(Unusable(format!("the definition of chaincode {name:?} names no validation plugin"))),
            (_, []) => Err(Unusable(format!("the definition of chaincode {name:?} has no endorsement policy"))),
            (BUILT_IN_PLUGIN, _) => Ok(self),
            _ => Err(Unusable(format!(
                "chaincode {name:?} is validated by plugin {plugin:?}, which does not exist here"
            ))),
        }
    }

    /// The chaincode's endorsement policy.
    pub(crate) fn policy(&self, rules: Rules) -> PolicyRef<'_> {
        match self {
            Self::Lifecycle(found) => PolicyRef::Application(&found.validation_parameter),
            // 2.x rules wrap it into an ApplicationPolicy, and so lose sight of its version.
            Self::Legacy(found) if rules.v2_0_validation => PolicyRef::WrappedSignature(&found.policy),
            Self::Legacy(found) => PolicyRef::Signature(&found.policy),
            Self::LifecycleItself => PolicyRef::LifecycleEndorsement,
            Self::SystemChaincode => PolicyRef::AnyMember,
        }
    }

    /// Whose policy guards `collection` (`CollectionValidationInfo`); `index` is this definition's.
    pub(crate) fn collection_guard<'d>(
        &'d self,
        collection: &'d str,
        index: &CollectionIndex,
    ) -> Result<CollectionGuard<'d>, Unusable> {
        let collections = match self {
            // The 1.x lifecycle knows no policies of collections.
            Self::Legacy(_) | Self::SystemChaincode => return Ok(CollectionGuard::Chaincode),
            Self::LifecycleItself => &[],
            Self::Lifecycle(found) => found.collections.as_slice(),
        };
        if let Some(msp_id) = collection.strip_prefix(IMPLICIT_COLLECTION_PREFIX) {
            return Ok(CollectionGuard::Organization(msp_id));
        }
        let undecodable =
            |error: DecodeError| Unusable(format!("the chaincode's collections cannot be decoded: {error}"));
        let places = index.0.get_or_init(|| places(collections)).as_ref().map_err(|error| undecodable(*error))?;
        let place = places.get(collection).cloned();
        let place = place.ok_or_else(|| Unusable(format!("collection {collection:?} is not defined")))?;
        // An empty policy counts as none: it has no bytes.
        match decode_config(&collections[place]).map_err(undecodable)? {
            CollectionConfig::Static(config) => Ok(match config.endorsement_policy {
                None | Some(ApplicationPolicy::Unset) => CollectionGuard::Chaincode,
                Some(policy) => CollectionGuard::Own(policy),
            }),
            CollectionConfig::Unset => Ok(CollectionGuard::Chaincode),
        }
    }
}

/// Where the collections stand in a definition, found when first asked for: a block may write to as many as there are.
#[derive(Debug, Default)]
pub(crate) struct CollectionIndex(OnceLock<Result<Places, DecodeError>>);

/// Where each collection's configuration stands in an encoded `CollectionConfigPackage`, the first of a name.
type Places = HashMap<Box<str>, Range<usize>>;

/// Decodes one configuration of a package, of which it is the first level of nesting.
fn decode_config(config: &[u8]) -> Result<CollectionConfig<'_>, DecodeError> {
    let mut decoded = CollectionConfig::default();
    decoded.merge(config, 1)?;
    Ok(decoded)
}

fn places(package: &[u8]) -> Result<Places, DecodeError> {
    let mut places = Places::new();
    let mut reader = Reader::new(package);
    while let Some((number, value)) = reader.field()? {
        let (1, Value::Bytes(config)) = (number, value) else { continue };
        if let CollectionConfig::Static(decoded) = decode_config(config)? {
            let end = package.len() - reader.rest().len();
            places.entry(decoded.name.into()).or_insert(end - config.len()..end);
        }
    }
    Ok(places)
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
    fn definition(&self) -> Result<LifecycleDefinition, Unusable> {
        let sequence = match StateData::decode(&self.sequence) {
            Ok(StateData::Int64(sequence)) => sequence,
            Ok(StateData::Unset) => 0,
            Ok(_) => return Err(self.mistyped("Sequence")),
            Err(error) => return Err(undecodable(self.name, "Sequence", error)),
        };
        let endorsement = self.bytes("EndorsementInfo", &self.endorsement_info)?;
        let endorsement = ChaincodeEndorsementInfo::decode(endorsement)
            .map_err(|error| undecodable(self.name, "EndorsementInfo", error))?;
        let validation = self.bytes("ValidationInfo", &self.validation_info)?;
        let validation = ChaincodeValidationInfo::decode(validation)
            .map_err(|error| undecodable(self.name, "ValidationInfo", error))?;
        let collections = self.bytes("Collections", &self.collections)?;
        with_stack_for(collections.len(), || CollectionConfigPackage::decode(collections).map(drop))
            .map_err(|error| undecodable(self.name, "Collections", error))?;
        Ok(LifecycleDefinition {
            sequence,
            version: endorsement.version.to_owned(),
            init_required: endorsement.init_required,
            endorsement_plugin: endorsement.endorsement_plugin.to_owned(),
            validation_plugin: validation.validation_plugin.to_owned(),
            validation_parameter: validation.validation_parameter.to_vec(),
            collections: collections.to_vec(),
        })
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
