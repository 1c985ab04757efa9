// SPDX-License-Identifier: Apache-2.0
//! Entries with their identities looked up and their signatures verified, many at once.
//!
//! Nothing here depends on committed state, only on the configuration in force, so blocks ahead of the one being
//! committed are checked already. A [`Chunk`] is the unit of work: it owns a share of the block's bytes and what was
//! found in them, and moves between threads whole.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use fastledger_crypto::{Job, Signature, Verifier, sha256_many};
use fastledger_identity::{ChannelConfig, Identity, Signers, VerifyingKey};
use fastledger_wire::Hash;
use fastledger_wire::hash::Beginning;
use fastledger_wire::peer::Endorsement;
use self_cell::self_cell;

use crate::incoming::{Incoming, Span};
use crate::timings::{Stage, Stopwatch, Timings};
use crate::transaction::{Body, EndorserTransaction, Entry};

/// What became of one signature: the identity whose it is and whose it holds, or why it does not count. The text is shared
/// where much is signed alike.
pub(crate) type SignatureCheck = Result<Arc<Identity>, Arc<str>>;

/// An entry of a block with its signatures judged.
#[derive(Debug)]
pub(crate) struct Checked<'a> {
    pub entry: Entry<'a>,
    /// None where the entry is malformed.
    signatures: Option<Box<Signatures>>,
}

#[derive(Debug)]
struct Signatures {
    creator: SignatureCheck,
    /// One for each endorsement of the transaction.
    endorsements: Vec<SignatureCheck>,
}

impl Checked<'_> {
    /// The creator, or why it is not one; of a malformed entry there is none.
    pub(crate) fn creator(&self) -> Result<&Arc<Identity>, &Arc<str>> {
        static NONE: LazyLock<Arc<str>> = LazyLock::new(|| "the entry is malformed".into());
        self.signatures.as_ref().map_or(Err(&*NONE), |signatures| signatures.creator.as_ref())
    }

    /// One for each endorsement of the transaction.
    pub(crate) fn endorsements(&self) -> &[SignatureCheck] {
        self.signatures.as_ref().map_or(&[], |signatures| &signatures.endorsements)
    }

    /// Endorsers whose signature holds, each once.
    pub(crate) fn endorsers(&self) -> Signers {
        self.endorsements().iter().flatten().cloned().collect()
    }
}

/// Some consecutive entries of a block's bytes.
#[derive(Debug)]
pub(crate) struct Share {
    pub block: Bytes,
    /// Where the block's entries stand in it, and which of them these are.
    pub entries: (Arc<[Span]>, Range<usize>),
}

impl Share {
    /// Everything.
    pub(crate) fn all(incoming: &Incoming) -> Self {
        let entries = Arc::clone(&incoming.entries);
        let all = 0..entries.len();
        Self { block: incoming.bytes.clone(), entries: (entries, all) }
    }
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
            let (spans, part) = &share.entries;
            let entries: Vec<_> = spans[part.clone()].iter().map(|span| span.of(&share.block)).collect();
            let entries = Entry::parse_all(&entries);
            timings.count(Stage::Parse, watch.spent());
            let watch = Stopwatch::start();
            let checked = check_signatures(entries, config, verifier);
            timings.count(Stage::Verify, watch.spent());
            checked
        })
    }
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
    /// The message's digest where that is known already.
    digest: Option<Hash>,
}

/// From so many endorsements of one transaction on, what they all begin with is hashed once for all; for fewer it is
/// faster to hash them side by side.
const MANY_ENDORSEMENTS: usize = 16;

fn check_signatures<'a>(entries: Vec<Entry<'a>>, config: &ChannelConfig, verifier: &Verifier) -> Vec<Checked<'a>> {
    let mut batch = Vec::with_capacity(entries.len() * 3);
    let mut checked: Vec<_> =
        entries.into_iter().enumerate().map(|(index, entry)| check_entry(index, entry, config, &mut batch)).collect();
    for (pending, valid) in batch.iter().zip(verify(&batch, verifier)) {
        let outcome = if valid { Ok(Arc::clone(&pending.identity)) } else { Err(Arc::clone(&MISMATCH)) };
        let Some(signatures) = &mut checked[pending.entry].signatures else { continue };
        match pending.endorsement {
            None => signatures.creator = outcome,
            Some(endorsement) => signatures.endorsements[endorsement] = outcome,
        }
    }
    checked
}

