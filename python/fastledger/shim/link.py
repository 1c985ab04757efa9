# SPDX-License-Identifier: Apache-2.0
"""Ways to the peer: a stream of the core for a chaincode that dials, queues for one that serves."""

import sys
import threading
from queue import SimpleQueue

from google.protobuf.message import DecodeError

from fastledger._core import ChaincodeStream
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from fastledger.shim.conversation import (
    ANSWERS,
    Conversation,
    Waiting,
    is_transaction,
)
from fastledger.shim.turns import Turns


class CoreLink:
    """A stream that the core reads: it wakes the very thread that waits for an answer."""

    def __init__(self, stream: ChaincodeStream) -> None:
        """Talk over a stream."""
        self._stream = stream

    def send(self, message: ChaincodeMessage) -> None:
        """Send a message."""
        self._stream.send(message.SerializeToString())

    def ask(self, message: ChaincodeMessage) -> ChaincodeMessage | None:
        """Send a request and wait for its answer."""
        encoded = message.SerializeToString()
        answer = self._stream.ask(message.channel_id, message.txid, encoded)
        return None if answer is None else ChaincodeMessage.FromString(answer)


class Workers:
    """Threads that take messages off a stream and run transactions, whose callers take turns.

    There is one more than are busy, up to one more than may be: the stream is always read, so that
    a transaction's place depends on its caller and not on how many came before.
    """

    def __init__(self, stream: ChaincodeStream, conversation: Conversation, limit: int) -> None:
        """Start none yet; ``limit`` transactions may run at a time."""
        self._stream = stream
        self._conversation = conversation
        self._limit = limit + 1
        self._turns: Turns[Waiting] = Turns(limit)
        self._lock = threading.Lock()
        self._idle = 0
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Work until the stream ends.

        Raises:
            PeerError: The peer sent what is no request.
        """
        self._add()
        for thread in self._threads:
            # The list grows meanwhile, and is walked to its end.
            thread.join()
        if self._failure:
            raise self._failure

    def _add(self) -> None:
        with self._lock:
            if self._idle or len(self._threads) >= self._limit:
                return
            self._idle += 1
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (encoded := self._stream.next()) is not None and self._failure is None:
            with self._lock:
                self._idle -= 1
            self._add()
            try:
                self._receive(encoded)
            except BaseException as failure:  # noqa: BLE001 (raised by run)
                self._failure = failure
                self._stream.close()
            with self._lock:
                self._idle += 1

    def _receive(self, encoded: bytes) -> None:
        try:
            message = ChaincodeMessage.FromString(encoded)
        except (DecodeError, MemoryError) as error:
            # Too large for the memory that is left: the peer will time it out, others go on.
            print(f"a message of {len(encoded)} bytes is lost: {error}", file=sys.stderr)  # noqa: T201
            return
        if not is_transaction(message):
            self._conversation.receive(message)
            return
        self._turns.put(self._conversation.caller(message), Waiting(message))
        while (turn := self._turns.take()) is not None:
            caller, waiting = turn
            self._conversation.run(waiting)
            self._turns.done(caller)


class QueueLink:
    """Queues between the threads of a gRPC server and those of transactions."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.outgoing: SimpleQueue[ChaincodeMessage | None] = SimpleQueue()
        self._waiting: dict[tuple[str, str], SimpleQueue[ChaincodeMessage | None]] = {}
        self._over = False

    def send(self, message: ChaincodeMessage) -> None:
        """Send a message."""
        self.outgoing.put(message)

    def ask(self, message: ChaincodeMessage) -> ChaincodeMessage | None:
        """Send a request and wait for its answer."""
        key = (message.channel_id, message.txid)
        answer: SimpleQueue[ChaincodeMessage | None] = SimpleQueue()
        self._waiting[key] = answer
        try:
            self.send(message)
            return None if self._over else answer.get()
        finally:
            del self._waiting[key]

    def is_answer(self, message: ChaincodeMessage) -> bool:
        """Give an answer to who waits for it; nobody does once its transaction has ended."""
        if message.type not in ANSWERS:
            return False
        waiting = self._waiting.get((message.channel_id, message.txid))
        if waiting is not None:
            waiting.put(message)
        return True

    def finish(self) -> None:
        """The stream is over: who waits for an answer gets none."""
        self._over = True
        for waiting in list(self._waiting.values()):
            waiting.put(None)
        self.outgoing.put(None)
