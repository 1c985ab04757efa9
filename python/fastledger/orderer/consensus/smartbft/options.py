# SPDX-License-Identifier: Apache-2.0
"""Options of BFT (Fabric: ``smartbft/util``, and ``types.Configuration`` of SmartBFT)."""

from fastledger._core import duration_ns
from fastledger.common.errors import InputError
from fastledger.protos.orderer.smartbft.configuration_pb2 import Options

DEFAULT_REQUEST_MAX_BYTES = 10 * 1024
"""The largest request, as long as a batch is checked against it (SmartBFT's default)."""

_DURATIONS = {
    "RequestBatchMaxInterval": "request_batch_max_interval",
    "RequestForwardTimeout": "request_forward_timeout",
    "RequestComplainTimeout": "request_complain_timeout",
    "RequestAutoRemoveTimeout": "request_auto_remove_timeout",
    "ViewChangeResendInterval": "view_change_resend_interval",
    "ViewChangeTimeout": "view_change_timeout",
    "LeaderHeartbeatTimeout": "leader_heartbeat_timeout",
    "CollectTimeout": "collect_timeout",
}
"""In the order in which they are read."""

_POSITIVE = (
    "RequestBatchMaxCount",
    "RequestBatchMaxBytes",
    "RequestBatchMaxInterval",
    "IncomingMessageBufferSize",
    "RequestPoolSize",
    "RequestForwardTimeout",
    "RequestComplainTimeout",
    "RequestAutoRemoveTimeout",
    "ViewChangeResendInterval",
    "ViewChangeTimeout",
    "LeaderHeartbeatTimeout",
    "LeaderHeartbeatCount",
    "CollectTimeout",
)
_AT_MOST = (
    ("RequestBatchMaxCount", "RequestBatchMaxBytes"),
    ("RequestMaxBytes", "RequestBatchMaxBytes"),
    ("RequestForwardTimeout", "RequestComplainTimeout"),
    ("RequestComplainTimeout", "RequestAutoRemoveTimeout"),
    ("ViewChangeResendInterval", "ViewChangeTimeout"),
)


def check_options(options: Options) -> None:
    """Refuse options by which no consensus can run; raises InputError."""
    values = {
        "RequestBatchMaxCount": options.request_batch_max_count,
        "RequestBatchMaxBytes": options.request_batch_max_bytes,
        "RequestMaxBytes": DEFAULT_REQUEST_MAX_BYTES,
        "IncomingMessageBufferSize": options.incoming_message_buffer_size,
        "RequestPoolSize": options.request_pool_size,
        "LeaderHeartbeatCount": options.leader_heartbeat_count,
    }
    for name, field in _DURATIONS.items():
        try:
            values[name] = duration_ns(getattr(options, field))
        except InputError as error:
            raise InputError(f"bad config metadata option {name}: {error}") from error
    for name in _POSITIVE:
        if values[name] <= 0:
            raise _invalid(f"{name} should be greater than zero")
    for smaller, larger in _AT_MOST:
        if values[smaller] > values[larger]:
            raise _invalid(f"{smaller} is bigger than {larger}")
    if options.leader_rotation == Options.ROTATION_ON and not options.decisions_per_leader:
        raise _invalid(
            "DecisionsPerLeader should be greater than zero when leader rotation is active"
        )


def _invalid(reason: str) -> InputError:
    return InputError(f"config validation failed: {reason}")
