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

fn is_canonical(envelope: &Envelope<'_>, encoded: &[u8]) -> bool {
    let mut canonical = Vec::with_capacity(encoded.len());
    encode::bytes_field(&mut canonical, 1, envelope.payload);
    encode::bytes_field(&mut canonical, 2, envelope.signature);
    canonical == encoded
}
