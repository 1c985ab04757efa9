// SPDX-License-Identifier: Apache-2.0
//! Views of package `protos`: transactions, proposals, chaincode and collections.

use crate::messages;
use crate::policies::{SignaturePolicyEnvelope, merge_case};
use crate::protobuf::{DecodeError, Map, Message, Value};

messages! {
    /// `protos.SignedProposal`.
    SignedProposal<'a> {
        1 => proposal_bytes: &'a [u8],
        2 => signature: &'a [u8],
    }

    /// `protos.Proposal`.
    Proposal<'a> {
        1 => header: &'a [u8],
        2 => payload: &'a [u8],
    }

    /// `protos.Transaction`.
    Transaction<'a> {
        1 => actions: Vec<TransactionAction<'a>>,
    }

    /// `protos.TransactionAction`.
    TransactionAction<'a> {
        1 => header: &'a [u8],
        2 => payload: &'a [u8],
    }

    /// `protos.ChaincodeActionPayload`.
    ChaincodeActionPayload<'a> {
        1 => chaincode_proposal_payload: &'a [u8],
        2 => action: Option<ChaincodeEndorsedAction<'a>>,
    }

    /// `protos.ChaincodeEndorsedAction`.
    ChaincodeEndorsedAction<'a> {
        1 => proposal_response_payload: &'a [u8],
        2 => endorsements: Vec<Endorsement<'a>>,
    }

    /// `protos.Endorsement`.
    Endorsement<'a> {
        1 => endorser: &'a [u8],
        2 => signature: &'a [u8],
    }

    /// `protos.ProposalResponsePayload`.
    ProposalResponsePayload<'a> {
        1 => proposal_hash: &'a [u8],
        2 => extension: &'a [u8],
    }

    /// `protos.ChaincodeAction`.
    ChaincodeAction<'a> {
        1 => results: &'a [u8],
        2 => events: &'a [u8],
        3 => response: Option<Response<'a>>,
        4 => chaincode_id: Option<ChaincodeId<'a>>,
    }

    /// `protos.Response`.
    Response<'a> {
        1 => status: i32,
        2 => message: &'a str,
        3 => payload: &'a [u8],
    }

    /// `protos.ChaincodeID`.
    ChaincodeId<'a> {
        1 => path: &'a str,
        2 => name: &'a str,
        3 => version: &'a str,
    }

    /// `protos.ChaincodeHeaderExtension`.
    ChaincodeHeaderExtension<'a> {
        2 => chaincode_id: Option<ChaincodeId<'a>>,
    }

    /// `protos.ChaincodeProposalPayload`.
    ChaincodeProposalPayload<'a> {
        1 => input: &'a [u8],
        2 => transient_map: Map<'a, &'a [u8]>,
    }

    /// `protos.ChaincodeInvocationSpec`.
    ChaincodeInvocationSpec<'a> {
        1 => chaincode_spec: Option<ChaincodeSpec<'a>>,
    }

    /// `protos.ChaincodeSpec`.
    ChaincodeSpec<'a> {
        1 => r#type: i32,
        2 => chaincode_id: Option<ChaincodeId<'a>>,
        3 => input: Option<ChaincodeInput<'a>>,
        4 => timeout: i32,
    }

    /// `protos.ChaincodeInput`.
    ChaincodeInput<'a> {
        1 => args: Vec<&'a [u8]>,
        2 => decorations: Map<'a, &'a [u8]>,
        3 => is_init: bool,
    }

    /// `protos.ChaincodeDeploymentSpec`.
    ChaincodeDeploymentSpec<'a> {
        1 => chaincode_spec: Option<ChaincodeSpec<'a>>,
        3 => code_package: &'a [u8],
    }

    /// `protos.ChaincodeEvent`.
    ChaincodeEvent<'a> {
        1 => chaincode_id: &'a str,
        2 => tx_id: &'a str,
        3 => event_name: &'a str,
        4 => payload: &'a [u8],
    }

    /// `protos.CollectionConfigPackage`.
    CollectionConfigPackage<'a> {
        1 => config: Vec<CollectionConfig<'a>>,
    }

    /// `protos.StaticCollectionConfig`.
    StaticCollectionConfig<'a> {
        1 => name: &'a str,
        2 => member_orgs_policy: Option<CollectionPolicyConfig<'a>>,
        3 => required_peer_count: i32,
        4 => maximum_peer_count: i32,
        5 => block_to_live: u64,
        6 => member_only_read: bool,
        7 => member_only_write: bool,
        /// Encoded `protos.ApplicationPolicy`-shaped message; absent means the chaincode's own policy applies.
        8 => endorsement_policy: Option<crate::policies::ApplicationPolicy<'a>>,
    }
}

/// `protos.CollectionConfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CollectionConfig<'a> {
    /// The oneof is not set.
    #[default]
    Unset,
    /// The only kind there is.
    Static(Box<StaticCollectionConfig<'a>>),
}

impl<'a> Message<'a> for CollectionConfig<'a> {
    fn merge_field(&mut self, number: u32, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        if number != 1 {
            return Ok(false);
        }
        merge_case(
            self,
            value,
            depth,
            |config| match config {
                Self::Static(inner) => Some(std::mem::take(&mut **inner)),
                Self::Unset => None,
            },
            |inner| Self::Static(Box::new(inner)),
        )
    }
}

/// `protos.CollectionPolicyConfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CollectionPolicyConfig<'a> {
    /// The oneof is not set.
    #[default]
    Unset,
    /// The only kind there is.
    SignaturePolicy(SignaturePolicyEnvelope<'a>),
}

impl<'a> Message<'a> for CollectionPolicyConfig<'a> {
    fn merge_field(&mut self, number: u32, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        if number != 1 {
            return Ok(false);
        }
        merge_case(
            self,
            value,
            depth,
            |config| match config {
                Self::SignaturePolicy(inner) => Some(std::mem::take(inner)),
                Self::Unset => None,
            },
            Self::SignaturePolicy,
        )
    }
}
