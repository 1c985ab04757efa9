// SPDX-License-Identifier: Apache-2.0
//! A network of three organizations and an orderer, made of nothing: keys, certificates, configurations, transactions
//! and signed blocks. Keys follow from names, so that inputs mean the same in every run.

mod block;
mod certificate;
mod config;
mod keys;
pub mod policy;
pub mod setup;
mod transaction;

use std::sync::OnceLock;

pub use block::{block, signatures, signed_block};
pub use certificate::{element, from_pem, pem, revocation_list, signed_anew};
pub use config::{Rules, config_block, msp_definition};
pub use keys::{Key, low_s};
pub use transaction::{Endorsed, transaction};

use crate::message::{Bytes, message};

/// The channel's name.
pub const CHANNEL: &str = "fuzz";
/// The application's organizations by their MSPs.
pub const ORGANIZATIONS: [&str; 3] = ["Org1MSP", "Org2MSP", "Org3MSP"];
/// The orderers' MSP.
pub const ORDERER: &str = "OrdererMSP";
/// How many orderers a BFT channel has.
pub const CONSENTERS: usize = 4;

/// Somebody with a key and a certificate.
#[derive(Debug)]
pub struct Member {
    /// The MSP.
    pub mspid: &'static str,
    /// The organizational unit, which is the role.
    pub unit: &'static str,
    /// The private key.
    pub key: Key,
    /// The certificate in PEM.
    pub pem: Vec<u8>,
    /// The certificate's serial number.
    pub serial: u8,
}

impl Member {
    /// The identity as messages carry it, an encoded `msp.SerializedIdentity`.
    #[must_use]
    pub fn serialized(&self) -> Vec<u8> {
        message(&[Bytes(1, self.mspid.as_bytes()), Bytes(2, &self.pem)])
    }
}

/// An organization.
#[derive(Debug)]
pub struct Organization {
    /// The MSP's name.
    pub mspid: &'static str,
    /// Its authority: key and certificate.
    pub authority: Member,
    /// Two of each role; the second client is revoked.
    pub members: Vec<Member>,
}

/// Everybody.
#[derive(Debug)]
pub struct Network {
    /// The application's organizations.
    pub organizations: Vec<Organization>,
    /// The orderers' organization.
    pub orderer: Organization,
}

impl Network {
    /// The one network, made when first asked for.
    pub fn get() -> &'static Self {
        static NETWORK: OnceLock<Network> = OnceLock::new();
        NETWORK.get_or_init(|| Self {
            organizations: ORGANIZATIONS.map(Organization::new).into(),
            orderer: Organization::new(ORDERER),
        })
    }

    /// All members, the application's first; they are always in the same order.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.organizations.iter().chain([&self.orderer]).flat_map(|organization| &organization.members)
    }

    /// The member at this place of [`Self::members`], counted round and round.
    ///
    /// # Panics
    /// Never: there are members.
    #[must_use]
    pub fn member(&self, place: usize) -> &Member {
        self.members().nth(place % self.members().count()).expect("there are members")
    }

    /// The first peer of an application organization.
    #[must_use]
    pub fn peer(&self, organization: usize) -> &Member {
        &self.organizations[organization].members[0]
    }

    /// The first client of an application organization.
    #[must_use]
    pub fn client(&self, organization: usize) -> &Member {
        &self.organizations[organization].members[2]
    }

    /// The orderers that sign blocks.
    #[must_use]
    pub fn orderers(&self) -> &[Member] {
        &self.orderer.members[..CONSENTERS]
    }
}

impl Organization {
    fn new(mspid: &'static str) -> Self {
        let authority = certificate::authority(mspid);
        let units: &[&'static str] = if mspid == ORDERER {
            &["orderer", "orderer", "orderer", "orderer", "admin", "client"]
        } else {
            &["peer", "peer", "client", "client", "admin", "admin"]
        };
        let members = (2u8..).zip(units).map(|(serial, unit)| certificate::member(&authority, unit, serial)).collect();
        Self { mspid, authority, members }
    }
}
