# SPDX-License-Identifier: Apache-2.0
"""Which consenters an update adds and removes (Fabric: ``etcdraft/membership.go``)."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastledger.common.errors import InputError
from fastledger.protos.orderer.etcdraft.configuration_pb2 import Consenter


@dataclass(frozen=True, slots=True)
class MembershipChanges:
    """Consenters that come and go; one that comes while one goes has a new certificate."""

    added: tuple[Consenter, ...]
    removed: tuple[Consenter, ...]


def membership_changes(old: Sequence[Consenter], new: Sequence[Consenter]) -> MembershipChanges:
    """Compare two sets of consenters, who are told apart by their client certificates.

    Raises:
        InputError: More than one is added, or more than one removed.
    """
    before = {consenter.client_tls_cert for consenter in old}
    after = {consenter.client_tls_cert for consenter in new}
    added = tuple(consenter for consenter in new if consenter.client_tls_cert not in before)
    removed = tuple(consenter for consenter in old if consenter.client_tls_cert not in after)
    if len(added) > 1 or len(removed) > 1:
        raise InputError(
            "update of more than one consenter at a time is not supported, requested changes: "
            f"add {len(added)} node(s), remove {len(removed)} node(s)"
        )
    return MembershipChanges(added, removed)
