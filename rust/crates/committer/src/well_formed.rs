// SPDX-License-Identifier: Apache-2.0
//! Whether an entry is exactly one envelope.
//!
//! A block's data hash is over the plain concatenation of its entries, so it says nothing about where one ends and
//! the next begins. What keeps the boundaries in place is that every entry must be the encoding of the envelope that
//! it decodes to (`protoutil.VerifyTransactionsAreWellFormed`, CVE-2023-46132).

use fastledger_wire::Message;
use fastledger_wire::common::Envelope;
use fastledger_wire::encode;
use fastledger_wire::protobuf::Reader;

/// The first of the entries that is none, and why.
pub(crate) fn first_malformed(entries: &[&[u8]]) -> Option<(usize, String)> {
    entries.iter().enumerate().find_map(|(index, entry)| Some((index, check(entry).err()?)))
}

/// Says what keeps an entry from being the encoding of an envelope with payload and signature.
fn check(entry: &[u8]) -> Result<(), String> {
    let envelope = Envelope::decode(entry).map_err(|error| format!("it cannot be decoded: {error}"))?;
    if envelope.payload.is_empty() {
        return Err("it has no payload".to_owned());
    }
    if envelope.signature.is_empty() {
        return Err("it has no signature".to_owned());
    }
    let unknown = strip_field(entry, 1, envelope.payload).and_then(|rest| strip_field(rest, 2, envelope.signature));
    match unknown {
        // Go keeps unknown fields as they came, behind the known ones.
        Some(unknown) if !has_known_field(unknown) => Ok(()),
        _ => Err("it is not the encoding of what it decodes to".to_owned()),
    }
}

fn strip_field<'a>(bytes: &'a [u8], number: u32, value: &[u8]) -> Option<&'a [u8]> {
    let mut head = Vec::with_capacity(6);
    encode::varint(&mut head, u64::from(number) << 3 | 2);
    encode::varint(&mut head, value.len() as u64);
    let rest = bytes.strip_prefix(head.as_slice())?;
    // A decoded value mostly stands right here; then there is nothing to compare.
    if std::ptr::eq(rest.as_ptr(), value.as_ptr()) {
        return rest.get(value.len()..);
    }
    rest.strip_prefix(value)
}

fn has_known_field(unknown: &[u8]) -> bool {
    let mut envelope = Envelope::default();
    let mut reader = Reader::new(unknown);
    while let Ok(Some((number, value))) = reader.field() {
        if envelope.merge_field(number, value, 0).unwrap_or(true) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::check;

    fn envelope(payload: &[u8], signature: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        fastledger_wire::encode::bytes_field(&mut bytes, 1, payload);
        fastledger_wire::encode::bytes_field(&mut bytes, 2, signature);
        bytes
    }

    #[test]
    fn an_envelope_is_well_formed_also_with_unknown_fields_behind() {
        let mut bytes = envelope(b"payload", b"signature");
        assert_eq!(check(&bytes), Ok(()));
        bytes.extend([0x18, 0x81, 0x00]); // field 3, a varint longer than need be
        assert_eq!(check(&bytes), Ok(()));
    }

    #[test]
    fn what_re_encodes_otherwise_is_not() {
        let swapped = [&[0x12, 1, b's'][..], &[0x0a, 1, b'p']].concat();
        let padded_length = [&[0x0a, 0x81, 0x00, b'p'][..], &[0x12, 1, b's']].concat();
        let twice = [envelope(b"p", b"s"), envelope(b"p", b"s")].concat();
        let unknown_first = [&[0x18, 1][..], &envelope(b"p", b"s")].concat();
        for bytes in [swapped, padded_length, twice, unknown_first] {
            assert!(check(&bytes).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn payload_and_signature_are_needed() {
        assert!(check(&envelope(b"", b"s")).is_err());
        assert!(check(&envelope(b"p", b"")).is_err());
        assert!(check(b"").is_err());
    }
}
