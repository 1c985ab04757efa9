// SPDX-License-Identifier: Apache-2.0
//! Keys, and what they signed.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use fastledger_crypto::{Job, PublicKey, Signature, sha256};

/// Something that was signed.
struct Signed {
    key: usize,
    digest: [u8; 32],
    signature: Signature,
}

/// Keys, and signatures by them in random order.
pub struct Load {
    keys: Vec<PublicKey>,
    signed: Vec<Signed>,
}

impl Load {
    pub fn new(keys: usize, signatures: usize) -> Self {
        let generate = |_| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let pairs: Vec<EcdsaKeyPair> = (0..keys).map(generate).collect();
        let public = |pair: &EcdsaKeyPair| PublicKey::from_sec1(pair.public_key().as_ref()).expect("a public key");
        let random = SystemRandom::new();
        let mut state = 1u64;
        let sign = |i: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = if keys == signatures { i } else { usize::try_from(state >> 33).expect("31 bits") % keys };
            let message = i.to_le_bytes();
            let fixed = pairs[key].sign(&random, &message).expect("a signature");
            let (r, s) = fixed.as_ref().split_at(32);
            let signature = Signature { r: r.try_into().expect("32 bytes"), s: s.try_into().expect("32 bytes") };
            Signed { key, digest: sha256(&message), signature }
        };
        Self { keys: pairs.iter().map(public).collect(), signed: (0..signatures).map(sign).collect() }
    }

    pub fn jobs(&self) -> Vec<Job<'_>> {
        let job =
            |signed: &Signed| Job { key: &self.keys[signed.key], digest: signed.digest, signature: signed.signature };
        self.signed.iter().map(job).collect()
    }
}
