// SPDX-License-Identifier: Apache-2.0
//! ECDSA signatures of any curve: read strictly (certificates) or as Fabric reads them (everything else).

use super::der::{Der, INTEGER, SEQUENCE, push_element};
use super::{CertificateError, Result};

const WHAT: &str = "malformed ECDSA signature";

/// r and s as big-endian magnitudes without leading zeros; both are positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EcdsaSignature {
    pub(crate) r: Vec<u8>,
    pub(crate) s: Vec<u8>,
}

impl EcdsaSignature {
    /// Reads SEQUENCE{r, s} and nothing beside it (Go's `ecdsa.VerifyASN1`).
    pub(crate) fn strict(der: &[u8]) -> Result<Self> {
        let mut outer = Der::new(der);
        let mut scalars = outer.nested(SEQUENCE, WHAT)?;
        let signature = Self::scalars(&mut scalars)?;
        if outer.is_empty() && scalars.is_empty() { Ok(signature) } else { Err(CertificateError(WHAT)) }
    }

    /// Reads SEQUENCE{r, s} and ignores bytes after it and after s (`bccsp/utils.UnmarshalECDSASignature`).
    pub(crate) fn lenient(der: &[u8]) -> Result<Self> {
        Self::scalars(&mut Der::new(der).nested(SEQUENCE, WHAT)?)
    }

    fn scalars(der: &mut Der<'_>) -> Result<Self> {
        Ok(Self { r: positive(der)?, s: positive(der)? })
    }

    /// The one DER form (`bccsp/utils.MarshalECDSASignature`).
    pub(crate) fn to_der(&self) -> Vec<u8> {
        let mut scalars = Vec::with_capacity(self.r.len() + self.s.len() + 6);
        for scalar in [&self.r, &self.s] {
            let sign = if scalar[0] & 0x80 == 0 { &[][..] } else { &[0] };
            push_element(&mut scalars, INTEGER, &[sign, scalar]);
        }
        let mut der = Vec::with_capacity(scalars.len() + 4);
        push_element(&mut der, SEQUENCE, &[&scalars]);
        der
    }

    /// r ‖ s, each in `width` bytes; `None` where one needs more.
    pub(crate) fn fixed(&self, width: usize) -> Option<Vec<u8>> {
        let mut fixed = vec![0; 2 * width];
        for (scalar, end) in [(&self.r, width), (&self.s, 2 * width)] {
            let start = end.checked_sub(scalar.len()).filter(|start| *start >= end - width)?;
            fixed[start..end].copy_from_slice(scalar);
        }
        Some(fixed)
    }
}

fn positive(der: &mut Der<'_>) -> Result<Vec<u8>> {
    match der.integer(WHAT)? {
        [0] | [0x80..=0xff, ..] => Err(CertificateError(WHAT)),
        [0, magnitude @ ..] | magnitude => Ok(magnitude.to_vec()),
    }
}

/// Compares big-endian magnitudes without leading zeros.
pub(super) fn compare(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// `minuend - subtrahend` of big-endian magnitudes, where the first is not smaller; no leading zeros.
pub(super) fn subtract(minuend: &[u8], subtrahend: &[u8]) -> Vec<u8> {
    let mut difference = minuend.to_vec();
    let mut borrow = 0u16;
    let padded = subtrahend.iter().rev().copied().chain(std::iter::repeat(0));
    for (digit, subtrahend) in difference.iter_mut().rev().zip(padded) {
        let take = u16::from(subtrahend) + borrow;
        borrow = u16::from(u16::from(*digit) < take);
        #[expect(clippy::cast_possible_truncation, reason = "below 256 by the borrow")]
        let rest = (u16::from(*digit) + 256 * borrow - take) as u8;
        *digit = rest;
    }
    let leading = difference.iter().take_while(|digit| **digit == 0).count();
    difference.split_off(leading)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    #[test]
    fn lenient_ignores_what_strict_refuses() {
        let der = [0x30, 6, 2, 1, 5, 2, 1, 7];
        let signature = EcdsaSignature { r: vec![5], s: vec![7] };
        assert_eq!(EcdsaSignature::strict(&der).unwrap(), signature);
        assert_eq!(signature.to_der(), der);
        for trailing in [&[0x30, 6, 2, 1, 5, 2, 1, 7, 0xff][..], &[0x30, 7, 2, 1, 5, 2, 1, 7, 0xff]] {
            assert_eq!(EcdsaSignature::lenient(trailing).unwrap(), signature);
            assert!(EcdsaSignature::strict(trailing).is_err());
        }
        for bad in [[0x30, 6, 2, 1, 0, 2, 1, 7], [0x30, 6, 2, 1, 5, 2, 1, 0x87]] {
            assert!(EcdsaSignature::lenient(&bad).is_err());
        }
    }

    #[test]
    fn arithmetic_borrows() {
        assert_eq!(subtract(&[1, 0, 0], &[1]), [0xff, 0xff]);
        assert!(subtract(&[7], &[7]).is_empty());
        assert!(compare(&[1, 0], &[0xff]).is_gt());
    }

    #[test]
    fn fixed_width_pads_or_refuses() {
        let signature = EcdsaSignature { r: vec![5], s: vec![1, 7] };
        assert_eq!(signature.fixed(2), Some(vec![0, 5, 1, 7]));
        assert_eq!(signature.fixed(1), None);
    }
}
