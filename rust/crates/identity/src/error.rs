// SPDX-License-Identifier: Apache-2.0
//! What can be wrong with identities, policies and configurations.

use thiserror::Error;

use crate::x509::CertificateError;
use fastledger_wire::DecodeError;

/// Why an identity, a policy, a configuration or a block's signatures are refused.
///
/// For an identity or a chaincode's policy this is a verdict on one transaction; for a configuration or a block's
/// signatures it stops the channel.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// The creator or endorser is not a `msp.SerializedIdentity`.
    #[error("identity is not a SerializedIdentity: {0}")]
    Undecodable(DecodeError),
    /// The channel's configuration has no such MSP.
    #[error("MSP {0:?} is not defined on the channel")]
    UnknownMsp(String),
    /// Idemix credentials are not supported: none of their identities is valid here.
    #[error("MSP {0:?} is an Idemix MSP, whose identities are not supported")]
    IdemixNotSupported(String),
    /// The certificate does not parse or has no chain to the MSP's roots.
    #[error("certificate ({subject}) is not accepted by MSP {msp:?}: {reason}")]
    Certificate {
        /// The MSP asked.
        msp: String,
        /// The certificate's subject, empty where it did not parse.
        subject: String,
        /// What is wrong.
        reason: CertificateError,
    },
    /// The certificate is good, but the MSP does not take it as an identity.
    #[error("identity ({subject}) is not valid under MSP {msp:?}: {reason}")]
    Invalid {
        /// The MSP asked.
        msp: String,
        /// The certificate's subject.
        subject: String,
        /// What is wrong.
        reason: String,
    },
    /// A signature does not verify.
    #[error("signature of {signer} is not valid: {reason}")]
    Signature {
        /// The signer's MSP and subject.
        signer: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A private key cannot be read, or does not sign.
    #[error("the private key cannot be used: {0}")]
    SigningKey(String),
    /// A policy cannot be compiled.
    #[error("policy does not compile: {0}")]
    Policy(String),
    /// The channel's configuration has no such policy.
    #[error("the channel's configuration has no policy {0:?}")]
    UnknownPolicy(String),
    /// An MSP's definition is refused.
    #[error("MSP {msp:?} cannot be set up: {reason}")]
    MspSetup {
        /// The MSP's name.
        msp: String,
        /// What is wrong with its definition.
        reason: String,
    },
    /// A configuration or a part of it does not decode.
    #[error("{what} does not decode: {reason}")]
    ConfigUndecodable {
        /// The message or configuration key.
        what: String,
        /// Why.
        reason: DecodeError,
    },
    /// A configuration is refused.
    #[error("channel configuration is refused: {0}")]
    Config(String),
    /// A configuration transaction is refused.
    #[error("configuration update is refused: {0}")]
    ConfigUpdate(String),
    /// A configuration asks for something that this software does not have.
    #[error("{group} capability {name} is required but not supported; a newer version of fastledger is needed")]
    UnsupportedCapability {
        /// Channel, Application or Orderer.
        group: &'static str,
        /// The capability's name.
        name: String,
    },
    /// A block's metadata does not hold the orderers' signatures in a readable form.
    #[error("block {block}: {reason}")]
    BlockMetadata {
        /// The block's number.
        block: u64,
        /// What is wrong.
        reason: String,
    },
    /// A block's signatures do not satisfy the policy.
    #[error("block {block}: orderer signatures do not satisfy {policy}; {details}")]
    BlockSignature {
        /// The block's number.
        block: u64,
        /// The policy and its rule.
        policy: String,
        /// The fate of each signature.
        details: String,
    },
}

/// The crate's result.
pub type Result<T, E = IdentityError> = std::result::Result<T, E>;
