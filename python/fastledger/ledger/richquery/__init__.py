# SPDX-License-Identifier: Apache-2.0
"""Rich queries: CouchDB's Mango selectors over the keys and values of a ledger, with no server.

::

    rows = richquery.execute(
        '{"selector": {"owner": "tom"}, "sort": ["size"]}', state_from, indexes=indexes
    )
    for key, value in rows:
        ...
    rows.bookmark_and_close()

Every query reads all keys of its chaincode. Indexes decide, as in CouchDB, which sorts are allowed
and which documents a sorted result has; they hold no entries of their own yet.
"""

from fastledger.ledger.richquery.execution import QueryRows, RowsFrom, execute
from fastledger.ledger.richquery.indexes import Index, parse_index
from fastledger.ledger.richquery.query import Query, QueryInvalid, parse

__all__ = [
    "Index",
    "Query",
    "QueryInvalid",
    "QueryRows",
    "RowsFrom",
    "execute",
    "parse",
    "parse_index",
]
