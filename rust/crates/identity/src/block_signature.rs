// SPDX-License-Identifier: Apache-2.0
//! The orderers' signatures over a block (`protoutil.BlockSignatureVerifier`).
//!
//! The configuration to ask is the one in force before the block, also for a configuration block. Signatures that are
//! bad, or whose signer is unknown or counted already, are passed over as long as the policy holds without them; a
//! header that does not decode refuses the block.

use std::sync::Arc;

use fastledger_crypto::{Job, Signature, Verifier};
use fastledger_wire::Message;
use fastledger_wire::common::{BlockHeader, IdentifierHeader, Metadata, MetadataSignature, SignatureHeader};
use fastledger_wire::encode;
use fastledger_wire::hash::{Beginning, header_der};

use crate::config::ChannelConfig;
use crate::error::{IdentityError, Result};
use crate::identity::Identity;
use crate::key::VerifyingKey;
use crate::policy::Signers;

/// The policy that a block's signatures must satisfy.
pub const POLICY: &str = "/Channel/Orderer/BlockValidation";

/// One signature of a block.
#[derive(Debug)]
pub struct SignatureJob<'a> {
    /// Who is said to have signed, or why that is nobody.
    pub signer: Result<Arc<Identity>>,
    /// The message's second part: signature header or identifier header.
    pub header: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

/// The signatures of a block, ready to be verified over `value ‖ header ‖ block_header`.
#[derive(Debug)]
pub struct BlockSignatures<'a> {
    /// The block's number.
    pub number: u64,
    /// The messages' first part: the metadata's value.
    pub value: &'a [u8],
    /// The messages' third part: DER of the block's header.
    pub block_header: Vec<u8>,
    /// The signatures, in the order of the metadata.
    pub jobs: Vec<SignatureJob<'a>>,
}

/// Verifies the signatures in `metadata`, slot 0 of a block's metadata.
pub fn verify(header: &BlockHeader<'_>, metadata: &[u8], config: &ChannelConfig, verifier: &Verifier) -> Result<()> {
    let signatures = BlockSignatures::read(header, metadata, config)?;
    let verdicts = signatures.verify(verifier);
    signatures.check_policy(&verdicts, config)
}

impl<'a> BlockSignatures<'a> {
    /// Reads slot 0 of a block's metadata, without verifying anything.
    pub fn read(header: &BlockHeader<'_>, metadata: &'a [u8], config: &ChannelConfig) -> Result<Self> {
        let number = header.number;
        let refused = |reason: String| IdentityError::BlockMetadata { block: number, reason };
        let metadata = Metadata::decode(metadata)
            .map_err(|error| refused(format!("metadata slot 0 does not hold signatures: {error}")))?;
        let jobs = metadata.signatures.iter().enumerate().map(|(index, signature)| {
            job(signature, config).map_err(|reason| refused(format!("signature {index}: {reason}")))
        });
        let jobs = jobs.collect::<Result<_>>()?;
        Ok(Self { number, value: metadata.value, block_header: header_der(header), jobs })
    }

    /// Verifies each signature; the keys of P-256 go through `verifier` in one batch.
    #[must_use]
    pub fn verify(&self, verifier: &Verifier) -> Vec<Result<()>> {
        let mut verdicts: Vec<_> = self.jobs.iter().map(|job| self.verify_single(job)).collect();
        // However long the value is, and however many signed it, it is hashed once.
        let value = Beginning::new(self.value);
        let indexed = self.jobs.iter().enumerate();
        let batch: Vec<_> = indexed.filter_map(|(index, job)| self.batched(index, job, &value)).collect();
        let jobs: Vec<_> = batch.iter().map(|(_, job)| *job).collect();
        let mut valid = vec![false; jobs.len()];
        verifier.verify_batch(&jobs, &mut valid);
        for ((index, _), valid) in batch.iter().zip(valid) {
            if valid {
                verdicts[*index] = Ok(());
            }
        }
        verdicts
    }

