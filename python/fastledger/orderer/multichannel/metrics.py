# SPDX-License-Identifier: Apache-2.0
"""What an orderer counts of its part in channels (Fabric: ``multichannel/metrics.go``)."""

from collections.abc import Callable

from prometheus_client import Gauge

from fastledger.common import metrics
from fastledger.orderer.consensus.chain import Relation, Standing, Status

_STATUSES = (Status.INACTIVE, Status.ACTIVE, Status.ONBOARDING, Status.FAILED)
_RELATIONS = (Relation.OTHER, Relation.CONSENTER, Relation.FOLLOWER, Relation.CONFIG_TRACKER)
"""Their places are the numbers that stand for them."""

_LABELS = ("channel",)


def follow(channel_id: str, standing: Callable[[], Standing]) -> None:
    """Show where a channel stands, whenever somebody looks."""
    status, relation = _gauges()
    status.labels(channel_id).set_function(lambda: _STATUSES.index(standing().status))
    relation.labels(channel_id).set_function(lambda: _RELATIONS.index(standing().relation))


def forget(channel_id: str) -> None:
    """Show nothing of a channel any more."""
    for gauge in _gauges():
        gauge.remove(channel_id)


def _gauges() -> tuple[Gauge, Gauge]:
    return (
        metrics.gauge(
            "participation_status",
            "The channel participation status of the node: 0 if inactive, 1 if active, 2 if "
            "onboarding, 3 if failed.",
            _LABELS,
        ),
        metrics.gauge(
            "participation_consensus_relation",
            "The channel participation consensus relation of the node: 0 if other, 1 if "
            "consenter, 2 if follower, 3 if config-tracker.",
            _LABELS,
        ),
    )
