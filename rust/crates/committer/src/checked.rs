// SPDX-License-Identifier: Apache-2.0
//! Entries with their identities looked up and their signatures verified, many at once.
//!
//! Nothing here depends on committed state, only on the configuration in force, so blocks ahead of the one being
//! committed are checked already. A [`Chunk`] is the unit of work: it owns a share of the block's bytes and what was
//! found in them, and moves between threads whole.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use fastledger_crypto::{Job, Signature, Verifier, sha256_many};
use fastledger_identity::{ChannelConfig, Identity, Signers, VerifyingKey};
use self_cell::self_cell;

use crate::timings::{Stage, Stopwatch, Timings};
use crate::transaction::{Body, Entry};
use crate::well_formed;

/// What became of one endorsement: the identity whose signature holds, or why it does not count.
pub(crate) type EndorsementCheck = Result<Arc<Identity>, String>;

/// An entry of a block with its signatures judged.
#[derive(Debug)]
pub(crate) struct Checked<'a> {
    pub entry: Entry<'a>,
    /// Whether the entry is exactly one envelope.
    pub well_formed: Result<(), String>,
    /// The creator, or why it is not one. Meaningless where the entry is malformed.
    pub creator: Result<Arc<Identity>, String>,
    /// One for each endorsement of the transaction.
    pub endorsements: Vec<EndorsementCheck>,
}

impl Checked<'_> {
    /// Endorsers whose signature holds, each once.
    pub(crate) fn endorsers(&self) -> Signers {
        self.endorsements.iter().flatten().cloned().collect()
    }
}

/// Some consecutive entries of a block's bytes.
#[derive(Debug)]
pub(crate) struct Share {
    pub block: Bytes,
    /// Where the entries stand in `block`.
    pub entries: Vec<Range<usize>>,
}

type CheckedEntries<'a> = Vec<Checked<'a>>;

self_cell!(
    /// Checked entries together with the bytes they borrow from.
    pub(crate) struct Chunk {
        owner: Share,
        #[covariant]
        dependent: CheckedEntries,
    }

    impl { Debug }
);

impl Chunk {
    /// Takes the entries of a share apart and judges their signatures.
    pub(crate) fn check(share: Share, config: &ChannelConfig, verifier: &Verifier, timings: &mut Timings) -> Self {
        Self::new(share, |share| {
            let watch = Stopwatch::start();
            let entries = parse(share);
            timings.count(Stage::Parse, watch.spent());
            let watch = Stopwatch::start();
            let checked = check_signatures(entries, config, verifier);
            timings.count(Stage::Verify, watch.spent());
            checked
        })
    }
}

struct Parsed<'a> {
    entry: Entry<'a>,
    well_formed: Result<(), String>,
}

fn parse(share: &Share) -> Vec<Parsed<'_>> {
    let bytes = share.entries.iter().map(|range| &share.block[range.clone()]);
    let well_formed = bytes.clone().map(well_formed::check);
    Entry::parse_all(bytes)
        .into_iter()
        .zip(well_formed)
        .map(|(entry, well_formed)| Parsed { entry, well_formed })
        .collect()
}

/// What a signature is of: bytes, and what follows them.
type Signable<'a> = [&'a [u8]; 2];

/// A signature waiting for the batch, and where its outcome goes.
struct Pending<'a> {
    entry: usize,
    /// Index of the endorsement, none for the creator's signature.
    endorsement: Option<usize>,
    identity: Arc<Identity>,
    signature: Signature,
    message: Signable<'a>,
}

fn check_signatures<'a>(entries: Vec<Parsed<'a>>, config: &ChannelConfig, verifier: &Verifier) -> Vec<Checked<'a>> {
    let mut batch = Vec::with_capacity(entries.len() * 3);
    let mut checked: Vec<_> =
        entries.into_iter().enumerate().map(|(index, entry)| check_entry(index, entry, config, &mut batch)).collect();
    for (pending, valid) in batch.iter().zip(verify(&batch, verifier)) {
        let outcome =
            if valid { Ok(Arc::clone(&pending.identity)) } else { Err("the signature does not match".to_owned()) };
        let entry = &mut checked[pending.entry];
        match pending.endorsement {
            None => entry.creator = outcome,
            Some(endorsement) => entry.endorsements[endorsement] = outcome,
        }
    }
    checked
}

fn check_entry<'a>(
    index: usize,
    Parsed { entry, well_formed }: Parsed<'a>,
    config: &ChannelConfig,
    batch: &mut Vec<Pending<'a>>,
) -> Checked<'a> {
    let Ok(signed) = &entry.signed else {
        return Checked { entry, well_formed, creator: Err(String::new()), endorsements: Vec::new() };
    };
    let mut pending =
        |endorsement, identity: Result<Arc<Identity>, String>, message: Signable<'a>, signature: &[u8]| {
            check_signature(identity?, &message, signature, |identity, signature| {
                batch.push(Pending { entry: index, endorsement, identity, signature, message });
            })
        };
    let message: Signable<'a> = [signed.payload, &[]];
    let creator = pending(
        None,
        creator(signed.channel_header.channel_id, signed.signature_header.creator, config),
        message,
        signed.signature,
    );
    let endorsements = match &signed.body {
        Ok(Body::Endorser(tx)) => tx
            .endorsements
            .iter()
            .enumerate()
            .map(|(number, endorsement)| {
                let identity = config.msps().identity(endorsement.endorser).map_err(|error| error.to_string());
                let message = [tx.proposal_response_payload, endorsement.endorser];
                pending(Some(number), identity, message, endorsement.signature)
            })
            .collect(),
        _ => Vec::new(),
    };
    Checked { entry, well_formed, creator, endorsements }
}

/// `checkSignatureFromCreator` up to the signature itself.
fn creator(channel_id: &str, creator: &[u8], config: &ChannelConfig) -> Result<Arc<Identity>, String> {
    if channel_id != config.channel_id() {
        return Err(format!("channel {channel_id:?} has no MSPs here, this is {:?}", config.channel_id()));
    }
    let identity = config.msps().identity(creator).map_err(|error| error.to_string())?;
    identity.validity().map_err(ToString::to_string)?;
    Ok(identity)
}

/// Hands a P-256 signature to the batch, provisionally a failure; verifies any other kind at once.
fn check_signature(
    identity: Arc<Identity>,
    message: &Signable<'_>,
    signature: &[u8],
    defer: impl FnOnce(Arc<Identity>, Signature),
) -> Result<Arc<Identity>, String> {
    if let VerifyingKey::P256(_) = identity.key() {
        let signature = Signature::from_der(signature).map_err(|error| error.to_string())?;
        defer(identity, signature);
        return Err("not verified".to_owned());
    }
    identity.verify(message, signature).map_err(|error| error.to_string())?;
    Ok(identity)
}

fn verify(batch: &[Pending<'_>], verifier: &Verifier) -> Vec<bool> {
    let messages: Vec<_> = batch.iter().map(|pending| &pending.message[..]).collect();
    let mut digests = vec![[0; 32]; batch.len()];
    sha256_many(&messages, &mut digests);
    let jobs: Vec<_> = batch
        .iter()
        .zip(digests)
        .filter_map(|(pending, digest)| match pending.identity.key() {
            VerifyingKey::P256(key) => Some(Job { key, digest, signature: pending.signature }),
            VerifyingKey::Other(_) => None,
        })
        .collect();
    let mut valid = vec![false; jobs.len()];
    verifier.verify_batch(&jobs, &mut valid);
    valid
}
