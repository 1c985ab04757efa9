// SPDX-License-Identifier: Apache-2.0
//! DEFLATE (RFC 1951) to the byte as Go's `compress/flate` writes it at its default level.
//!
//! A chaincode is known by the hash of its package, so organizations that package the same sources, some with
//! Fabric's command line and some with ours, have to get the same bytes. Other compressors find other matches.

#![forbid(unsafe_code)]

mod blocks;
mod codes;
mod matches;
mod token;

use blocks::Writer;
use matches::Matcher;

/// Compresses `data`, written in portions of these sizes: the window moves between writes, and the output with it.
///
/// Portions beyond the data are ignored; what they leave out is written last.
#[must_use]
pub fn deflate(data: &[u8], portions: &[usize]) -> Vec<u8> {
    let mut matcher = Matcher::new(data, Writer::default());
    for &size in portions {
        matcher.write(size);
    }
    matcher.write(data.len());
    matcher.finish().finish()
}
