// SPDX-License-Identifier: Apache-2.0
//! When an identity's certificate ends, whatever its MSP says of it (`common/crypto/expiration.go`).

use std::sync::LazyLock;

use fastledger_wire::Message;
use fastledger_wire::msp::SerializedIdentity;

use crate::cache::GenerationCache;
use crate::x509::{Certificate, UnixSeconds};

/// Bytes that remembered identities may take, by a rough count: about six thousand of them. Clients come back with the
/// same few.
const REMEMBERED_BYTES: usize = 32 << 20;

/// The first moment of the year 1, which Go takes for no time at all (`Time.IsZero`).
const NO_TIME: UnixSeconds = -62_135_596_800;

static REMEMBERED: LazyLock<GenerationCache<Option<UnixSeconds>>> =
    LazyLock::new(|| GenerationCache::new(REMEMBERED_BYTES));

/// When the certificate of an encoded `msp.SerializedIdentity` ends (`crypto.ExpiresAt`).
///
/// `None` means that the end decides nothing: as in Fabric, what holds no certificate has none, and whether it is an
/// identity at all is for its MSP to say.
#[must_use]
pub fn expires_at(serialized: &[u8]) -> Option<UnixSeconds> {
    REMEMBERED.get_or_insert_with(serialized, || read(serialized))
}

fn read(serialized: &[u8]) -> Option<UnixSeconds> {
    let identity = SerializedIdentity::decode(serialized).ok()?;
    let end = Certificate::from_pem(identity.id_bytes).ok()?.not_after();
    (end != NO_TIME).then_some(end)
}
