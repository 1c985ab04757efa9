// SPDX-License-Identifier: Apache-2.0
//! Envelopes as an orderer takes them in.

use fastledger_wire::common::{ChannelHeader, Envelope, Payload, SignatureHeader};
use fastledger_wire::{Message, encode};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Payload, signature, channel, header type and creator of an envelope.
type Opened<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, String, i32, Bound<'py, PyBytes>);

/// Takes an envelope apart that is encoded as Fabric encodes it; none where anything about it is out of the ordinary.
#[pyfunction]
pub(crate) fn open_envelope<'py>(py: Python<'py>, encoded: &[u8]) -> Option<Opened<'py>> {
    let envelope = Envelope::decode(encoded).ok()?;
    let header = Payload::decode(envelope.payload).ok()?.header?;
    let channel = ChannelHeader::decode(header.channel_header).ok()?;
    let creator = SignatureHeader::decode(header.signature_header).ok()?.creator;
    if header.channel_header.is_empty() || !is_canonical(&envelope, encoded) {
        return None;
    }
    let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
    let (payload, signature) = (bytes(envelope.payload), bytes(envelope.signature));
    Some((payload, signature, channel.channel_id.to_owned(), channel.r#type, bytes(creator)))
}

/// The channel and header type of an envelope, and the bytes of its payload and signature; none where anything about it is out of
/// the ordinary.
#[pyfunction]
pub(crate) fn route_envelope(encoded: &[u8]) -> Option<(String, i32, usize)> {
    let envelope = Envelope::decode(encoded).ok()?;
    let header = Payload::decode(envelope.payload).ok()?.header?;
    let channel = ChannelHeader::decode(header.channel_header).ok()?;
    SignatureHeader::decode(header.signature_header).ok()?;
    let size = envelope.payload.len() + envelope.signature.len();
    let is_plain = !header.channel_header.is_empty() && is_canonical(&envelope, encoded);
    is_plain.then(|| (channel.channel_id.to_owned(), channel.r#type, size))
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
