# SPDX-License-Identifier: Apache-2.0
"""Settings of chaincode execution, and the limits that hold whatever a chaincode does."""

from dataclasses import dataclass

from fastledger.common.settings import flag, seconds, whole

PAGE_ROWS = 100
"""Rows in one answer to a query that is not paged (Fabric: ``MaxResultLimit``)."""

MAX_MESSAGE_BYTES = 100 * 1024 * 1024
"""Largest message on a chaincode stream, as everywhere in Fabric."""

FRAME_BYTES = 64 * 1024
"""What such a message may have beside its payload: ids, names, what protobuf puts before each."""

MAX_OPEN_ITERATORS = 100
"""Queries that one transaction may hold open: each holds a cursor and up to a page of rows."""

MAX_TRANSACTION_BYTES = 100 * 1024 * 1024
"""Keys and values that one transaction may read and write.

A bigger read-write set would fit into no message, so stopping here costs no sound transaction.
"""

LARGE_BATCH_BYTES = 256 * 1024
"""From here on keys to be read or written in one message are some ten thousand."""

REQUEST_BYTES = 64
"""What a request costs beside its keys and values: its entry in the read-write set."""

MIN_EXECUTE_TIMEOUT_S = 1.0
MIN_STARTUP_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class ChaincodeConfig:
    """The part of core.yaml that the handler obeys.

    Raises:
        ValueError: A value is out of its range; the text names the key.
    """

    execute_timeout_s: float = seconds(
        "chaincode.executetimeout", 30.0, "A transaction that takes longer fails; at least 1s."
    )
    startup_timeout_s: float = seconds(
        "chaincode.startuptimeout",
        300.0,
        "For a chaincode to start and register, without its build; at least 5s.",
    )
    keepalive_s: float = whole(
        "chaincode.keepalive",
        0,
        "Seconds between messages that keep a chaincode's stream open; 0 sends none, which the "
        "Node shim needs.",
    )
    total_query_limit: int = whole(
        "ledger.state.totalQueryLimit", 100_000, "Rows that one query may return in all."
    )
    use_write_batch: bool = flag(
        "chaincode.runtimeParams.useWriteBatch",
        True,
        "Offer chaincodes to send several writes in one message.",
    )
    max_size_write_batch: int = whole(
        "chaincode.runtimeParams.maxSizeWriteBatch", 1000, "Writes in one message.", zero=False
    )
    use_get_multiple_keys: bool = flag(
        "chaincode.runtimeParams.useGetMultipleKeys",
        True,
        "Offer chaincodes to read several keys with one message.",
    )
    max_size_get_multiple_keys: int = whole(
        "chaincode.runtimeParams.maxSizeGetMultipleKeys", 1000, "Keys in one message.", zero=False
    )

    max_transactions: int = 1000
    """Transactions in flight at one chaincode; more are refused at once."""

    overdue_grace_s: float = 5.0
    """How long after its timeout a transaction may still occupy a chaincode that we started.

    Then the chaincode is replaced: it loops, and would take a core for ever.
    """

    def __post_init__(self) -> None:
        """Check every range."""
        _at_least("chaincode.executetimeout", self.execute_timeout_s, MIN_EXECUTE_TIMEOUT_S)
        _at_least("chaincode.startuptimeout", self.startup_timeout_s, MIN_STARTUP_TIMEOUT_S)
        _at_least("chaincode.keepalive", self.keepalive_s, 0)
        _at_least("ledger.state.totalQueryLimit", self.total_query_limit, 1)
        params = "chaincode.runtimeParams"
        _at_least(f"{params}.maxSizeWriteBatch", self.max_size_write_batch, 1)
        _at_least(f"{params}.maxSizeGetMultipleKeys", self.max_size_get_multiple_keys, 1)
        _at_least("max_transactions", self.max_transactions, 1)
        _at_least("overdue_grace_s", self.overdue_grace_s, 0)


def _at_least(key: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{key} is {value}, it must be at least {least}")
