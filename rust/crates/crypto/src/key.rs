// SPDX-License-Identifier: Apache-2.0
//! Public keys: points of P-256, checked once.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::library;

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
    library: library::Key,
}

impl PublicKey {
    /// Reads an uncompressed SEC 1 point: `04`, x and y, 65 bytes.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, KeyError> {
        let sec1: [u8; 65] = bytes.try_into().map_err(|_| KeyError::Encoding)?;
        if sec1[0] != 4 {
            return Err(KeyError::Encoding);
        }
        let library = library::Key::new(&sec1).ok_or(KeyError::NotOnCurve)?;
        Ok(Self(Arc::new(Inner { sec1, library })))
    }

    /// The point as `04 ‖ x ‖ y`.
    #[must_use]
    pub fn to_sec1(&self) -> [u8; 65] {
        self.0.sec1
    }

    pub(crate) fn library(&self) -> &library::Key {
        &self.0.library
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.sec1 == other.0.sec1
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
