// SPDX-License-Identifier: Apache-2.0
//! Keys that follow from a seed, and signatures with them at a few microseconds each.
//!
//! Signing costs a multiplication of the base point by a secret nonce and an inversion. Nobody has to be kept from
//! guessing the nonces of a made-up channel whose keys follow from a public seed, so here they count upwards from a
//! random start: each next point is one addition, and conversions and inversions are shared by a batch. Verifiers
//! cannot tell: r and s of such signatures are as random as any. **Keys of a workload protect nothing.**

use fastledger_wire::Hash;
use fastledger_wire::hash::sha256;
use p256::elliptic_curve::BatchNormalize;
use p256::elliptic_curve::ff::{BatchInverter, PrimeField};
use p256::elliptic_curve::group::Group;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::scalar::IsHigh;
use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};

/// Nonces that are made at once; beyond this an addition dominates the cost.
const BATCH: usize = 64;

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;

/// A private key of P-256.
#[derive(Debug)]
pub(crate) struct Key {
    secret: Scalar,
    /// `04 ‖ x ‖ y`.
    point: [u8; 65],
}

impl Key {
    /// The key of this name under this seed.
    pub(crate) fn derive(seed: u64, name: &str) -> Self {
        let secret = scalar(&sha256(&[b"key", &seed.to_be_bytes(), name.as_bytes()]));
        let public = ProjectivePoint::mul_by_generator(&secret).to_affine();
        let mut point = [4; 65];
        point[1..33].copy_from_slice(&public.x());
        point[33..].copy_from_slice(&public.y());
        Self { secret, point }
    }

    /// The private number, big-endian.
    pub(crate) fn secret(&self) -> [u8; 32] {
        self.secret.to_repr().into()
    }

    /// The public key, `04 ‖ x ‖ y` (SEC 1, 2.3.3).
    pub(crate) fn point(&self) -> &[u8; 65] {
        &self.point
    }
}

/// Signs digests with nonces that follow from a seed.
#[derive(Debug)]
pub(crate) struct Signer {
    next: Scalar,
    next_point: ProjectivePoint,
    nonces: [Nonce; BATCH],
    used: usize,
}

/// A nonce k as signing needs it.
#[derive(Debug, Clone, Copy, Default)]
struct Nonce {
    /// 1 / k.
    inverse: Scalar,
    /// x coordinate of k · G.
    r: Scalar,
}

impl Signer {
    /// One whose signatures follow from the seed and from what it is for, which no other signer may have.
    pub(crate) fn new(seed: u64, purpose: &str, number: u64) -> Self {
        let start = sha256(&[b"nonces", &seed.to_be_bytes(), &number.to_be_bytes(), purpose.as_bytes()]);
        let next = scalar(&start);
        let next_point = ProjectivePoint::mul_by_generator(&next);
        Self { next, next_point, nonces: [Nonce::default(); BATCH], used: BATCH }
    }

    /// A signature over a message by its SHA-256: DER, with the low s that Fabric asks for (`bccsp/utils.ToLowS`).
    pub(crate) fn sign(&mut self, key: &Key, digest: &Hash) -> Vec<u8> {
        if self.used == BATCH {
            self.refill();
        }
        let Nonce { inverse, r } = self.nonces[self.used];
        self.used += 1;
        let s = inverse * (scalar(digest) + r * key.secret);
        let low_s = if s.is_high().into() { -s } else { s };
        der(&r, &low_s)
    }

    fn refill(&mut self) {
        let mut points = [ProjectivePoint::IDENTITY; BATCH];
        let mut scalars = [Scalar::ZERO; BATCH];
        for (point, scalar) in points.iter_mut().zip(&mut scalars) {
            (*point, *scalar) = (self.next_point, self.next);
            self.next_point += AffinePoint::GENERATOR;
            self.next += Scalar::ONE;
        }
        let points = <ProjectivePoint as BatchNormalize<_>>::batch_normalize(&points);
        BatchInverter::invert_with_external_scratch(&mut scalars, &mut [Scalar::ZERO; BATCH]);
        for ((nonce, inverse), point) in self.nonces.iter_mut().zip(scalars).zip(points) {
            *nonce = Nonce { inverse, r: <Scalar as Reduce<FieldBytes>>::reduce(&point.x()) };
        }
        self.used = 0;
    }
}

/// The number that a digest stands for (SEC 1, 4.1.3 step 5), modulo the group's order.
fn scalar(digest: &Hash) -> Scalar {
    <Scalar as Reduce<FieldBytes>>::reduce(&FieldBytes::from(*digest))
}

/// `Ecdsa-Sig-Value` (RFC 3279, 2.2.3); its contents are always shorter than 128 bytes.
fn der(r: &Scalar, s: &Scalar) -> Vec<u8> {
    let mut signature = Vec::with_capacity(72);
    signature.extend([SEQUENCE, 0]);
    for number in [r, s] {
        integer(&mut signature, &number.to_repr());
    }
    #[expect(clippy::cast_possible_truncation, reason = "two integers of at most 35 bytes")]
    let length = (signature.len() - 2) as u8;
    signature[1] = length;
    signature
}

fn integer(out: &mut Vec<u8>, magnitude: &[u8]) {
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count().min(magnitude.len() - 1);
    let digits = &magnitude[zeros..];
    let sign: &[u8] = if digits[0] & 0x80 == 0 { &[] } else { &[0] };
    #[expect(clippy::cast_possible_truncation, reason = "at most 33")]
    out.extend([INTEGER, (sign.len() + digits.len()) as u8]);
    out.extend_from_slice(sign);
    out.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
    use fastledger_crypto::Signature;
    use fastledger_wire::hash::sha256;

    use super::{BATCH, Key, Signer};

    /// The other implementation is that of AWS-LC; that s is low is judged by the crate that judges Fabric's signatures.
    #[test]
    fn another_implementation_accepts_every_signature_and_s_is_low() {
        let key = Key::derive(1, "peer0");
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.point());
        let mut signer = Signer::new(1, "test", 0);
        for number in 0..3 * BATCH as u64 {
            let message = number.to_be_bytes();
            let signature = signer.sign(&key, &sha256(&[&message]));
            public.verify(&message, &signature).unwrap();
            assert!(public.verify(b"another message", &signature).is_err());
            Signature::from_der(&signature).unwrap();
        }
    }

    #[test]
    fn keys_and_signatures_follow_from_their_seeds() {
        let sign = |seed, purpose, number| Signer::new(seed, purpose, number).sign(&Key::derive(seed, "a"), &[7; 32]);
        assert_eq!(sign(1, "block", 2), sign(1, "block", 2));
        let others = [sign(2, "block", 2), sign(1, "chain", 2), sign(1, "block", 3)];
        assert!(others.iter().all(|other| *other != sign(1, "block", 2)));
        assert_ne!(Key::derive(1, "a").point(), Key::derive(1, "b").point());
    }
}
