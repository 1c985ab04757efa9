// SPDX-License-Identifier: Apache-2.0
//! Public keys: points of P-256, checked once.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

use thiserror::Error;

use crate::library;
use crate::p256::{self, Point};

/// Hashes keys the same way for the whole process, and in no way that anybody outside can foresee.
static FINGERPRINTS: OnceLock<RandomState> = OnceLock::new();

/// Why a byte string is not a P-256 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not the 65 bytes `04 ‖ x ‖ y` of an uncompressed point (SEC 1, 2.3.3).
    #[error("public key is not an uncompressed SEC 1 point (want 04 and 64 bytes)")]
    Encoding,
    /// The coordinates are no point of the curve.
    #[error("public key is not a point of P-256")]
    NotOnCurve,
}

/// A point of P-256, checked to be on the curve and not infinity. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    sec1: [u8; 65],
    point: Point,
    fingerprint: u64,
    library: OnceLock<Option<library::Key>>,
}

impl PublicKey {
    /// Reads an uncompressed SEC 1 point: `04`, x and y, 65 bytes.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, KeyError> {
        let sec1: [u8; 65] = bytes.try_into().map_err(|_| KeyError::Encoding)?;
        let [4, coordinates @ ..] = &sec1 else { return Err(KeyError::Encoding) };
        let point = p256::point(coordinates).ok_or(KeyError::NotOnCurve)?;
        let fingerprint = FINGERPRINTS.get_or_init(RandomState::new).hash_one(coordinates);
        Ok(Self(Arc::new(Inner { sec1, point, fingerprint, library: OnceLock::new() })))
    }

    /// The point as `04 ‖ x ‖ y`.
    #[must_use]
    pub fn to_sec1(&self) -> [u8; 65] {
        self.0.sec1
    }

    /// The point in plain coordinates.
    pub(crate) fn point(&self) -> &Point {
        &self.0.point
    }

    /// A hash of the point; equal keys have equal ones.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.0.fingerprint
    }

    /// The library's form of the key; `None` if the library refuses a point that we accept, which it must not.
    pub(crate) fn library(&self) -> Option<&library::Key> {
        self.0.library.get_or_init(|| library::Key::new(&self.0.sec1)).as_ref()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.sec1 == other.0.sec1
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        for byte in self.0.sec1 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}
