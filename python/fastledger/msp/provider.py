# SPDX-License-Identifier: Apache-2.0
"""One MSP by itself: a node's own, which stands outside every channel."""

from fastledger._core import Identity
from fastledger._core import Msp as CoreMsp
from fastledger.common.errors import IdentityRefused
from fastledger.protos.msp.msp_config_pb2 import FabricMSPConfig, MSPConfig
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal, MSPRole

LOCAL_VERSION = "V3_0"
"""How a node's own MSP behaves, whatever the channels' capabilities are."""


class Msp:
    """An organization's MSP."""

    def __init__(self, config: bytes, *, version: str = LOCAL_VERSION) -> None:
        """Set it up of an encoded ``msp.MSPConfig``.

        Raises:
            InputError: The definition is refused.
            Unsupported: It is no X.509 MSP.
        """
        self._core = CoreMsp(config, version=version)
        definition = FabricMSPConfig.FromString(MSPConfig.FromString(config).config)
        self._node_ous = definition.fabric_node_ous.enable

    @property
    def name(self) -> str:
        """The MSP's name, the ``mspid`` of its identities."""
        return self._core.name

    @property
    def tls_cas(self) -> list[bytes]:
        """PEM of the CAs that the organization's TLS certificates come from."""
        return self._core.tls_roots + self._core.tls_intermediates

    def identity(self, serialized: bytes) -> Identity:
        """Read an encoded ``msp.SerializedIdentity``.

        Raises:
            IdentityRefused: It is none of this MSP.
        """
        return self._core.identity(serialized)

    def verify(self, serialized: bytes, message: bytes, signature: bytes) -> None:
        """Return if the identity is valid and the signature its own.

        Raises:
            IdentityRefused: It is not.
        """
        identity = self._core.identity(serialized)
        identity.validate()
        identity.verify(message, signature)

    def satisfies(self, serialized: bytes, principal: bytes) -> bool:
        """Whether an identity satisfies an encoded ``common.MSPPrincipal``.

        Raises:
            IdentityRefused: The identity cannot be read.
            InputError: The principal cannot be read.
        """
        return self._core.satisfies(serialized, principal)

    def check_role(self, serialized: bytes, role: "MSPRole.MSPRoleType.ValueType") -> None:
        """Return if an identity has a role in this MSP.

        Raises:
            IdentityRefused: It has not; the text is that of Fabric's ``SatisfiesPrincipal``.
        """
        principal = MSPPrincipal(
            principal_classification=MSPPrincipal.ROLE,
            principal=MSPRole(msp_identifier=self.name, role=role).SerializeToString(),
        )
        if self._core.satisfies(serialized, principal.SerializeToString()):
            return
        identity = self._core.identity(serialized)
        try:
            identity.validate()
        except IdentityRefused as error:
            if role == MSPRole.MEMBER:
                raise
            raise IdentityRefused(
                f"The identity is not valid under this MSP [{self.name}]: {error}"
            ) from error
        name = MSPRole.MSPRoleType.Name(role)
        what = "an admin" if role == MSPRole.ADMIN else f"a [{name}]"
        why = "NodeOUs not activated. Cannot tell apart identities."
        if self._node_ous:
            why = f"The identity does not contain OU [{name}], MSP: [{self.name}]"
        raise IdentityRefused(f"The identity is not {what} under this MSP [{self.name}]: {why}")
