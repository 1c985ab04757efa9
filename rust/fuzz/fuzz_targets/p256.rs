// SPDX-License-Identifier: Apache-2.0
//! P-256 signatures: our engines against the library, on batches of good, nearly good and impossible ones.
//!
//! Signatures are also made backwards, from the two multipliers that verification will compute, so that sums hit equal,
//! opposite and infinite points far more often than chance would have it.
#![no_main]

use std::sync::LazyLock;

use fastledger_crypto::{Engine, Job, PublicKey, Signature, Verifier, VerifierOptions};
use fastledger_fuzz::tree::Random;
use libfuzzer_sys::fuzz_target;
use p256::elliptic_curve::ff::PrimeField;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{FieldBytes, ProjectivePoint, Scalar};

/// Keys that inputs choose from; the private ones are small numbers, some next to the order.
const KEYS: usize = 12;
/// Most signatures of a batch.
const MAX_JOBS: usize = 40;

struct Keys {
    secrets: Vec<Scalar>,
    public: Vec<PublicKey>,
}

static KEY_RING: LazyLock<Keys> = LazyLock::new(|| {
    let secrets: Vec<Scalar> = (0..KEYS as u64)
        .map(|index| match index {
            0..4 => Scalar::from(index + 1),
            4..6 => -Scalar::from(index - 3),
            6 => Scalar::from(2u64).invert().expect("two is not zero"),
            _ => scalar(&mut Random::new(index)),
        })
        .collect();
    let public = secrets.iter().map(|secret| key(&(ProjectivePoint::GENERATOR * secret))).collect();
    Keys { secrets, public }
});

/// The library, and every other engine with room for tables and with none: then every key is a rare one.
static ENGINES: LazyLock<Vec<Verifier>> = LazyLock::new(|| {
    let verifier = |engine, table_bytes| Verifier::new(VerifierOptions { engine: Some(engine), table_bytes });
    let ours = Engine::ALL.into_iter().filter(|&engine| engine != Engine::Library && engine.is_available());
    let ours = ours.flat_map(|engine| [verifier(engine, 4 << 20), verifier(engine, 0)]);
    std::iter::once(verifier(Engine::Library, 0)).chain(ours).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices { bytes };
    let jobs: Vec<_> =
        std::iter::from_fn(|| (!choices.bytes.is_empty()).then(|| choices.job())).take(MAX_JOBS).collect();
    let jobs: Vec<_> =
        jobs.iter().map(|(key, digest, signature)| Job { key, digest: *digest, signature: *signature }).collect();
    let (library, ours) = ENGINES.split_first().expect("the library is there");
    let mut expected = vec![false; jobs.len()];
    library.verify_batch(&jobs, &mut expected);
    for verifier in ours {
        let mut found = vec![true; jobs.len()];
        verifier.verify_batch(&jobs, &mut found);
        assert_eq!(found, expected, "{:?}", verifier.engine());
    }
});

struct Choices<'b> {
    bytes: &'b [u8],
}

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    fn array(&mut self) -> [u8; 32] {
        std::array::from_fn(|_| self.byte())
    }

    /// A number that is likely to be special.
    fn scalar(&mut self) -> Scalar {
        let small = Scalar::from(u64::from(self.byte()));
        match self.byte() % 8 {
            0 | 1 => small,
            2 | 3 => -small,
            4 => small.invert().unwrap_or(Scalar::ZERO),
            5 => self.power_of_two() + small,
            6 => -self.power_of_two() - small,
            _ => reduced(self.array()),
        }
    }

    fn power_of_two(&mut self) -> Scalar {
        (0..self.byte()).fold(Scalar::ONE, |power, _| power.double())
    }

    fn job(&mut self) -> (PublicKey, [u8; 32], Signature) {
        let place = usize::from(self.byte()) % KEYS;
        let key = KEY_RING.public[place].clone();
        match self.byte() % 4 {
            0 => (key, self.array(), Signature { r: self.array(), s: self.array() }),
            1 => (key, self.scalar().to_repr().into(), self.pair()),
            2 => self.backwards(place),
            _ => {
                let (key, mut digest, mut signature) = self.backwards(place);
                let bit = usize::from(self.byte());
                let target =
                    [&mut digest, &mut signature.r, &mut signature.s].into_iter().nth(usize::from(self.byte()) % 3);
                target.expect("one of three")[bit / 8] ^= 1 << (bit % 8);
                (key, digest, signature)
            }
        }
    }

    fn pair(&mut self) -> Signature {
        Signature { r: self.scalar().to_repr().into(), s: self.scalar().to_repr().into() }
    }

    /// A good signature whose verification computes u₁·G + u₂·Q with these u₁ and u₂, where there is one.
    fn backwards(&mut self, place: usize) -> (PublicKey, [u8; 32], Signature) {
        let (u1, u2) = (self.scalar(), self.scalar());
        let point = ProjectivePoint::GENERATOR * (u1 + u2 * KEY_RING.secrets[place]);
        let r = reduced(point.to_affine().x().into());
        let s = r * u2.invert().unwrap_or(Scalar::ONE);
        let (digest, r, s) = ((u1 * s).to_repr(), r.to_repr(), s.to_repr());
        (KEY_RING.public[place].clone(), digest.into(), Signature { r: r.into(), s: s.into() })
    }
}

fn key(point: &ProjectivePoint) -> PublicKey {
    PublicKey::from_sec1(point.to_affine().to_sec1_point(false).as_bytes()).expect("a point")
}

fn scalar(random: &mut Random) -> Scalar {
    let mut bytes = [0; 32];
    bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&random.number().to_be_bytes()));
    reduced(bytes)
}

fn reduced(bytes: [u8; 32]) -> Scalar {
    <Scalar as Reduce<FieldBytes>>::reduce(&bytes.into())
}
