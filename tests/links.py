# SPDX-License-Identifier: Apache-2.0
"""The links between nodes on one machine, each of which can be cut, slowed down and reset.

In front of every node is a proxy, whose address is the one that the others know. Who has connected
to it, the kernel says: the connection's other end is an open file of one of the processes. So each
direction between two nodes is a link of its own; what goes over a link that is cut waits, as bytes
do whose packets are lost.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from waiting import elapse

_PIECE = 1 << 16
_LOCAL, _INODE = 1, 9


class Link:
    """One direction between two nodes."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.transports: set[asyncio.WriteTransport] = set()
        self._is_up = asyncio.Event()
        self._is_up.set()

    def cut(self) -> None:
        self._is_up.clear()

    def heal(self) -> None:
        self.delay_s = 0.0
        self._is_up.set()

    def reset(self) -> None:
        """Break the connections that it carries."""
        for transport in list(self.transports):
            transport.abort()

    async def passes(self) -> None:
        """Wait as long as a piece takes that goes over it now."""
        if self.delay_s:
            await elapse(self.delay_s, "the link is slow")
        await self._is_up.wait()


class Links:
    """All links between the nodes of a cluster, by the numbers of sender and receiver."""

    def __init__(self, ports: Mapping[int, int], process_of: Callable[[int], int | None]) -> None:
        """Know the nodes.

        Args:
            ports: Where each is served.
            process_of: Returns the id of a node's process, None while it has none.
        """
        self.addresses: dict[int, int] = {}
        """The ports by which the nodes know each other, once served."""
        self._ports = ports
        self._process_of = process_of
        self._links: dict[tuple[int, int], Link] = defaultdict(Link)
        self._tasks: set[asyncio.Task[None]] = set()

    def between(self, senders: Iterable[int], receivers: Iterable[int]) -> list[Link]:
        """The links from some nodes to some others."""
        return [
            self._links[sender, receiver]
            for sender in senders
            for receiver in receivers
            if sender != receiver
        ]

    def heal(self) -> None:
        for link in self._links.values():
            link.heal()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        servers = []
        for number in self._ports:
            server = await asyncio.start_server(self._accept(number), "127.0.0.1", 0)
            self.addresses[number] = server.sockets[0].getsockname()[1]
            servers.append(server)
        try:
            yield
        finally:
            for server in servers:
                server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, to: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.get_running_loop().create_task(self._connect(to, reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return accept

    async def _connect(
        self, to: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry a connection to a node, once it gets there, to its end."""
        writers = [writer]
        try:
            sender = self._sender(writer.get_extra_info("peername")[1])
            there, back = self._links[sender, to], self._links[to, sender]
            await there.passes()
            onward, onward_writer = await asyncio.open_connection("127.0.0.1", self._ports[to])
            writers.append(onward_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(_carry(there, reader, onward_writer))
                group.create_task(_carry(back, onward, writer))
        except* OSError:
            pass
        finally:
            for one in writers:
                one.transport.abort()

    def _sender(self, port: int) -> int:
        """Find whose connection comes from a port; 0 for nobody's, who is gone already."""
        wanted = f"socket:[{_inode_of(port)}]"
        for number in self._ports:
            process = self._process_of(number)
            with suppress(OSError):
                for file in Path(f"/proc/{process}/fd").iterdir():
                    with suppress(OSError):
                        if str(file.readlink()) == wanted:
                            return number
        return 0


async def _carry(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction of a connection; its end is the end of both."""
    link.transports.add(writer.transport)
    try:
        while piece := await reader.read(_PIECE):
            await link.passes()
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError
    finally:
        link.transports.discard(writer.transport)


def _inode_of(port: int) -> str:
    """Return the inode of the connection from a port of this machine; empty for none."""
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        fields = line.split()
        if int(fields[_LOCAL].rpartition(":")[2], 16) == port and fields[_INODE] != "0":
            return fields[_INODE]
    return ""
