// SPDX-License-Identifier: Apache-2.0
//! Which servers a client trusts.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{ParsedCertificate, VerifierBuilderError};
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// What webpki says of an authority that shows its own certificate.
const AUTHORITY_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Trusts the certificates of authorities, and an authority's own.
///
/// Self-signed certificates commonly say that they are authorities, such as `openssl req -x509` makes them for a
/// chaincode's server. Whoever names such a one as the root means it; Go takes it, webpki does not.
#[derive(Debug)]
pub(crate) struct Trust {
    authorities: Arc<WebPkiServerVerifier>,
    roots: Vec<CertificateDer<'static>>,
    /// The key that the server must have, as the DER of a `SubjectPublicKeyInfo`; any where it is empty.
    server_key: Vec<u8>,
    /// Certificates are judged as of so long ago.
    time_shift: Duration,
}

impl Trust {
    /// Reads the PEM of authorities.
    pub(crate) fn new(
        roots: &[u8],
        server_key: Vec<u8>,
        time_shift: Duration,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, VerifierBuilderError> {
        let roots: Vec<_> = CertificateDer::pem_slice_iter(roots).filter_map(Result::ok).collect();
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build()?;
        Ok(Self { authorities, roots, server_key, time_shift })
    }

    /// Refuses another key than the server's; a certificate that was renewed with the same key is as good.
    fn check_key(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        if self.server_key.is_empty()
            || ParsedCertificate::try_from(shown)?.subject_public_key_info().as_ref() == self.server_key
        {
            return Ok(());
        }
        let reason = "public key of server certificate presented doesn't match the expected public key";
        Err(Error::General(reason.to_owned()))
    }
}

/// A time so long before another.
pub(crate) fn earlier(now: UnixTime, shift: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()).saturating_sub(shift))
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check_key(shown)?;
        let now = earlier(now, self.time_shift);
        match self.authorities.verify_server_cert(shown, intermediates, name, ocsp, now) {
            // It is told only of certificates that are valid now.
            Err(Error::InvalidCertificate(CertificateError::Other(reason)))
                if reason.to_string() == AUTHORITY_AS_SERVER && self.roots.iter().any(|root| root == shown) =>
            {
                verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
