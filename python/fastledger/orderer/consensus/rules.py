# SPDX-License-Identifier: Apache-2.0
"""What each kind of consensus asks of a configuration, whether or not this orderer runs the kind.

The generic rules, of ``channelconfig``, know nothing of the consensus metadata. A kind's own rules
stand in its package, and are asked wherever a configuration comes in: by an update, by a block to
join with, by a channel that a system channel makes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastledger.channelconfig import Bundle
from fastledger.common.errors import InputError
from fastledger.orderer.capabilities import orderer_of


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one kind; each raises InputError, with Fabric's text where Fabric has the rule.

    Fabric: ``consensus.MetadataValidator`` and ``consensus.ClusterConsenter``.
    """

    check_config: Callable[[Bundle], None]
    """Refuses a configuration that no channel of this kind may begin with."""

    check_update: Callable[[Bundle, Bundle], None]
    """Refuses what may not follow a configuration of this kind."""

    check_new_channel: Callable[[Bundle, Bundle], None]
    """Refuses a channel (second) that a system channel of this kind (first) may not make."""

    check_migration: Callable[[Bundle, Bundle], None]
    """Refuses a configuration of this kind that follows one of another kind."""


def check_orderer_organizations(current: Bundle, following: Bundle) -> None:
    """Refuse to take the last organization from the orderers.

    Nobody would know them any more: their addresses and CAs are their organizations'. Raft's own
    rules come to the same, as no certificate holds without its CA.
    """
    if orderer_of(current).orgs and not orderer_of(following).orgs:
        raise InputError("the update would leave the orderer group without any organization")


def _allow(*_: Bundle) -> None:
    """There is no metadata to be wrong."""


PLAIN = Rules(
    check_config=_allow,
    check_update=check_orderer_organizations,
    check_new_channel=_allow,
    check_migration=check_orderer_organizations,
)
"""The rules of a kind without metadata: solo, kafka."""
