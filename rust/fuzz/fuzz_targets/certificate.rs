// SPDX-License-Identifier: Apache-2.0
//! Certificates, PEM and DER: what is read is read again from what it says of itself.
#![no_main]

use fastledger_fuzz::{network, tree};
use fastledger_identity::x509::Certificate;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(&mut data[..max_size], size, seed, 0, fuzzer_mutate)
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::from_pem(bytes) {
        again(&certificate);
    }
    let Ok(certificate) = Certificate::from_der(bytes) else { return };
    assert_eq!(certificate.der(), bytes);
    again(&certificate);
    let text = Certificate::from_pem(&network::pem("CERTIFICATE", bytes)).expect("the same in PEM");
    assert_eq!(text.der(), bytes);
});

fn again(certificate: &Certificate) {
    let again = Certificate::from_der(certificate.der()).expect("it was read once");
    assert_eq!(again.serial(), certificate.serial());
    assert!(certificate.serial().first().is_some_and(|first| first & 0x80 == 0));
    assert_eq!(again.subject(), certificate.subject());
    assert_eq!(again.issuer().to_string(), certificate.issuer().to_string());
    assert_eq!((again.not_before(), again.not_after()), (certificate.not_before(), certificate.not_after()));
    assert_eq!(again.is_ca(), certificate.is_ca());
}
