# SPDX-License-Identifier: Apache-2.0
"""Rich queries: CouchDB's Mango selectors over the keys and values of a ledger, with no server.

::

    rows = richquery.execute(
        '{"selector": {"owner": "tom"}, "sort": ["size"]}', state_from, indexes=indexes
    )
    for key, value in rows:
        ...
    rows.bookmark_and_close()

Indexes decide, as in CouchDB, which sorts are allowed and which documents a sorted result has. One
whose entries are kept (``IndexTables``) is read instead of all keys of its chaincode.
"""

from fastledger.ledger.richquery.execution import (
    Entries,
    EntriesOf,
    QueryRows,
    RowsFrom,
    execute,
)
from fastledger.ledger.richquery.indexes import Index, parse_index
from fastledger.ledger.richquery.query import Query, QueryInvalid, parse
from fastledger.ledger.richquery.tables import IndexTables, Space, StoredEntries

__all__ = [
    "Entries",
    "EntriesOf",
    "Index",
    "IndexTables",
    "Query",
    "QueryInvalid",
    "QueryRows",
    "RowsFrom",
    "Space",
    "StoredEntries",
    "execute",
    "parse",
    "parse_index",
]
