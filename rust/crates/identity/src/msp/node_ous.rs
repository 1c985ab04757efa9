// SPDX-License-Identifier: Apache-2.0
//! Node OUs: organizational units that tell clients, peers, administrators and orderers apart.

use fastledger_wire::msp::role;

use super::MspVersion;

/// One unit and, where the definition names one, the chain that must certify it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeOu {
    pub(super) unit: String,
    pub(super) certifiers_identifier: Option<Box<[u8]>>,
}

/// The units of an MSP whose node OUs are enabled.
#[derive(Debug, Clone, Default)]
pub(super) struct NodeOus {
    pub(super) client: Option<NodeOu>,
    pub(super) peer: Option<NodeOu>,
    pub(super) admin: Option<NodeOu>,
    pub(super) orderer: Option<NodeOu>,
}

impl NodeOus {
    /// The unit of an `MSPRole`, `None` for roles without one.
    pub(super) fn of_role(&self, role: i32) -> Option<&NodeOu> {
        match role {
            role::CLIENT => self.client.as_ref(),
            role::PEER => self.peer.as_ref(),
            role::ADMIN => self.admin.as_ref(),
            role::ORDERER => self.orderer.as_ref(),
            _ => None,
        }
    }

    /// The unit of this name. Where roles share one, the first role decides up to 1.3, the last one since.
    pub(super) fn by_unit(&self, unit: &str, version: MspVersion) -> Option<&NodeOu> {
        let mut in_order = [&self.client, &self.peer, &self.admin, &self.orderer];
        if version >= MspVersion::V1_4_3 {
            in_order.reverse();
        }
        in_order.into_iter().flatten().find(|node_ou| node_ou.unit == unit)
    }

    /// Whether an identity with these units is in the role.
    pub(super) fn has_role(&self, units: &[String], role: i32) -> bool {
        self.of_role(role).is_some_and(|node_ou| units.contains(&node_ou.unit))
    }
}