    /// The verdict on a signature outside the batch; for one in the batch, what it is as long as nobody verified it.
    fn verify_single(&self, job: &SignatureJob<'_>) -> Result<()> {
        let signer = job.signer.as_ref().map_err(Clone::clone)?;
        let refused = |reason| IdentityError::Signature { signer: signer.to_string(), reason };
        match signer.key() {
            VerifyingKey::P256(_) if Signature::from_der(job.signature).is_ok() => {
                Err(refused("it does not verify under the identity's key"))
            }
            VerifyingKey::P256(_) => Err(refused("it is not an ECDSA signature in DER with low s")),
            VerifyingKey::Other(key) => key.verify(&self.message(job), job.signature).map_err(refused),
        }
    }

    fn batched<'j>(&self, index: usize, job: &'j SignatureJob<'_>, value: &Beginning) -> Option<(usize, Job<'j>)> {
        let VerifyingKey::P256(key) = job.signer.as_ref().ok()?.key() else { return None };
        let signature = Signature::from_der(job.signature).ok()?;
        Some((index, Job { key, digest: value.followed_by(&[job.header, &self.block_header]), signature }))
    }

    fn message<'m>(&'m self, job: &SignatureJob<'m>) -> [&'m [u8]; 3] {
        [self.value, job.header, &self.block_header]
    }

    /// Whether those whose signatures hold satisfy the policy; `verdicts` has one entry per job.
    pub fn check_policy(&self, verdicts: &[Result<()>], config: &ChannelConfig) -> Result<()> {
        let policy = config.policy(POLICY).ok_or_else(|| IdentityError::UnknownPolicy(POLICY.to_owned()))?;
        let good = self.jobs.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_ok());
        let signers: Signers = good.filter_map(|(job, _)| job.signer.as_ref().ok()).cloned().collect();
        policy.evaluate(signers.as_slice()).map_err(|unsatisfied| IdentityError::BlockSignature {
            block: self.number,
            policy: format!("{POLICY} = {}", unsatisfied.rule),
            details: self.describe(verdicts),
        })
    }

    fn describe(&self, verdicts: &[Result<()>]) -> String {
        let line = |(index, (job, verdict)): (usize, (&SignatureJob<'_>, &Result<()>))| match (&job.signer, verdict) {
            (Ok(signer), Ok(())) => match signer.validity() {
                Ok(()) => format!("signature {index} by {signer} holds but does not satisfy it"),
                Err(reason) => format!("signature {index} holds, but {reason}"),
            },
            (_, Err(reason)) | (Err(reason), Ok(())) => format!("signature {index}: {reason}"),
        };
        let lines: Vec<_> = self.jobs.iter().zip(verdicts).enumerate().map(line).collect();
        if lines.is_empty() { "there are no signatures".to_owned() } else { lines.join("; ") }
    }
}

/// Finds the signer; errors are headers that do not decode.
fn job<'a>(signature: &MetadataSignature<'a>, config: &ChannelConfig) -> Result<SignatureJob<'a>, String> {
    let by_number = config.capabilities().consensus_type_bft
        && signature.signature_header.is_empty()
        && !signature.identifier_header.is_empty();
    let (signer, header) = if by_number {
        let header = IdentifierHeader::decode(signature.identifier_header)
            .map_err(|error| format!("its identifier header does not decode: {error}"))?;
        (consenter(header.identifier, config), signature.identifier_header)
    } else {
        let header = SignatureHeader::decode(signature.signature_header)
            .map_err(|error| format!("its signature header does not decode: {error}"))?;
        (config.msps().identity(header.creator), signature.signature_header)
    };
    Ok(SignatureJob { signer, header, signature: signature.signature })
}

/// The identity of the consenter with this number in the channel's configuration.
fn consenter(number: u32, config: &ChannelConfig) -> Result<Arc<Identity>> {
    let consenters = config.orderer().map(|orderer| orderer.consenters.as_slice()).unwrap_or_default();
    let consenter = consenters
        .iter()
        .find(|consenter| consenter.id == number)
        .ok_or_else(|| IdentityError::Config(format!("there is no consenter with number {number}")))?;
    let mut serialized = Vec::with_capacity(consenter.identity.len() + consenter.mspid.len() + 8);
    encode::bytes_field(&mut serialized, 1, consenter.mspid.as_bytes());
    encode::bytes_field(&mut serialized, 2, &consenter.identity);
    config.msps().identity(&serialized)
}