fn check_entry<'a>(
    index: usize,
    entry: Entry<'a>,
    config: &ChannelConfig,
    batch: &mut Vec<Pending<'a>>,
) -> Checked<'a> {
    let Ok(signed) = entry.signed() else { return Checked { entry, signatures: None } };
    let mut pending = |endorsement, identity: SignatureCheck, message: Signable<'a>, signature: &[u8], digest| {
        check_signature(identity?, &message, signature, |identity, signature| {
            batch.push(Pending { entry: index, endorsement, identity, signature, message, digest });
        })
    };
    let message: Signable<'a> = [signed.payload, &[]];
    let creator = pending(
        None,
        creator(signed.channel_header.channel_id, signed.signature_header.creator, config),
        message,
        signed.signature,
        None,
    );
    let endorsements = match &signed.body {
        Ok(Body::Endorser(tx)) => {
            let shared = shared_beginning(tx);
            let mut unknown = None;
            let check = |(number, endorsement): (usize, &Endorsement<'a>)| {
                let identity = endorser(endorsement.endorser, config, &mut unknown);
                let message = [tx.proposal_response_payload, endorsement.endorser];
                let digest = shared.as_ref().map(|shared| shared.followed_by(&[endorsement.endorser]));
                pending(Some(number), identity, message, endorsement.signature, digest)
            };
            tx.endorsements.iter().enumerate().map(check).collect()
        }
        _ => Vec::new(),
    };
    Checked { entry, signatures: Some(Box::new(Signatures { creator, endorsements })) }
}

/// An endorser by its bytes. `unknown` keeps the last bytes that were none and why, because a transaction may be full of
/// endorsements by the same nobody.
fn endorser<'a>(bytes: &'a [u8], config: &ChannelConfig, unknown: &mut Option<(&'a [u8], Arc<str>)>) -> SignatureCheck {
    if let Some((_, text)) = unknown.as_ref().filter(|(same, _)| *same == bytes) {
        return Err(Arc::clone(text));
    }
    config.msps().identity(bytes).map_err(|error| {
        let text: Arc<str> = error.to_string().into();
        *unknown = Some((bytes, Arc::clone(&text)));
        text
    })
}

fn shared_beginning(tx: &EndorserTransaction<'_>) -> Option<Beginning> {
    (tx.endorsements.len() >= MANY_ENDORSEMENTS).then(|| Beginning::new(tx.proposal_response_payload))
}

/// `checkSignatureFromCreator` up to the signature itself.
fn creator(channel_id: &str, creator: &[u8], config: &ChannelConfig) -> SignatureCheck {
    if channel_id != config.channel_id() {
        return Err(format!("channel {channel_id:?} has no MSPs here, this is {:?}", config.channel_id()).into());
    }
    let identity = config.msps().identity(creator).map_err(|error| text(&error))?;
    identity.validity().map_err(|error| text(&error))?;
    Ok(identity)
}

fn text(error: &impl ToString) -> Arc<str> {
    error.to_string().into()
}

/// What becomes of a signature that does not hold, and of each until it is verified.
static MISMATCH: LazyLock<Arc<str>> = LazyLock::new(|| "the signature does not match".into());

/// Hands a P-256 signature to the batch, provisionally a failure; verifies any other kind at once.
fn check_signature(
    identity: Arc<Identity>,
    message: &Signable<'_>,
    signature: &[u8],
    defer: impl FnOnce(Arc<Identity>, Signature),
) -> SignatureCheck {
    if let VerifyingKey::P256(_) = identity.key() {
        let signature = Signature::from_der(signature).map_err(|error| text(&error))?;
        defer(identity, signature);
        return Err(Arc::clone(&MISMATCH));
    }
    identity.verify(message, signature).map_err(|error| text(&error))?;
    Ok(identity)
}

fn verify(batch: &[Pending<'_>], verifier: &Verifier) -> Vec<bool> {
    let unhashed = batch.iter().filter(|pending| pending.digest.is_none());
    let messages: Vec<_> = unhashed.map(|pending| &pending.message[..]).collect();
    let mut digests = vec![[0; 32]; messages.len()];
    sha256_many(&messages, &mut digests);
    let mut digests = digests.into_iter();
    let jobs: Vec<_> = batch
        .iter()
        .filter_map(|pending| {
            let digest = pending.digest.or_else(|| digests.next())?;
            match pending.identity.key() {
                VerifyingKey::P256(key) => Some(Job { key, digest, signature: pending.signature }),
                VerifyingKey::Other(_) => None,
            }
        })
        .collect();
    let mut valid = vec![false; jobs.len()];
    verifier.verify_batch(&jobs, &mut valid);
    valid
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;
    use fastledger_vectors::Corpus;

    #[test]
    fn an_unknown_endorser_is_looked_up_once_however_often_it_stands_there() {
        let corpus = Corpus::kept("fabric-3.1/small");
        let config = ChannelConfig::from_block(corpus.delivered_blocks()[0]).unwrap();
        let mut unknown = None;
        let mut text = |bytes| endorser(bytes, &config, &mut unknown).unwrap_err();
        let first = text(b"");
        assert!((0..100).all(|_| Arc::ptr_eq(&text(b""), &first)));
        assert!(!Arc::ptr_eq(&text(b"\x0a\x01x"), &first));
        assert_eq!(*text(b""), *first);
        assert!(size_of::<SignatureCheck>() <= 16 && size_of::<Checked<'_>>() <= 24);
    }
}
