// SPDX-License-Identifier: Apache-2.0
//! What a channel with 1.x capabilities asks of LSCC's invocations: only `deploy` and `upgrade` may be committed, and
//! they may write only what their arguments say.
//!
//! Fabric checks this after the endorsement policy of `lscc` held (`ValidateLSCCInvocation` of `builtin/v12` and
//! `builtin/v13`, which decide alike). Three capabilities matter: with `PrivateChannelData` a deployment may bring
//! collections; with `V1_2Validation` an upgrade may too, and their configuration is checked; with `V1_1Validation` an
//! upgrade must also satisfy the instantiation policy that it brings.
//!
//! Two findings stop a real peer instead of the transaction: committed state that does not decode, and a collection
//! without a member policy. Transactions cause both, so here they fail the one that meets them.

mod collections;
#[cfg(test)]
mod tests;

use fastledger_wire::Message;
use fastledger_wire::lifecycle::ChaincodeData;
use fastledger_wire::peer::{
    ChaincodeDeploymentSpec, ChaincodeInvocationSpec, ChaincodeProposalPayload, CollectionConfigPackage,
};
use fastledger_wire::rwset::{KvWrite, TxRwSet};

use crate::rules::Rules;
use crate::system_chaincodes::{LSCC, is_system_chaincode, lscc_collections_key};
use crate::transaction::EndorserTransaction;

/// Arguments after the function: channel and deployment spec must be there, endorsement policy, escc and vscc may be.
const MIN_ARGUMENTS: usize = 2;
const MAX_ARGUMENTS: usize = 5;
/// Position of the collections' configuration, one more argument where the channel knows private data.
const COLLECTIONS_ARGUMENT: usize = MAX_ARGUMENTS;

/// `protos.ChaincodeSpec.Type`.
mod chaincode_type {
    pub(super) const GOLANG: i32 = 1;
    pub(super) const NODE: i32 = 2;
    pub(super) const CAR: i32 = 3;
    pub(super) const JAVA: i32 = 4;
}

/// What the checks ask of the world.
pub(crate) trait Lookup {
    /// Why state could not be read.
    type Error;

    /// The value of a key of namespace `lscc` as committed before this block.
    fn lscc_state(&self, key: &str) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Whether the transaction's creator, whose signature holds, satisfies an encoded `SignaturePolicyEnvelope`;
    /// if not, why. A policy that cannot be decoded or evaluated is not satisfied.
    fn creator_satisfies(&self, policy: &[u8]) -> Result<(), String>;
}

/// Why an invocation was not found valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure<E> {
    /// It is invalid: `ENDORSEMENT_POLICY_FAILURE`, for this reason.
    Policy(String),
    /// State could not be read, so nothing is known.
    Broken(E),
}

impl<E> From<String> for Failure<E> {
    fn from(reason: String) -> Self {
        Self::Policy(reason)
    }
}

/// The chaincode that a transaction upgrades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upgrade<'a> {
    /// Chaincode name.
    pub(crate) name: &'a str,
    /// The version that it will have.
    pub(crate) version: &'a str,
}

/// Decides an invocation of LSCC whose endorsements suffice (`ValidateLSCCInvocation`).
pub(crate) fn validate_invocation<L: Lookup>(
    transaction: &EndorserTransaction<'_>,
    rules: Rules,
    lookup: &L,
) -> Result<(), Failure<L::Error>> {
    let arguments = arguments(transaction.proposal_payload)?;
    let invocation = Invocation::new(&arguments, rules)?;
    let rwset = transaction.rwset.as_ref().map_err(|error| format!("the read-write set does not decode: {error}"))?;
    let committed = lookup.lscc_state(invocation.name).map_err(Failure::Broken)?;
    let committed =
        committed.as_deref().map(ChaincodeData::decode).transpose().map_err(|error| {
            format!("the committed record of chaincode {} does not decode: {error}", invocation.name)
        })?;
    let (writes, written) = written_record(rwset, &invocation)?;
    let check = Check { invocation, writes, written, rules, lookup };
    match check.invocation.function {
        Function::Deploy => check.deploy(committed.as_ref()),
        Function::Upgrade => check.upgrade(committed.as_ref()),
    }
}

