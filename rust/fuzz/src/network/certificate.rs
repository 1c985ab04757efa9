// SPDX-License-Identifier: Apache-2.0
//! X.509 certificates, written element by element.

use fastledger_wire::hash::sha256;

use super::{Key, Member};

pub(super) const INTEGER: u8 = 0x02;
pub(super) const SEQUENCE: u8 = 0x30;
const BOOLEAN: u8 = 0x01;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SET: u8 = 0x31;

const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const UNIT: &[u8] = &[0x55, 4, 11];

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes one DER element, shorter than 16 MiB.
#[must_use]
pub fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        0x80..0x100 => out.extend([0x81, length as u8]),
        0x100..0x10000 => out.extend([0x82, (length >> 8) as u8, length as u8]),
        _ => out.extend([0x83, (length >> 16) as u8, (length >> 8) as u8, length as u8]),
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// The authority of an organization, certified by itself.
pub(super) fn authority(mspid: &'static str) -> Member {
    let key = Key::named(&format!("{mspid} authority"));
    let name = name(&format!("ca.{mspid}"), "");
    let pem = certificate(&name, &key, &name, &key, 1, true);
    Member { mspid, unit: "ca", key, pem, serial: 1 }
}

/// A member of the authority's organization.
pub(super) fn member(authority: &Member, unit: &'static str, serial: u8) -> Member {
    let mspid = authority.mspid;
    let key = Key::named(&format!("{mspid} {unit} {serial}"));
    let issuer = name(&format!("ca.{mspid}"), "");
    let subject = name(&format!("{unit}{serial}.{mspid}"), unit);
    let pem = certificate(&issuer, &authority.key, &subject, &key, serial, false);
    Member { mspid, unit, key, pem, serial }
}

/// A revocation list of the authority that names these serial numbers (RFC 5280, 5.1).
#[must_use]
pub fn revocation_list(authority: &Member, serials: &[u8]) -> Vec<u8> {
    let revoked: Vec<_> = serials
        .iter()
        .map(|serial| element(SEQUENCE, &[&element(INTEGER, &[&[*serial]]), &element(UTC_TIME, &[b"250101000000Z"])]))
        .collect();
    let key_id = key_id(&authority.key);
    let authority_key = extension(&[0x55, 0x1d, 35], false, &element(SEQUENCE, &[&element(0x80, &[&key_id])]));
    let tbs = element(
        SEQUENCE,
        &[
            &element(INTEGER, &[&[1]]),
            &algorithm(),
            &name(&format!("ca.{}", authority.mspid), ""),
            &element(UTC_TIME, &[b"250101000000Z"]),
            &element(SEQUENCE, &[&revoked.concat()]),
            &element(0xa0, &[&element(SEQUENCE, &[&authority_key])]),
        ],
    );
    pem("X509 CRL", &signed(&tbs, &authority.key))
}

fn certificate(issuer: &[u8], issuer_key: &Key, subject: &[u8], key: &Key, serial: u8, is_ca: bool) -> Vec<u8> {
    let key_info = element(
        SEQUENCE,
        &[
            &element(SEQUENCE, &[&element(OID, &[EC_PUBLIC_KEY]), &element(OID, &[P256])]),
            &element(BIT_STRING, &[&[0], key.point()]),
        ],
    );
    let constraints: &[u8] = if is_ca { &[BOOLEAN, 1, 0xff] } else { &[] };
    // keyCertSign and cRLSign, or digitalSignature.
    let usage: &[u8] = if is_ca { &[BIT_STRING, 2, 1, 0x06] } else { &[BIT_STRING, 2, 7, 0x80] };
    let extensions = [
        extension(&[0x55, 0x1d, 15], true, usage),
        extension(&[0x55, 0x1d, 19], true, &element(SEQUENCE, &[constraints])),
        extension(&[0x55, 0x1d, 14], false, &element(OCTET_STRING, &[&key_id(key)])),
        extension(&[0x55, 0x1d, 35], false, &element(SEQUENCE, &[&element(0x80, &[&key_id(issuer_key)])])),
    ];
    let validity = [element(UTC_TIME, &[b"250101000000Z"]), element(UTC_TIME, &[b"450101000000Z"])];
    let tbs = element(
        SEQUENCE,
        &[
            &element(0xa0, &[&element(INTEGER, &[&[2]])]),
            &element(INTEGER, &[&[serial]]),
            &algorithm(),
            issuer,
            &element(SEQUENCE, &[&validity.concat()]),
            subject,
            &key_info,
            &element(0xa3, &[&element(SEQUENCE, &[&extensions.concat()])]),
        ],
    );
    pem("CERTIFICATE", &signed(&tbs, issuer_key))
}

/// A certificate or list, signed anew by this key; as it is where it is neither.
#[must_use]
pub fn signed_anew(der: &[u8], key: &Key) -> Vec<u8> {
    let content = der.get(4..).filter(|_| der.starts_with(&[SEQUENCE, 0x82]));
    let length = |content: &[u8]| Some(4 + usize::from(u16::from_be_bytes([*content.get(2)?, *content.get(3)?])));
    let tbs =
        content.and_then(|content| content.get(..length(content)?)).filter(|tbs| tbs.starts_with(&[SEQUENCE, 0x82]));
    tbs.map_or_else(|| der.to_vec(), |tbs| signed(tbs, key))
}

fn signed(tbs: &[u8], key: &Key) -> Vec<u8> {
    element(SEQUENCE, &[tbs, &algorithm(), &element(BIT_STRING, &[&[0], &key.sign(&[tbs])])])
}

fn algorithm() -> Vec<u8> {
    element(SEQUENCE, &[&element(OID, &[ECDSA_WITH_SHA256])])
}

fn name(common_name: &str, unit: &str) -> Vec<u8> {
    let attribute = |kind, value: &str| {
        let value = element(UTF8_STRING, &[value.as_bytes()]);
        element(SET, &[&element(SEQUENCE, &[&element(OID, &[kind]), &value])])
    };
    let unit = if unit.is_empty() { Vec::new() } else { attribute(UNIT, unit) };
    element(SEQUENCE, &[&unit, &attribute(COMMON_NAME, common_name)])
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[BOOLEAN, 1, 0xff] } else { &[] };
    element(SEQUENCE, &[&element(OID, &[oid]), critical, &element(OCTET_STRING, &[value])])
}

fn key_id(key: &Key) -> Vec<u8> {
    sha256(&[key.point()]).to_vec()
}

/// What stands in a PEM text of one block.
#[must_use]
pub fn from_pem(pem: &[u8]) -> Vec<u8> {
    let text: Vec<u8> =
        pem.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"-")).flatten().copied().collect();
    let mut der = Vec::new();
    for group in text.chunks(4) {
        let digits = group.iter().filter(|digit| **digit != b'=').count();
        let value = group
            .iter()
            .fold(0u32, |value, digit| value << 6 | BASE64.iter().position(|known| known == digit).unwrap_or(0) as u32);
        der.extend_from_slice(&value.to_be_bytes()[1..digits]);
    }
    der
}

/// A PEM text of this label.
#[must_use]
pub fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in base64(der).as_bytes().chunks(64) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text.into_bytes()
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = BASE64[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
