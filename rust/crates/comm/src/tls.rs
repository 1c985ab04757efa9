// SPDX-License-Identifier: Apache-2.0
//! TLS as Fabric's nodes have it: 1.2 or later. Clients are always asked for a certificate, to which
//! requests may be bound; whether they must show one, and of whom, is the server's choice.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    ClientConfig, DEFAULT_VERSIONS, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::error::CommError;
use crate::told;
use crate::trust::{Trust, earlier};

/// Gives the PEM of clients' authorities beside those that were configured; asked at each handshake.
pub type ClientRoots = Box<dyn Fn() -> Vec<u8> + Send + Sync>;

/// What a server shows, and whom it lets in; certificates and keys in PEM.
#[derive(Default)]
pub struct ServerTls {
    /// The certificate chain, the server's own first.
    pub cert: Vec<u8>,
    /// Its private key, PKCS #8 or SEC 1.
    pub key: Vec<u8>,
    /// Authorities of clients that must show a certificate.
    pub client_roots: Vec<u8>,
    /// Whether they must. A client that need not may show one of any authority.
    pub require_client_cert: bool,
    /// More authorities of clients.
    pub more_client_roots: Option<ClientRoots>,
    /// Clients' certificates are judged as of so long ago, to let in those that have ended since.
    pub time_shift: Duration,
}

/// Makes acceptors, a new one when the authorities have changed.
pub(crate) struct Acceptors {
    tls: ServerTls,
    current: Mutex<(Vec<u8>, TlsAcceptor)>,
}

impl Acceptors {
    pub(crate) fn new(tls: ServerTls) -> Result<Self, CommError> {
        let roots = tls.client_roots.clone();
        let acceptor = acceptor(&tls, &roots, true)?;
        Ok(Self { tls, current: Mutex::new((roots, acceptor)) })
    }

    /// The acceptor for the next handshake; may take as long as asking for roots does.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let more = self.tls.more_client_roots.as_ref().map(|more| more());
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = more {
            let roots = [self.tls.client_roots.as_slice(), &more].concat();
            if roots != current.0 {
                match acceptor(&self.tls, &roots, false) {
                    Ok(acceptor) => *current = (roots, acceptor),
                    Err(error) => told::roots_unusable(&error),
                }
            }
        }
        current.1.clone()
    }
}

fn acceptor(tls: &ServerTls, roots: &[u8], strict: bool) -> Result<TlsAcceptor, CommError> {
    let wrong = |what: &str, reason: &dyn std::fmt::Display| CommError::Tls(format!("{what}: {reason}"));
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&tls.cert)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong("the certificate", &error))?;
    let key = PrivateKeyDer::from_pem_slice(&tls.key).map_err(|error| wrong("the private key", &error))?;
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .map_err(|error| wrong("the protocol", &error))?;
    let verifier: Arc<dyn ClientCertVerifier> = if tls.require_client_cert {
        let mut store = RootCertStore::empty();
        let parsed = CertificateDer::pem_slice_iter(roots).filter_map(Result::ok);
        let (added, _) = store.add_parsable_certificates(parsed);
        if added == 0 && strict && tls.more_client_roots.is_none() {
            return Err(CommError::Tls("there is no usable authority of clients".to_owned()));
        }
        let authorities = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider)
            .build()
            .map_err(|error| wrong("the authorities of clients", &error))?;
        Arc::new(ClientsEarlier { authorities, time_shift: tls.time_shift })
    } else {
        Arc::new(AnyClient(provider))
    };
    let mut config = builder
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| wrong("key and certificate", &error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Asks for a certificate and takes whatever is shown, or none: it only tells clients apart. That a
/// client has the key of what it shows is checked all the same. Go's `tls.RequestClientCert`.
#[derive(Debug)]
struct AnyClient(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Judges clients' certificates as of an earlier time.
#[derive(Debug)]
struct ClientsEarlier {
    authorities: Arc<dyn ClientCertVerifier>,
    time_shift: Duration,
}

impl ClientCertVerifier for ClientsEarlier {
    fn client_auth_mandatory(&self) -> bool {
        self.authorities.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authorities.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.authorities.verify_client_cert(shown, intermediates, earlier(now, self.time_shift))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// What a client trusts, and what it shows; in PEM.
#[derive(Default)]
pub struct ClientTls {
    /// Authorities of servers.
    pub roots: Vec<u8>,
    /// Certificate chain and private key, where the client shows one.
    pub pair: Option<(Vec<u8>, Vec<u8>)>,
    /// Name to look for in the server's certificate; the address's where it is empty.
    pub server_name: String,
    /// The key that the server must have besides, as the DER of a `SubjectPublicKeyInfo`; any where it is empty.
    pub server_key: Vec<u8>,
    /// The server's certificate is judged as of so long ago.
    pub time_shift: Duration,
}

/// What makes connections to a server, and the name to look for in its certificate.
pub(crate) fn connector(tls: &ClientTls, address: &str) -> Result<(TlsConnector, ServerName<'static>), CommError> {
    let wrong = |what: &str, reason: &dyn std::fmt::Display| CommError::Tls(format!("{what}: {reason}"));
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = if tls.server_name.is_empty() { host } else { &tls.server_name };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|error| wrong("the server's name", &error))?;
    let provider = Arc::new(default_provider());
    let trust = Trust::new(&tls.roots, tls.server_key.clone(), tls.time_shift, Arc::clone(&provider))
        .map_err(|error| wrong("the authorities of servers", &error))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(DEFAULT_VERSIONS)
        .map_err(|error| wrong("the protocol", &error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust));
    let mut config = match &tls.pair {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = CertificateDer::pem_slice_iter(cert).collect::<Result<_, _>>();
            let chain = chain.map_err(|error| wrong("the certificate", &error))?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| wrong("the private key", &error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| wrong("key and certificate", &error))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok((TlsConnector::from(Arc::new(config)), name))
}
