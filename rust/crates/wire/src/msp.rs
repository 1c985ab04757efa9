// SPDX-License-Identifier: Apache-2.0
//! Views of package `msp` and of the principals in `common/msp_principal.proto`.

use crate::messages;

messages! {
    /// `msp.SerializedIdentity`.
    SerializedIdentity<'a> {
        1 => mspid: &'a str,
        2 => id_bytes: &'a [u8],
    }

    /// `msp.MSPConfig`; type 0 is X.509, type 1 Idemix.
    MspConfig<'a> {
        1 => r#type: i32,
        2 => config: &'a [u8],
    }

    /// `msp.FabricMSPConfig`; every certificate is PEM.
    FabricMspConfig<'a> {
        1 => name: &'a str,
        2 => root_certs: Vec<&'a [u8]>,
        3 => intermediate_certs: Vec<&'a [u8]>,
        4 => admins: Vec<&'a [u8]>,
        5 => revocation_list: Vec<&'a [u8]>,
        7 => organizational_unit_identifiers: Vec<FabricOuIdentifier<'a>>,
        8 => crypto_config: Option<FabricCryptoConfig<'a>>,
        9 => tls_root_certs: Vec<&'a [u8]>,
        10 => tls_intermediate_certs: Vec<&'a [u8]>,
        11 => fabric_node_ous: Option<FabricNodeOus<'a>>,
    }

    /// `msp.FabricCryptoConfig`.
    FabricCryptoConfig<'a> {
        1 => signature_hash_family: &'a str,
        2 => identity_identifier_hash_function: &'a str,
    }

    /// `msp.FabricOUIdentifier`.
    FabricOuIdentifier<'a> {
        1 => certificate: &'a [u8],
        2 => organizational_unit_identifier: &'a str,
    }

    /// `msp.FabricNodeOUs`.
    FabricNodeOus<'a> {
        1 => enable: bool,
        2 => client_ou_identifier: Option<FabricOuIdentifier<'a>>,
        3 => peer_ou_identifier: Option<FabricOuIdentifier<'a>>,
        4 => admin_ou_identifier: Option<FabricOuIdentifier<'a>>,
        5 => orderer_ou_identifier: Option<FabricOuIdentifier<'a>>,
    }

    /// `common.MSPPrincipal`.
    MspPrincipal<'a> {
        1 => principal_classification: i32,
        2 => principal: &'a [u8],
    }

    /// `common.MSPRole`.
    MspRole<'a> {
        1 => msp_identifier: &'a str,
        2 => role: i32,
    }

    /// `common.OrganizationUnit`.
    OrganizationUnit<'a> {
        1 => msp_identifier: &'a str,
        2 => organizational_unit_identifier: &'a str,
        3 => certifiers_identifier: &'a [u8],
    }

    /// `common.MSPIdentityAnonymity`.
    MspIdentityAnonymity {
        1 => anonymity_type: i32,
    }

    /// `common.CombinedPrincipal`.
    CombinedPrincipal<'a> {
        1 => principals: Vec<MspPrincipal<'a>>,
    }
}

/// `common.MSPPrincipal.Classification`.
pub mod principal_classification {
    /// The principal is an `MSPRole`.
    pub const ROLE: i32 = 0;
    /// The principal is an `OrganizationUnit`.
    pub const ORGANIZATION_UNIT: i32 = 1;
    /// The principal is a `SerializedIdentity`.
    pub const IDENTITY: i32 = 2;
    /// The principal is an `MSPIdentityAnonymity`.
    pub const ANONYMITY: i32 = 3;
    /// The principal is a `CombinedPrincipal`.
    pub const COMBINED: i32 = 4;
}

/// `common.MSPRole.MSPRoleType`.
pub mod role {
    /// Any valid identity of the MSP.
    pub const MEMBER: i32 = 0;
    /// An administrator.
    pub const ADMIN: i32 = 1;
    /// A client, by its node OU.
    pub const CLIENT: i32 = 2;
    /// A peer, by its node OU.
    pub const PEER: i32 = 3;
    /// An orderer, by its node OU.
    pub const ORDERER: i32 = 4;
}
