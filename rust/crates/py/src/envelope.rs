// SPDX-License-Identifier: Apache-2.0
//! Envelopes as an orderer takes them in.

use fastledger_identity::{ChannelConfig, Policy, Signed, expires_at, valid_signers};
use fastledger_wire::common::{ChannelHeader, Envelope, Payload, SignatureHeader};
use fastledger_wire::{Message, encode};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::identity::verifier;

/// Payload, signature, channel, header type and creator of an envelope.
type Opened<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, String, i32, Bound<'py, PyBytes>);

/// Takes an envelope apart that is encoded as Fabric encodes it; none where anything about it is out of the ordinary.
#[pyfunction]
pub(crate) fn open_envelope<'py>(py: Python<'py>, encoded: &[u8]) -> Option<Opened<'py>> {
    let Parts { envelope, channel, creator } = Parts::of(encoded)?;
    let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
    let (payload, signature) = (bytes(envelope.payload), bytes(envelope.signature));
    Some((payload, signature, channel.channel_id.to_owned(), channel.r#type, bytes(creator)))
}

/// An envelope taken apart.
struct Parts<'a> {
    envelope: Envelope<'a>,
    channel: ChannelHeader<'a>,
    creator: &'a [u8],
}

impl<'a> Parts<'a> {
    /// None where anything about it is out of the ordinary.
    fn of(encoded: &'a [u8]) -> Option<Self> {
        let envelope = Envelope::decode(encoded).ok()?;
        let header = Payload::decode(envelope.payload).ok()?.header?;
        let channel = ChannelHeader::decode(header.channel_header).ok()?;
        let creator = SignatureHeader::decode(header.signature_header).ok()?.creator;
        let is_plain = !header.channel_header.is_empty() && is_canonical(&envelope, encoded);
        is_plain.then_some(Self { envelope, channel, creator })
    }

    /// Bytes of payload and signature.
    fn size(&self) -> usize {
        self.envelope.payload.len() + self.envelope.signature.len()
    }

    fn signed(&self) -> Signed<'a> {
        Signed { message: self.envelope.payload, identity: self.creator, signature: self.envelope.signature }
    }
}

/// Of each envelope the channel, the header type, and the bytes of payload and signature; none where anything about it is out of
/// the ordinary.
#[pyfunction]
pub(crate) fn route_envelopes(envelopes: Vec<PyBackedBytes>) -> Vec<Option<(String, i32, usize)>> {
    let route = |parts: Parts<'_>| (parts.channel.channel_id.to_owned(), parts.channel.r#type, parts.size());
    envelopes.iter().map(|encoded| Parts::of(encoded).map(route)).collect()
}

/// What a channel asks of messages that are to be ordered.
pub(crate) struct Rules<'a> {
    /// Bytes of payload and signature at most.
    pub(crate) max_bytes: usize,
    /// The time, seconds since 1970, at which a client's certificate must not have ended; none where it may.
    pub(crate) now: Option<f64>,
    /// What the client has to satisfy.
    pub(crate) policy: &'a Policy,
}

/// Which envelopes keep the rules; their signatures are verified in one batch.
pub(crate) fn admitted(envelopes: &[PyBackedBytes], config: &ChannelConfig, rules: &Rules<'_>) -> Vec<bool> {
    let parts: Vec<_> =
        envelopes.iter().map(|encoded| Parts::of(encoded).filter(|parts| has_good_form(parts, rules))).collect();
    let signed: Vec<_> = parts.iter().flatten().map(Parts::signed).collect();
    let mut creators = valid_signers(config.msps(), verifier(), &signed).into_iter();
    let is_let_in = |part: &Option<Parts<'_>>| {
        let creator = part.as_ref().and_then(|_| creators.next()).flatten();
        creator.is_some_and(|creator| rules.policy.is_satisfied_by(std::slice::from_ref(&creator)))
    };
    parts.iter().map(is_let_in).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a second more or less decides nothing so far from now")]
fn has_good_form(parts: &Parts<'_>, rules: &Rules<'_>) -> bool {
    let has_ended = |now: f64| expires_at(parts.creator).is_some_and(|end| now >= end as f64);
    parts.size() <= rules.max_bytes && !rules.now.is_some_and(has_ended)
}

fn is_canonical(envelope: &Envelope<'_>, encoded: &[u8]) -> bool {
    let fields = [(1, envelope.payload), (2, envelope.signature)];
    let present = fields.into_iter().filter(|(_, field)| !field.is_empty());
    let rest = present.into_iter().try_fold(encoded, |rest, (number, field)| {
        let mut head = Vec::new();
        encode::field_head(&mut head, number, field.len());
        rest.strip_prefix(head.as_slice())?.get(field.len()..)
    });
    rest.is_some_and(<[u8]>::is_empty)
}
