// SPDX-License-Identifier: Apache-2.0
//! Every view, and what must hold of whatever is decoded as one.

use std::fmt::Debug;

use fastledger_wire::{Message, common, configtx, ledger, lifecycle, msp, peer, policies, rwset};

/// Checks the message `bytes[..end]` as one view; it may be cut in two at `cut`, and a field that nobody knows stands
/// behind it.
pub type Check = fn(bytes: &[u8], cut: usize, end: usize);

macro_rules! checks {
    ($($view:ty),* $(,)?) => { &[$((stringify!($view), |bytes, cut, end| check::<$view>(bytes, cut, end))),*] };
}

/// The views' names and checks.
pub static VIEWS: &[(&str, Check)] = checks![
    common::Block<'_>,
    common::Envelope<'_>,
    common::Payload<'_>,
    common::ChannelHeader<'_>,
    common::SignatureHeader<'_>,
    common::Metadata<'_>,
    common::IdentifierHeader<'_>,
    common::LastConfig,
    common::OrdererBlockMetadata<'_>,
    configtx::ConfigEnvelope<'_>,
    configtx::ConfigUpdateEnvelope<'_>,
    configtx::ConfigUpdate<'_>,
    configtx::Capabilities<'_>,
    configtx::HashingAlgorithm<'_>,
    configtx::BlockDataHashingStructure,
    configtx::OrdererAddresses<'_>,
    configtx::Consortium<'_>,
    configtx::Orderers<'_>,
    configtx::ConsensusType<'_>,
    configtx::BatchSize,
    configtx::BatchTimeout<'_>,
    configtx::Acls<'_>,
    ledger::BlockchainInfo<'_>,
    lifecycle::StateMetadata<'_>,
    lifecycle::ChaincodeEndorsementInfo<'_>,
    lifecycle::ChaincodeValidationInfo<'_>,
    lifecycle::ChaincodeData<'_>,
    lifecycle::StateData<'_>,
    msp::SerializedIdentity<'_>,
    msp::MspConfig<'_>,
    msp::FabricMspConfig<'_>,
    msp::MspPrincipal<'_>,
    msp::MspRole<'_>,
    msp::OrganizationUnit<'_>,
    msp::MspIdentityAnonymity,
    msp::CombinedPrincipal<'_>,
    peer::Transaction<'_>,
    peer::ChaincodeActionPayload<'_>,
    peer::ProposalResponsePayload<'_>,
    peer::ChaincodeAction<'_>,
    peer::ChaincodeHeaderExtension<'_>,
    peer::ChaincodeProposalPayload<'_>,
    peer::ChaincodeInvocationSpec<'_>,
    peer::ChaincodeDeploymentSpec<'_>,
    peer::ChaincodeEvent<'_>,
    peer::CollectionConfigPackage<'_>,
    policies::SignaturePolicyEnvelope<'_>,
    policies::ImplicitMetaPolicy<'_>,
    policies::ApplicationPolicy<'_>,
    rwset::TxReadWriteSet<'_>,
    rwset::KvRwSet<'_>,
    rwset::HashedRwSet<'_>,
    rwset::KvMetadataWrite<'_>,
];

/// Equal bytes give equal views, bytes one after the other merge as messages do, and unknown fields change nothing.
fn check<'a, M: Message<'a> + PartialEq + Debug>(bytes: &'a [u8], cut: usize, end: usize) {
    let whole = M::decode(&bytes[..end]);
    assert_eq!(M::decode(&bytes[..end]), whole);
    let Ok(whole) = whole else { return };
    assert_eq!(M::decode(bytes).as_ref(), Ok(&whole));
    let Ok(mut merged) = M::decode(&bytes[..cut]) else { return };
    if merged.merge(&bytes[cut..end], 0).is_ok() {
        assert_eq!(merged, whole);
    }
}

/// The place of a view in [`VIEWS`], by its name without lifetime.
#[must_use]
pub fn place(name: &str) -> Option<u8> {
    let place = VIEWS.iter().position(|(view, _)| view.trim_end_matches("<'_>") == name)?;
    u8::try_from(place).ok()
}
