# SPDX-License-Identifier: Apache-2.0
"""A key's history as a chaincode gets it."""

from collections.abc import Iterator

from fastledger.ledger.queryexecutor import QueryExecutor
from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KeyModification


def modifications(ledger: QueryExecutor, ns: str, key: str) -> Iterator[KeyModification]:
    """Read the valid writes of a public key, newest first (``GetHistoryForKey``)."""
    for entry in ledger.history(ns, key):
        modification = KeyModification(
            tx_id=entry.tx_id, value=entry.value, is_delete=entry.is_delete
        )
        if entry.timestamp is not None:
            modification.timestamp.FromDatetime(entry.timestamp)
        yield modification
