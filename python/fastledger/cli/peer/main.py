# SPDX-License-Identifier: Apache-2.0
"""The ``peer`` command and its groups."""

import click

from fastledger.cli.peer.cobra import CobraGroup

_HERE = "fastledger.cli.peer"
_LIFECYCLE = f"{_HERE}.lifecycle"


@click.group(
    cls=CobraGroup,
    lazy={
        "chaincode": f"{_HERE}.main:chaincode",
        "channel": f"{_HERE}.main:channel",
        "lifecycle": f"{_HERE}.main:lifecycle",
        "logging": f"{_HERE}.main:logging",
        "node": f"{_HERE}.main:node",
        "snapshot": f"{_HERE}.main:snapshot",
        "version": f"{_HERE}.version:version",
    },
)
def peer() -> None:
    """Operate a peer, its channels and its chaincodes."""


@click.group(
    cls=CobraGroup,
    lazy={
        "create": f"{_HERE}.channel:create",
        "fetch": f"{_HERE}.fetch:fetch",
        "getinfo": f"{_HERE}.channel:getinfo",
        "join": f"{_HERE}.join:join",
        "joinbysnapshot": f"{_HERE}.join:joinbysnapshot",
        "joinbysnapshotstatus": f"{_HERE}.join:joinbysnapshotstatus",
        "list": f"{_HERE}.join:list_channels",
        "signconfigtx": f"{_HERE}.channel:signconfigtx",
        "update": f"{_HERE}.channel:update",
    },
)
def channel() -> None:
    """Create, join, update and look at channels."""


@click.group(
    cls=CobraGroup,
    lazy={
        "install": f"{_HERE}.install:install",
        "instantiate": f"{_HERE}.instantiate:instantiate",
        "invoke": f"{_HERE}.chaincode:invoke",
        "list": f"{_HERE}.listing:list_chaincodes",
        "package": f"{_HERE}.install:package",
        "query": f"{_HERE}.chaincode:query",
        "signpackage": f"{_HERE}.install:signpackage",
        "upgrade": f"{_HERE}.instantiate:upgrade",
    },
)
def chaincode() -> None:
    """Invoke and query chaincodes; install and instantiate them as Fabric 1.x does."""


@click.group(cls=CobraGroup, lazy={"chaincode": f"{_HERE}.main:lifecycle_chaincode"})
def lifecycle() -> None:
    """Agree on chaincode definitions as Fabric 2.x and 3.x do."""


@click.group(
    cls=CobraGroup,
    name="chaincode",
    lazy={
        "approveformyorg": f"{_LIFECYCLE}.definition:approveformyorg",
        "calculatepackageid": f"{_LIFECYCLE}.package:calculatepackageid",
        "checkcommitreadiness": f"{_LIFECYCLE}.definition:checkcommitreadiness",
        "commit": f"{_LIFECYCLE}.definition:commit",
        "getinstalledpackage": f"{_LIFECYCLE}.installed:getinstalledpackage",
        "install": f"{_LIFECYCLE}.installed:install",
        "package": f"{_LIFECYCLE}.package:package",
        "queryapproved": f"{_LIFECYCLE}.queries:queryapproved",
        "querycommitted": f"{_LIFECYCLE}.queries:querycommitted",
        "queryinstalled": f"{_LIFECYCLE}.installed:queryinstalled",
    },
)
def lifecycle_chaincode() -> None:
    """Package, install, approve and commit chaincodes."""


@click.group(
    cls=CobraGroup,
    lazy={
        "getlevel": f"{_HERE}.admin:getlevel",
        "getlogspec": f"{_HERE}.admin:getlogspec",
        "revertlevels": f"{_HERE}.admin:revertlevels",
        "setlevel": f"{_HERE}.admin:setlevel",
        "setlogspec": f"{_HERE}.admin:setlogspec",
    },
)
def logging() -> None:
    """Read and set a running peer's log levels."""


@click.group(
    cls=CobraGroup,
    lazy={
        "pause": f"{_HERE}.node:pause",
        "rebuild-dbs": f"{_HERE}.node:rebuild_dbs",
        "reset": f"{_HERE}.node:reset",
        "resume": f"{_HERE}.node:resume",
        "rollback": f"{_HERE}.node:rollback",
        "start": f"{_HERE}.node:start",
        "status": f"{_HERE}.admin:status",
        "unjoin": f"{_HERE}.node:unjoin",
        "upgrade-dbs": f"{_HERE}.node:upgrade_dbs",
    },
)
def node() -> None:
    """Start a peer, or maintain the ledgers of one that is stopped."""


@click.group(
    cls=CobraGroup,
    lazy={
        "cancelrequest": f"{_HERE}.snapshot:cancelrequest",
        "listpending": f"{_HERE}.snapshot:listpending",
        "submitrequest": f"{_HERE}.snapshot:submitrequest",
    },
)
def snapshot() -> None:
    """Ask a running peer for snapshots."""
