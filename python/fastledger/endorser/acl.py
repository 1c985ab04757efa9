# SPDX-License-Identifier: Apache-2.0
"""Who may do what (``core/aclmgmt``): a channel's ACLs over the defaults, and the peer's own.

A resource of the peer itself is checked against the peer's own MSP, whatever a channel says. One of
a channel is checked against the policy that the channel's ACLs name for it, or the default.
"""

from collections.abc import Callable

from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError, NotFound, PolicyUnsatisfied
from fastledger.msp import Msp
from fastledger.protos.msp import msp_principal_pb2
from fastledger.protoutil.signed_data import SignedData

READERS = "/Channel/Application/Readers"
WRITERS = "/Channel/Application/Writers"
ADMINS = "Admins"
MEMBERS = "Members"

_LIFECYCLE_OF_PEER = (
    "InstallChaincode",
    "QueryInstalledChaincode",
    "GetInstalledChaincodePackage",
    "QueryInstalledChaincodes",
    "ApproveChaincodeDefinitionForMyOrg",
    "QueryApprovedChaincodeDefinition",
    "QueryApprovedChaincodeDefinitions",
)
_LIFECYCLE_OF_CHANNEL = (
    "CommitChaincodeDefinition",
    "QueryChaincodeDefinition",
    "QueryChaincodeDefinitions",
    "CheckCommitReadiness",
)
_LSCC = (
    "ChaincodeExists",
    "GetDeploymentSpec",
    "GetChaincodeData",
    "GetInstantiatedChaincodes",
    "GetCollectionsConfig",
)
_QSCC = (
    "GetChainInfo",
    "GetBlockByNumber",
    "GetBlockByHash",
    "GetTransactionByID",
    "GetBlockByTxID",
)

PEER_POLICIES = {f"_lifecycle/{name}": ADMINS for name in _LIFECYCLE_OF_PEER} | {
    "snapshot/submitrequest": ADMINS,
    "snapshot/cancelrequest": ADMINS,
    "snapshot/listpending": ADMINS,
    "lscc/Install": ADMINS,
    "lscc/GetInstalledChaincodes": ADMINS,
    "cscc/JoinChain": ADMINS,
    "cscc/JoinChainBySnapshot": ADMINS,
    "cscc/JoinBySnapshotStatus": ADMINS,
    "cscc/GetChannels": MEMBERS,
}
"""Resources of the peer, and the role of its own organization that each needs."""

CHANNEL_POLICIES = (
    {f"_lifecycle/{name}": WRITERS for name in _LIFECYCLE_OF_CHANNEL}
    | {f"lscc/{name}": READERS for name in _LSCC}
    | {f"qscc/{name}": READERS for name in _QSCC}
    | {
        "cscc/GetConfigBlock": READERS,
        "cscc/GetConfigTree": READERS,
        "cscc/GetChannelConfig": READERS,
        "cscc/SimulateConfigTreeUpdate": WRITERS,
        "peer/Propose": WRITERS,
        "peer/ChaincodeToChaincode": WRITERS,
        "event/Block": READERS,
        "event/FilteredBlock": READERS,
        "gateway/CommitStatus": READERS,
        "gateway/ChaincodeEvents": READERS,
    }
)
"""Resources of a channel, and the policy that each needs unless the channel's ACLs say another."""

_ROLES = {
    ADMINS: msp_principal_pb2.MSPRole.ADMIN,
    MEMBERS: msp_principal_pb2.MSPRole.MEMBER,
}


class AccessDenied(FastledgerError):
    """Somebody may not do what was asked; the text is Fabric's."""


class AclProvider:
    """Checks access for one peer."""

    def __init__(self, local_msp: Msp, bundles: Callable[[str], Bundle | None]) -> None:
        """Check against the peer's own MSP and the channels' configurations.

        Args:
            local_msp: The peer's own.
            bundles: Finds a channel's configuration; None when the peer is not on the channel.
        """
        self._local = local_msp
        self._bundles = bundles

    def check(self, resource: str, channel_id: str, signed: SignedData) -> None:
        """Return when whoever signed may use a resource.

        Raises:
            AccessDenied: He may not.
        """
        role = PEER_POLICIES.get(resource)
        if role is not None:
            self._check_local(role, signed)
            return
        bundle = self._bundles(channel_id)
        named = _named(resource, bundle)
        if bundle is not None and named:
            self._check_named(bundle, named, signed)
        else:
            self._check_default(resource, channel_id, bundle, signed)

    @staticmethod
    def policy(resource: str, bundle: Bundle) -> str:
        """Return the path of the policy that a resource of a channel needs."""
        return _named(resource, bundle) or CHANNEL_POLICIES[resource]

    def _check_named(self, bundle: Bundle, path: str, signed: SignedData) -> None:
        try:
            bundle.evaluate(path, [signed])
        except (NotFound, PolicyUnsatisfied) as error:
            raise AccessDenied(
                f"failed evaluating policy on signed data during check policy [{path}]: [{error}]"
            ) from error

    def _check_default(
        self, resource: str, channel_id: str, bundle: Bundle | None, signed: SignedData
    ) -> None:
        policy = CHANNEL_POLICIES.get(resource)
        if policy is None:
            raise AccessDenied(f"Unmapped policy for {resource}")
        if bundle is None:
            raise AccessDenied(f"Failed to get policy manager for channel [{channel_id}]")
        try:
            bundle.evaluate(policy, [signed])
        except (NotFound, PolicyUnsatisfied) as error:
            raise AccessDenied(
                "Failed evaluating policy on signed data during check policy on channel "
                f"[{channel_id}] with policy [{policy}]: [{error}]"
            ) from error

    def _check_local(self, role: str, signed: SignedData) -> None:
        try:
            identity = self._local.identity(signed.identity)
        except FastledgerError as error:
            raise AccessDenied(
                "Failed deserializing proposal creator during channelless check policy with "
                f"policy [{role}]: [{error}]"
            ) from error
        try:
            self._local.check_role(signed.identity, _ROLES[role])
        except FastledgerError as error:
            raise AccessDenied(
                "Failed verifying that proposal's creator satisfies local MSP principal during "
                f"channelless check policy with policy [{role}]: [{error}]"
            ) from error
        identity.verify(signed.data, signed.signature)


def _named(resource: str, bundle: Bundle | None) -> str | None:
    """Return the policy that a channel's own ACLs name for a resource."""
    if bundle is None or bundle.application is None:
        return None
    return bundle.application.acls.get(resource)
