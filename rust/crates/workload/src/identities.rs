// SPDX-License-Identifier: Apache-2.0
//! Everybody on the channel: an orderer organization, application organizations, their peers, clients and
//! administrators.

use std::sync::Arc;

use crate::certificates::Authority;
use crate::error::Result;
use crate::message::Message;
use crate::signer::Key;
use crate::spec::Spec;

/// MSP of the orderers.
pub(crate) const ORDERER_MSP: &str = "OrdererMSP";
const ORDERER_DOMAIN: &str = "example.com";

/// Somebody with a key and a certificate.
#[derive(Debug)]
pub(crate) struct Member {
    /// The certificate's subject.
    common_name: String,
    /// Whose it is.
    msp_id: String,
    /// PEM.
    certificate: String,
    /// The private key.
    pub(crate) key: Key,
    /// Encoded `msp.SerializedIdentity`.
    pub(crate) identity: Vec<u8>,
}

/// Somebody of a generated channel, for those who want to run a node or a client of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate's subject, such as `peer0.org1.example.com`.
    pub common_name: String,
    /// Whose it is, such as `Org1MSP`.
    pub msp_id: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// The certificate of the authority, PEM.
    pub ca: String,
    /// The private key: a big-endian number (SEC 1, 2.3.7). It protects nothing, as it follows from the seed.
    pub key: [u8; 32],
}

/// An organization's authorities, as its MSP definition names them.
#[derive(Debug)]
pub(crate) struct Organization {
    /// Its MSP.
    pub(crate) msp_id: String,
    /// The authority for identities, PEM.
    pub(crate) ca: String,
    /// The authority for TLS, PEM.
    pub(crate) tls_ca: String,
}

/// An organization that endorses and submits.
#[derive(Debug)]
pub(crate) struct ApplicationOrganization {
    /// Its MSP.
    pub(crate) organization: Organization,
    /// Who approves chaincode definitions.
    pub(crate) admin: Arc<Member>,
    /// Who endorses.
    pub(crate) peers: Vec<Arc<Member>>,
    /// Who submits.
    pub(crate) clients: Vec<Arc<Member>>,
}

/// Everybody.
#[derive(Debug)]
pub(crate) struct Network {
    /// `Org1MSP`, `Org2MSP`, …
    pub(crate) organizations: Vec<ApplicationOrganization>,
    /// The orderers' organization.
    pub(crate) orderer_organization: Organization,
    /// Who signs blocks.
    pub(crate) orderer: Member,
    /// The orderer's TLS key and certificate, PEM.
    pub(crate) orderer_tls: (Key, String),
}

impl Network {
    /// Makes everybody that the specification asks for; the same for the same seed.
    pub(crate) fn new(spec: &Spec) -> Result<Self> {
        let ca = Authority::new(spec.seed, "ca", ORDERER_DOMAIN)?;
        let tls_ca = Authority::new(spec.seed, "tlsca", ORDERER_DOMAIN)?;
        let host = format!("orderer0.{ORDERER_DOMAIN}");
        Ok(Self {
            organizations: (1..=spec.organizations)
                .map(|number| ApplicationOrganization::new(spec, number))
                .collect::<Result<_>>()?,
            orderer: member(&ca, ORDERER_MSP, &host, "orderer")?,
            orderer_tls: tls_ca.certify_server(&host)?,
            orderer_organization: Organization { msp_id: ORDERER_MSP.to_owned(), ca: ca.pem, tls_ca: tls_ca.pem },
        })
    }

    /// Everybody who signs, and last the orderer's TLS pair.
    pub(crate) fn identities(&self) -> Vec<Identity> {
        let of_applications = self.organizations.iter().flat_map(|own| {
            let members = [&own.admin].into_iter().chain(&own.peers).chain(&own.clients);
            members.map(|member| member.told(&own.organization.ca))
        });
        let orderers = &self.orderer_organization;
        let (key, certificate) = &self.orderer_tls;
        let tls = Identity {
            common_name: self.orderer.common_name.clone(),
            msp_id: orderers.msp_id.clone(),
            certificate: certificate.clone(),
            ca: orderers.tls_ca.clone(),
            key: key.secret(),
        };
        of_applications.chain([self.orderer.told(&orderers.ca), tls]).collect()
    }
}

impl Member {
    fn told(&self, ca: &str) -> Identity {
        Identity {
            common_name: self.common_name.clone(),
            msp_id: self.msp_id.clone(),
            certificate: self.certificate.clone(),
            ca: ca.to_owned(),
            key: self.key.secret(),
        }
    }
}

impl ApplicationOrganization {
    fn new(spec: &Spec, number: usize) -> Result<Self> {
        let msp_id = msp_id(number);
        let domain = format!("org{number}.example.com");
        let ca = Authority::new(spec.seed, "ca", &domain)?;
        let members = |count: usize, unit: &str, name: &dyn Fn(usize) -> String| {
            (0..count).map(|index| member(&ca, &msp_id, &name(index), unit).map(Arc::new)).collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            admin: Arc::new(member(&ca, &msp_id, &format!("Admin@{domain}"), "admin")?),
            peers: members(spec.endorsers_per_organization, "peer", &|index| format!("peer{index}.{domain}"))?,
            clients: members(spec.clients_per_organization, "client", &|index| format!("User{}@{domain}", index + 1))?,
            organization: Organization { tls_ca: Authority::new(spec.seed, "tlsca", &domain)?.pem, msp_id, ca: ca.pem },
        })
    }
}

/// MSP of the application organization of this number, counted from 1.
pub(crate) fn msp_id(number: usize) -> String {
    format!("Org{number}MSP")
}

fn member(ca: &Authority, msp_id: &str, common_name: &str, unit: &str) -> Result<Member> {
    let (key, pem) = ca.certify(common_name, unit)?;
    let identity = Message::new().bytes(1, msp_id).bytes(2, &pem).into_bytes();
    Ok(Member { common_name: common_name.to_owned(), msp_id: msp_id.to_owned(), certificate: pem, key, identity })
}
