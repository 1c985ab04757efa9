// SPDX-License-Identifier: Apache-2.0
//! MSPs of any definition, and the identities that they are asked for: certificates, chains, revocation lists, OUs.
//!
//! Certificates and lists may be signed anew by the authority, so that what is behind the signature check is reached.
#![no_main]

use fastledger_fuzz::message::{Bytes, message, repeated};
use fastledger_fuzz::network::{Network, pem, signed_anew};
use fastledger_fuzz::{on_deep_stack, tree};
use fastledger_identity::{Identity, Msp, MspVersion};
use fastledger_wire::{Message, messages};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// Most certificates of a kind.
const MAX_CERTIFICATES: usize = 6;

messages! {
    /// A definition in DER, and who is asked for.
    Input<'a> {
        1 => version: u32,
        2 => roots: Vec<&'a [u8]>,
        3 => intermediates: Vec<&'a [u8]>,
        4 => admins: Vec<&'a [u8]>,
        5 => revocation_lists: Vec<&'a [u8]>,
        /// Other fields of a `FabricMSPConfig`.
        6 => rest: &'a [u8],
        7 => identities: Vec<&'a [u8]>,
        /// Which of them are signed anew: bits 0 to 4, in the order of the fields.
        8 => signed: u32,
        /// As they are, without PEM around them.
        9 => raw_identities: Vec<&'a [u8]>,
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(&mut data[..max_size], size, seed, 0, fuzzer_mutate)
});

fuzz_target!(|bytes: &[u8]| on_deep_stack(|| {
    let Ok(input) = Input::decode(bytes) else { return };
    let versions = [MspVersion::V1_0, MspVersion::V1_1, MspVersion::V1_3, MspVersion::V1_4_3, MspVersion::V3_0];
    let definition = definition(&input);
    let Ok(msp) = Msp::new(&definition, versions[input.version as usize % versions.len()]) else { return };
    let asked = texts("CERTIFICATE", &input.identities, input.signed >> 4);
    for pem in asked.iter().map(Vec::as_slice).chain(input.raw_identities.iter().copied()) {
        let identity = msp.identity(pem);
        match (&identity, msp.identity(pem)) {
            (Ok(one), Ok(other)) => same(one, &other),
            (Err(one), Err(other)) => assert_eq!(one, &other),
            (one, other) => panic!("{one:?}, then {other:?}"),
        }
    }
}));

fn same(one: &Identity, other: &Identity) {
    assert_eq!(one.validity(), other.validity());
    assert_eq!(one.roles(), other.roles());
    assert_eq!(one.identifier(), other.identifier());
    assert_eq!(one.to_string(), other.to_string());
    assert!(one.verify(&[b"message"], b"no signature").is_err());
}

fn definition(input: &Input<'_>) -> Vec<u8> {
    [
        message(&[Bytes(1, b"Org1MSP")]),
        repeated(2, texts("CERTIFICATE", &input.roots, input.signed)),
        repeated(3, texts("CERTIFICATE", &input.intermediates, input.signed >> 1)),
        repeated(4, texts("CERTIFICATE", &input.admins, input.signed >> 2)),
        repeated(5, texts("X509 CRL", &input.revocation_lists, input.signed >> 3)),
        input.rest.to_vec(),
    ]
    .concat()
}

fn texts(label: &str, certificates: &[&[u8]], signed: u32) -> Vec<Vec<u8>> {
    let key = &Network::get().organizations[0].authority.key;
    let text = |der: &&[u8]| if signed & 1 == 1 { pem(label, &signed_anew(der, key)) } else { pem(label, der) };
    certificates.iter().take(MAX_CERTIFICATES).map(text).collect()
}
