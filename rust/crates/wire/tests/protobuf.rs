// SPDX-License-Identifier: Apache-2.0
//! Go's decoding rules, one by one. The expectations were read off `google.golang.org/protobuf` (`proto/decode.go`,
//! `internal/impl/codec_field.go`, `encoding/protowire`).

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use fastledger_wire::common::{ChannelHeader, Envelope, Payload};
use fastledger_wire::configtx::{ConfigGroup, ConfigValue};
use fastledger_wire::policies::{ApplicationPolicy, SignaturePolicy};
use fastledger_wire::protobuf::{DECODE_STACK_BYTES, MAX_DEPTH};
use fastledger_wire::rwset::{KvRead, RangeQueryInfo, ReadsInfo};
use fastledger_wire::{DecodeError, Message, encode};

fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::present_field(&mut bytes, number, content);
    bytes
}

#[test]
fn the_last_scalar_wins() {
    let bytes = [field(1, b"first"), field(1, b"second")].concat();
    assert_eq!(Envelope::decode(&bytes).unwrap().payload, b"second");
}

#[test]
fn a_repeated_message_is_merged() {
    let bytes = [field(1, &field(1, b"channel")), field(1, &field(2, b"signature"))].concat();
    let header = Payload::decode(&bytes).unwrap().header.unwrap();
    assert_eq!((header.channel_header, header.signature_header), (b"channel".as_slice(), b"signature".as_slice()));
}

#[test]
fn another_wire_type_is_an_unknown_field() {
    let bytes = [&[0x08, 7][..], &field(2, b"signature")].concat(); // field 1 as a varint
    let envelope = Envelope::decode(&bytes).unwrap();
    assert_eq!((envelope.payload, envelope.signature), (b"".as_slice(), b"signature".as_slice()));
}

#[test]
fn numbers_are_truncated_and_any_bit_is_true() {
    let bytes = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(ChannelHeader::decode(&bytes).unwrap().r#type, -1);
    assert!(RangeQueryInfo::decode(&[0x18, 0x80, 0x02]).unwrap().itr_exhausted);
}

#[test]
fn text_must_be_utf_8_but_unknown_fields_need_not() {
    assert_eq!(ChannelHeader::decode(&field(4, b"\xff")), Err(DecodeError::Utf8));
    assert!(ChannelHeader::decode(&field(99, b"\xff")).is_ok());
    assert_eq!(ChannelHeader::decode(&field(4, b"\xed\xa0\x80")), Err(DecodeError::Utf8)); // a lone surrogate
}

#[test]
fn malformed_input_is_told_apart() {
    for (bytes, error) in [
        (&[0x0a, 5, 1][..], DecodeError::Truncated),
        (&[0x80], DecodeError::Truncated),
        (&[0x00, 0], DecodeError::FieldNumber),
        (&[0x0f], DecodeError::WireType),
        (&[0x0c], DecodeError::Group),
        (&[0x1b, 0x24], DecodeError::Group),
        (&[0x1b], DecodeError::Truncated),
        (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], DecodeError::VarintOverflow),
        (&[0x80, 0x80, 0x80, 0x80, 0x10, 0], DecodeError::FieldNumber),
    ] {
        assert_eq!(Envelope::decode(bytes), Err(error), "{bytes:02x?}");
    }
}

#[test]
fn groups_are_skipped_whatever_they_hold() {
    let bytes = [&[0x1b, 0x08, 1, 0x23, 0x24, 0x12, 1, b'x', 0x1c][..], &field(1, b"payload")].concat();
    assert_eq!(Envelope::decode(&bytes).unwrap().payload, b"payload");
}

#[test]
fn a_map_keeps_the_last_entry_of_a_key_whole() {
    let entry = |version: u8| field(2, &[field(1, b"org"), field(2, &[0x08, version])].concat());
    let only_mod_policy = field(2, &[field(1, b"org"), field(2, &field(5, b"Admins"))].concat());
    let bytes = [entry(1), entry(2), only_mod_policy].concat();
    let group = ConfigGroup::decode(&bytes).unwrap();
    assert_eq!(group.groups.len(), 1);
    assert_eq!((group.groups["org"].version, group.groups["org"].mod_policy), (0, "Admins"));
}

#[test]
fn a_oneof_merges_the_same_case_and_replaces_another() {
    let n = |n: u8| field(2, &[0x08, n]);
    let rule = field(2, &field(2, &[0x08, 0]));
    assert!(matches!(
        SignaturePolicy::decode(&[n(1), rule.clone()].concat()).unwrap(),
        SignaturePolicy::NOutOf(rule) if rule.n == 1 && rule.rules == [SignaturePolicy::SignedBy(0)]
    ));
    let replaced = [n(1), vec![0x08, 3]].concat();
    assert_eq!(SignaturePolicy::decode(&replaced).unwrap(), SignaturePolicy::SignedBy(3));
    let reference = [field(1, b""), field(2, b"/Channel")].concat();
    assert_eq!(
        ApplicationPolicy::decode(&reference).unwrap(),
        ApplicationPolicy::ChannelConfigPolicyReference("/Channel")
    );
    let bytes = field(4, &field(1, &field(1, b"key")));
    let raw = RangeQueryInfo::decode(&bytes).unwrap();
    assert!(matches!(raw.reads_info, ReadsInfo::RawReads(reads) if reads.kv_reads[0].key == "key"));
}

#[test]
fn an_absent_version_is_not_version_zero() {
    assert_eq!(KvRead::decode(&field(1, b"key")).unwrap().version, None);
    assert!(KvRead::decode(&[field(1, b"key"), field(2, b"")].concat()).unwrap().version.is_some());
}

#[test]
fn nesting_ends_where_go_ends_it() {
    let nested = |levels: u32| {
        let mut policy = vec![0x08, 0];
        for _ in 0..levels {
            policy = field(2, &field(2, &policy));
        }
        policy
    };
    // Every rule is two messages: the policy and its NOutOf.
    let decode = move |levels| {
        let bytes = nested(levels);
        SignaturePolicy::decode(&bytes).map(drop)
    };
    std::thread::Builder::new()
        .stack_size(DECODE_STACK_BYTES)
        .spawn(move || {
            assert_eq!(decode(MAX_DEPTH / 2 - 1), Ok(()));
            assert_eq!(decode(MAX_DEPTH / 2), Err(DecodeError::Depth));
        })
        .unwrap()
        .join()
        .unwrap();
}

/// `equalUnknown` of Go's `proto.Equal`: fields of one number in their order, those of others in any.
#[test]
fn fields_that_a_view_keeps_are_compared_as_go_does() {
    let value = |bytes: &'static [u8]| ConfigValue::decode(bytes).unwrap();
    let both = value(&[0x18 | 0x40, 1, 8, 5, 0x60, 2]); // fields 11, 1, 12
    assert_eq!((both.version, both.unknown.fields().count()), (5, 2));
    assert_eq!(both, value(&[8, 5, 0x60, 2, 0x58, 1]));
    // Go writes tags anew, values it keeps as they were.
    assert_eq!(both, value(&[8, 5, 0xe0, 0x00, 2, 0x58, 1]));
    assert_ne!(both, value(&[8, 5, 0x60, 0x82, 0x00, 0x58, 1]));
    assert_ne!(both, value(&[8, 5, 0x60, 2]));
    assert_ne!(value(&[0x60, 1, 0x60, 2]), value(&[0x60, 2, 0x60, 1]));
    // A known field of another wire type is an unknown one.
    assert_ne!(value(&[10, 1, 7]), value(&[]));
}