/// The chaincode that a valid transaction upgrades (`getUpgradeTxInstance` of `txvalidator/v14`), so that in its block
/// every other transaction of that chaincode is a `CHAINCODE_VERSION_CONFLICT`. Since 1.3 Fabric sees no upgrades but
/// those of Go chaincode here.
pub(crate) fn upgraded_chaincode<'a>(transaction: &EndorserTransaction<'a>, rules: Rules) -> Option<Upgrade<'a>> {
    let invoked = transaction.header_extension.as_ref().ok()?.chaincode_id.as_ref()?;
    if invoked.name != LSCC {
        return None;
    }
    let arguments = arguments(transaction.proposal_payload).ok()?;
    let [b"upgrade", _channel, deployment, ..] = arguments.as_slice() else { return None };
    let spec = ChaincodeDeploymentSpec::decode(deployment).ok()?.chaincode_spec?;
    let id = spec.chaincode_id?;
    let seen = match spec.r#type {
        chaincode_type::GOLANG => true,
        chaincode_type::NODE | chaincode_type::CAR | chaincode_type::JAVA => {
            rules.era.sees_upgrades_of_every_language()
        }
        _ => false,
    };
    seen.then_some(Upgrade { name: id.name, version: id.version })
}

/// The function and its arguments as the client proposed them.
fn arguments(proposal_payload: &[u8]) -> Result<Vec<&[u8]>, String> {
    let proposal = ChaincodeProposalPayload::decode(proposal_payload)
        .map_err(|error| format!("the chaincode proposal payload does not decode: {error}"))?;
    let invocation = ChaincodeInvocationSpec::decode(proposal.input)
        .map_err(|error| format!("the chaincode invocation spec does not decode: {error}"))?;
    let input = invocation.chaincode_spec.and_then(|spec| spec.input);
    Ok(input.map(|input| input.args).unwrap_or_default())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Deploy,
    Upgrade,
}

/// What the client asked of LSCC.
struct Invocation<'a> {
    function: Function,
    /// Of the chaincode; it is well-formed (but in old eras), so it stands unquoted in texts.
    name: &'a str,
    version: &'a str,
    /// Encoded `CollectionConfigPackage`.
    collections: Option<&'a [u8]>,
}

impl<'a> Invocation<'a> {
    fn new(arguments: &[&'a [u8]], rules: Rules) -> Result<Self, String> {
        let [function, arguments @ ..] = arguments else {
            return Err("the chaincode invocation spec names no function".to_owned());
        };
        let function = match *function {
            b"deploy" => Function::Deploy,
            b"upgrade" => Function::Upgrade,
            other => {
                let name = String::from_utf8_lossy(other);
                return Err(format!("only deploy and upgrade of lscc can be committed, not {name:?}"));
            }
        };
        let most = MAX_ARGUMENTS + usize::from(rules.private_channel_data);
        let [_channel, deployment, ..] = arguments else {
            return Err(format!("{} arguments, but lscc needs at least {MIN_ARGUMENTS}", arguments.len()));
        };
        if arguments.len() > most {
            return Err(format!("{} arguments, but lscc takes at most {most}", arguments.len()));
        }
        let (name, version) = deployed_chaincode(deployment, rules)?;
        Ok(Self { function, name, version, collections: arguments.get(COLLECTIONS_ARGUMENT).copied() })
    }
}

/// Name and version that a `ChaincodeDeploymentSpec` gives the chaincode.
fn deployed_chaincode(deployment: &[u8], rules: Rules) -> Result<(&str, &str), String> {
    let deployment = ChaincodeDeploymentSpec::decode(deployment)
        .map_err(|error| format!("the chaincode deployment spec does not decode: {error}"))?;
    let spec = deployment.chaincode_spec.ok_or("the chaincode deployment spec has no chaincode spec")?;
    let id = spec.chaincode_id.ok_or("the chaincode deployment spec has no chaincode id")?;
    match spec.r#type {
        chaincode_type::GOLANG | chaincode_type::NODE | chaincode_type::CAR | chaincode_type::JAVA => {}
        other => return Err(format!("chaincode of type {other} cannot be deployed")),
    }
    if rules.era.allows_any_chaincode_name() {
        return Ok((id.name, id.version));
    }
    if !is_chaincode_name(id.name) {
        return Err(format!("{:?} is no chaincode name", id.name));
    }
    if is_system_chaincode(id.name) {
        return Err(format!("{} is the name of a system chaincode", id.name));
    }
    if !is_chaincode_version(id.version) {
        return Err(format!("{:?} is no chaincode version", id.version));
    }
    Ok((id.name, id.version))
}

/// `lscc.ChaincodeNameRegExp`: words of letters and digits, with a dash or an underscore between them.
fn is_chaincode_name(name: &str) -> bool {
    name.split(['-', '_']).all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// `lscc.ChaincodeVersionRegExp`.
fn is_chaincode_version(version: &str) -> bool {
    !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte))
}

