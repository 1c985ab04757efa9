// SPDX-License-Identifier: Apache-2.0
//! The views' field numbers and types against descriptors that other implementations gave
//! (`tests/vectors/protos`, see the note there).

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::collections::HashMap;

use fastledger_wire::{common, configtx, ledger, lifecycle, msp, peer, policies, rwset, shim};

/// Every view that the `messages!` macro declares, under Fabric's name.
macro_rules! views {
    ($($fabric:literal => $view:path),* $(,)?) => {
        &[$(($fabric, <$view>::FIELDS)),*]
    };
}

type Fields = &'static [(u32, &'static str)];

const VIEWS: &[(&str, Fields)] = views! {
    "common.Block" => common::Block, "common.BlockHeader" => common::BlockHeader,
    "common.BlockData" => common::BlockData, "common.BlockMetadata" => common::BlockMetadata,
    "common.Envelope" => common::Envelope, "common.Payload" => common::Payload, "common.Header" => common::Header,
    "common.ChannelHeader" => common::ChannelHeader, "common.SignatureHeader" => common::SignatureHeader,
    "common.Metadata" => common::Metadata, "common.MetadataSignature" => common::MetadataSignature,
    "common.IdentifierHeader" => common::IdentifierHeader, "common.LastConfig" => common::LastConfig,
    "common.OrdererBlockMetadata" => common::OrdererBlockMetadata,
    "common.ConfigEnvelope" => configtx::ConfigEnvelope, "common.Config" => configtx::Config,
    "common.ConfigGroup" => configtx::ConfigGroup, "common.ConfigValue" => configtx::ConfigValue,
    "common.ConfigPolicy" => configtx::ConfigPolicy, "common.Policy" => configtx::Policy,
    "common.ConfigUpdateEnvelope" => configtx::ConfigUpdateEnvelope,
    "common.ConfigSignature" => configtx::ConfigSignature, "common.ConfigUpdate" => configtx::ConfigUpdate,
    "common.Capabilities" => configtx::Capabilities, "common.HashingAlgorithm" => configtx::HashingAlgorithm,
    "common.BlockDataHashingStructure" => configtx::BlockDataHashingStructure,
    "common.OrdererAddresses" => configtx::OrdererAddresses, "common.Consortium" => configtx::Consortium,
    "common.Orderers" => configtx::Orderers, "common.Consenter" => configtx::Consenter,
    "orderer.ConsensusType" => configtx::ConsensusType, "orderer.BatchSize" => configtx::BatchSize,
    "orderer.BatchTimeout" => configtx::BatchTimeout, "protos.ACLs" => configtx::Acls,
    "protos.APIResource" => configtx::ApiResource,
    "msp.SerializedIdentity" => msp::SerializedIdentity, "msp.MSPConfig" => msp::MspConfig,
    "msp.FabricMSPConfig" => msp::FabricMspConfig, "msp.FabricCryptoConfig" => msp::FabricCryptoConfig,
    "msp.FabricOUIdentifier" => msp::FabricOuIdentifier, "msp.FabricNodeOUs" => msp::FabricNodeOus,
    "common.MSPPrincipal" => msp::MspPrincipal, "common.MSPRole" => msp::MspRole,
    "common.OrganizationUnit" => msp::OrganizationUnit,
    "common.MSPIdentityAnonymity" => msp::MspIdentityAnonymity, "common.CombinedPrincipal" => msp::CombinedPrincipal,
    "common.SignaturePolicyEnvelope" => policies::SignaturePolicyEnvelope,
    "common.SignaturePolicy.NOutOf" => policies::NOutOf, "common.ImplicitMetaPolicy" => policies::ImplicitMetaPolicy,
    "protos.Transaction" => peer::Transaction, "protos.TransactionAction" => peer::TransactionAction,
    "protos.ChaincodeActionPayload" => peer::ChaincodeActionPayload,
    "protos.ChaincodeEndorsedAction" => peer::ChaincodeEndorsedAction, "protos.Endorsement" => peer::Endorsement,
    "protos.ProposalResponsePayload" => peer::ProposalResponsePayload,
    "protos.ChaincodeAction" => peer::ChaincodeAction, "protos.Response" => peer::Response,
    "protos.ChaincodeID" => peer::ChaincodeId, "protos.ChaincodeHeaderExtension" => peer::ChaincodeHeaderExtension,
    "protos.ChaincodeProposalPayload" => peer::ChaincodeProposalPayload,
    "protos.ChaincodeInvocationSpec" => peer::ChaincodeInvocationSpec, "protos.ChaincodeSpec" => peer::ChaincodeSpec,
    "protos.ChaincodeInput" => peer::ChaincodeInput, "protos.ChaincodeDeploymentSpec" => peer::ChaincodeDeploymentSpec,
    "protos.ChaincodeEvent" => peer::ChaincodeEvent,
    "protos.CollectionConfigPackage" => peer::CollectionConfigPackage,
    "protos.StaticCollectionConfig" => peer::StaticCollectionConfig,
    "lifecycle.StateMetadata" => lifecycle::StateMetadata,
    "lifecycle.ChaincodeEndorsementInfo" => lifecycle::ChaincodeEndorsementInfo,
    "lifecycle.ChaincodeValidationInfo" => lifecycle::ChaincodeValidationInfo,
    "ccprovider.ChaincodeData" => lifecycle::ChaincodeData,
    "common.BlockchainInfo" => ledger::BlockchainInfo,
    "rwset.TxReadWriteSet" => rwset::TxReadWriteSet, "rwset.NsReadWriteSet" => rwset::NsReadWriteSet,
    "rwset.CollectionHashedReadWriteSet" => rwset::CollectionHashedReadWriteSet,
    "kvrwset.KVRWSet" => rwset::KvRwSet, "kvrwset.HashedRWSet" => rwset::HashedRwSet,
    "kvrwset.Version" => rwset::Version, "kvrwset.KVRead" => rwset::KvRead, "kvrwset.KVWrite" => rwset::KvWrite,
    "kvrwset.KVMetadataWrite" => rwset::KvMetadataWrite, "kvrwset.KVMetadataEntry" => rwset::KvMetadataEntry,
    "kvrwset.KVReadHash" => rwset::KvReadHash, "kvrwset.KVWriteHash" => rwset::KvWriteHash,
    "kvrwset.KVMetadataWriteHash" => rwset::KvMetadataWriteHash, "kvrwset.QueryReads" => rwset::QueryReads,
    "kvrwset.QueryReadsMerkleSummary" => rwset::QueryReadsMerkleSummary,
    "protos.SignedProposal" => peer::SignedProposal, "protos.ChaincodeMessage" => shim::ChaincodeMessage,
    "protos.GetState" => shim::GetState, "protos.GetStateMultiple" => shim::GetStateMultiple,
    "protos.GetStateMetadata" => shim::GetStateMetadata, "protos.PutState" => shim::PutState,
    "protos.PutStateMetadata" => shim::PutStateMetadata, "protos.StateMetadata" => shim::StateMetadata,
    "protos.DelState" => shim::DelState, "protos.WriteBatchState" => shim::WriteBatchState,
    "protos.WriteRecord" => shim::WriteRecord, "protos.GetStateByRange" => shim::GetStateByRange,
    "protos.QueryMetadata" => shim::QueryMetadata, "protos.QueryStateNext" => shim::QueryStateNext,
    "protos.QueryStateClose" => shim::QueryStateClose,
};

fn descriptors() -> HashMap<String, String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/vectors/protos/");
    let mut all = HashMap::new();
    for file in ["fabric-3.1.5.json", "fabric_protos.json"] {
        let text = std::fs::read_to_string(format!("{folder}{file}")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (name, element) in json["elements"].as_object().unwrap() {
            all.insert(name.clone(), element.as_str().unwrap_or_default().to_owned());
        }
    }
    all
}

#[test]
fn every_field_has_the_number_that_others_give_it() {
    let descriptors = descriptors();
    for (message, fields) in VIEWS {
        assert!(descriptors.contains_key(*message), "{message} is in no descriptor");
        for (number, name) in *fields {
            let element = descriptors
                .get(&format!("{message}#{number}"))
                .unwrap_or_else(|| panic!("{message} has no field {number}"));
            let name = name.trim_start_matches("r#").to_lowercase().replace('_', "");
            let theirs = element.to_lowercase().replace('_', "");
            assert!(theirs.split(' ').any(|word| word == name), "{message}#{number}: {name:?} is {element:?}");
        }
    }
}
