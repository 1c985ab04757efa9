// SPDX-License-Identifier: Apache-2.0
//! Who has signed what, verified in batches.

use std::sync::Arc;

use fastledger_crypto::{Job, Signature, Verifier};
use fastledger_wire::hash::sha256;

use crate::identity::Identity;
use crate::key::VerifyingKey;
use crate::msp::MspManager;

/// A message, whose it claims to be, and the signature (`protoutil.SignedData`).
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// What was signed.
    pub message: &'a [u8],
    /// The encoded `msp.SerializedIdentity`.
    pub identity: &'a [u8],
    /// In DER.
    pub signature: &'a [u8],
}

/// The signer of each signature that holds; all signatures are verified in one batch.
///
/// It does not look at [`Identity::validity`].
#[must_use]
pub fn valid_signers(msps: &MspManager, verifier: &Verifier, signed: &[Signed<'_>]) -> Vec<Option<Arc<Identity>>> {
    let mut signers: Vec<_> = signed.iter().map(|signed| msps.identity(signed.identity).ok()).collect();
    let known = signers.clone();
    let mut batch = Vec::new();
    for (index, (known, signed)) in known.iter().zip(signed).enumerate() {
        let Some(known) = known else { continue };
        match known.key() {
            VerifyingKey::P256(key) => match Signature::from_der(signed.signature) {
                Ok(signature) => batch.push((index, Job { key, digest: sha256(&[signed.message]), signature })),
                Err(_) => signers[index] = None,
            },
            VerifyingKey::Other(_) if known.verify(&[signed.message], signed.signature).is_ok() => {}
            VerifyingKey::Other(_) => signers[index] = None,
        }
    }
    let jobs: Vec<_> = batch.iter().map(|(_, job)| *job).collect();
    let mut verdicts = vec![false; jobs.len()];
    verifier.verify_batch(&jobs, &mut verdicts);
    for ((index, _), verdict) in batch.iter().zip(verdicts) {
        if !verdict {
            signers[*index] = None;
        }
    }
    signers
}
