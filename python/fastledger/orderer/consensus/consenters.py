# SPDX-License-Identifier: Apache-2.0
"""The kinds of consensus by the name that a configuration gives them."""

from collections.abc import Callable
from dataclasses import dataclass

from fastledger.channelconfig import Orderer
from fastledger.common.errors import Unsupported
from fastledger.orderer.consensus.chain import Chain, ChainSupport
from fastledger.orderer.consensus.etcdraft.chain import SingleConsenterChain, check_consenters
from fastledger.orderer.consensus.solo import SoloChain


@dataclass(frozen=True, slots=True)
class Consenter:
    """One kind of consensus."""

    relation: str
    """What the participation API calls this orderer's part: ``consenter``, ``other``."""

    check: Callable[[str, Orderer], None]
    """Raises Unsupported for a channel (by name) that this orderer cannot run."""

    chain: Callable[[ChainSupport, bytes], Chain]
    """Makes a channel's chain, which goes on after the consenter metadata of its last block."""


class Consenters:
    """The kinds that this orderer runs."""

    def __init__(self, server_certificate: bytes | None = None) -> None:
        """Know this node by its PEM TLS certificate; None where TLS is off."""

        def check_etcdraft(channel_id: str, values: Orderer) -> None:
            check_consenters(channel_id, values.consensus_metadata, server_certificate)

        self._kinds = {
            "solo": Consenter("other", _always, lambda support, _: SoloChain(support)),
            "etcdraft": Consenter("consenter", check_etcdraft, SingleConsenterChain),
        }

    def of(self, values: Orderer) -> Consenter:
        """Return the kind that a configuration names; raises Unsupported."""
        kind = self._kinds.get(values.consensus_type)
        if kind is None:
            raise Unsupported(
                f"error retrieving consenter of type: {values.consensus_type}; this orderer runs "
                f"{', '.join(self._kinds)}"
            )
        return kind


def _always(channel_id: str, values: Orderer) -> None:
    """Solo has nothing to check: whoever has the channel orders it."""