/// LSCC's writes, and the chaincode record that the first of them is.
fn written_record<'r, 'a>(
    rwset: &'r TxRwSet<'a>,
    invocation: &Invocation<'_>,
) -> Result<(&'r [KvWrite<'a>], ChaincodeData<'a>), String> {
    let lscc = rwset.namespaces.iter().find(|namespace| namespace.namespace == LSCC);
    let writes = lscc.ok_or("there is no read-write set of lscc")?.public.writes.as_slice();
    let first = writes.first().ok_or("lscc writes nothing")?;
    let name = invocation.name;
    if first.key != name {
        return Err(format!("lscc first writes key {:?} instead of {name}", first.key));
    }
    let record = ChaincodeData::decode(first.value)
        .map_err(|error| format!("the written record of chaincode {name} does not decode: {error}"))?;
    if record.name != name {
        return Err(format!("the written record of chaincode {name} names {:?}", record.name));
    }
    if record.version != invocation.version {
        return Err(format!(
            "the written record of chaincode {name} has version {:?} instead of {}",
            record.version, invocation.version
        ));
    }
    // Fabric asks for public values only: private and metadata writes elsewhere pass.
    let foreign = rwset.namespaces.iter().find(|namespace| {
        namespace.namespace != LSCC && namespace.namespace != name && !namespace.public.writes.is_empty()
    });
    match foreign {
        Some(foreign) => Err(format!("an invocation of lscc for chaincode {name} writes to {:?}", foreign.namespace)),
        None => Ok((writes, record)),
    }
}

/// The checks that depend on what is committed.
struct Check<'c, 'a, L> {
    invocation: Invocation<'a>,
    writes: &'c [KvWrite<'a>],
    written: ChaincodeData<'a>,
    rules: Rules,
    lookup: &'c L,
}

impl<L: Lookup> Check<'_, '_, L> {
    fn deploy(&self, committed: Option<&ChaincodeData<'_>>) -> Result<(), Failure<L::Error>> {
        if committed.is_some() {
            return Err(format!("chaincode {} is already instantiated", self.invocation.name).into());
        }
        if self.rules.private_channel_data {
            self.collections()?;
        } else {
            self.single_write()?;
        }
        self.instantiation_policy(self.written.instantiation_policy)
    }

    fn upgrade(&self, committed: Option<&ChaincodeData<'_>>) -> Result<(), Failure<L::Error>> {
        let Invocation { name, version, .. } = self.invocation;
        let committed = committed.ok_or_else(|| format!("chaincode {name} is not instantiated"))?;
        if committed.version == version {
            return Err(format!("chaincode {name} already has version {version}").into());
        }
        if self.rules.v1_2_validation {
            self.collections()?;
        } else {
            self.single_write()?;
        }
        self.instantiation_policy(committed.instantiation_policy)?;
        if self.rules.v1_1_validation && self.written.instantiation_policy != committed.instantiation_policy {
            self.instantiation_policy(self.written.instantiation_policy)?;
        }
        Ok(())
    }

    fn single_write(&self) -> Result<(), String> {
        match self.writes {
            [_] => Ok(()),
            writes => Err(format!("lscc writes {} keys instead of one", writes.len())),
        }
    }

    /// `checkInstantiationPolicy`.
    fn instantiation_policy(&self, policy: &[u8]) -> Result<(), Failure<L::Error>> {
        let name = self.invocation.name;
        if policy.is_empty() {
            return Err(format!("chaincode {name} has no instantiation policy").into());
        }
        let satisfied = self.lookup.creator_satisfies(policy);
        Ok(satisfied.map_err(|why| format!("instantiation policy of chaincode {name}: {why}"))?)
    }

    /// `validateRWSetAndCollection`: the collections written are those of the argument, and may follow the
    /// committed ones.
    fn collections(&self) -> Result<(), Failure<L::Error>> {
        let Invocation { function, name, collections: argument, .. } = self.invocation;
        let key = lscc_collections_key(name);
        let written = match self.writes {
            [_, second] if second.key == key => second.value,
            [_, second] => return Err(format!("lscc writes key {:?} instead of {key}", second.key).into()),
            [_] => &[],
            writes => return Err(format!("lscc writes {} keys instead of one or two", writes.len()).into()),
        };
        // As in Fabric, an empty argument equals no write and no argument equals an empty write, which deletes.
        if argument.unwrap_or_default() != written {
            return Err(format!("lscc writes other collections of chaincode {name} than its argument says").into());
        }
        let committed = self.lookup.lscc_state(&key).map_err(Failure::Broken)?;
        if function == Function::Deploy && committed.is_some() {
            return Err(format!("chaincode {name} has collections before it is instantiated").into());
        }
        let Some(argument) = argument else { return Ok(()) };
        let package = CollectionConfigPackage::decode(argument)
            .map_err(|error| format!("the collections of chaincode {name} do not decode: {error}"))?;
        if self.rules.v1_2_validation {
            collections::well_formed(&package.config)?;
            if let Some(committed) = committed {
                let committed = CollectionConfigPackage::decode(&committed)
                    .map_err(|error| format!("the committed collections of chaincode {name} do not decode: {error}"))?;
                collections::succeed(&package.config, &committed.config)?;
            }
        }
        Ok(())
    }
}
