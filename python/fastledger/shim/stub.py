# SPDX-License-Identifier: Apache-2.0
"""What a transaction can do (Fabric: ``ChaincodeStubInterface``).

Reads see the committed state, never the transaction's own writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Protocol

from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KV, KeyModification
from fastledger.protos.peer import chaincode_shim_pb2 as wire
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeAdditionalParams,
    ChaincodeID,
    ChaincodeInput,
    ChaincodeSpec,
)
from fastledger.protos.peer.proposal_pb2 import SignedProposal
from fastledger.protos.peer.proposal_response_pb2 import Response
from fastledger.shim import keys
from fastledger.shim.iterators import Results
from fastledger.shim.memory import check_size
from fastledger.shim.private import PrivateData
from fastledger.shim.proposal import ProposalFacts
from fastledger.shim.writes import Writes

Type = wire.ChaincodeMessage
VALIDATION_PARAMETER = "VALIDATION_PARAMETER"
"""Metadata key of a key-level endorsement policy."""


class Peer(Protocol):
    """Answers the requests of a transaction: a peer, or a mock."""

    params: ChaincodeAdditionalParams

    def request(self, kind: "wire.ChaincodeMessage.Type.ValueType", payload: bytes) -> bytes:
        """Ask and wait.

        Raises:
            PeerError: The peer refuses, or is gone.
            ValueError: No message can hold the request.
            MemoryError: The process has no memory for it now.
        """


class Input(Protocol):
    """What a transaction gets, as ``protos.ChaincodeInput`` has it."""

    @property
    def args(self) -> Iterable[bytes]:
        """The arguments."""

    @property
    def decorations(self) -> Mapping[str, bytes]:
        """What the peer's decorators added."""


class ChaincodeStub(PrivateData):
    """One transaction."""

    def __init__(
        self,
        peer: Peer,
        channel_id: str,
        tx_id: str,
        chaincode_input: Input,
        signed_proposal: bytes | None,
    ) -> None:
        """Made by the shim for every transaction."""
        self.event: ChaincodeEvent | None = None
        self._channel_id = channel_id
        self._tx_id = tx_id
        self._input = chaincode_input
        self._signed_proposal = signed_proposal
        super().__init__(peer.request, Writes(peer.request, peer.params))

    def ask(self, kind: "wire.ChaincodeMessage.Type.ValueType", payload: bytes) -> bytes:
        """Send a request of this transaction to the peer.

        Raises:
            PeerError: The peer refuses.
        """
        return self._ask(kind, payload)

    # -- what is asked for

    def get_args(self) -> list[bytes]:
        """All arguments; the first usually names a function."""
        return list(self._input.args)

    def get_string_args(self) -> list[str]:
        """All arguments as text."""
        return [argument.decode() for argument in self._input.args]

    def get_function_and_parameters(self) -> tuple[str, list[str]]:
        """The first argument, and the others."""
        arguments = self.get_string_args()
        return (arguments[0], arguments[1:]) if arguments else ("", [])

    def get_args_slice(self) -> bytes:
        """All arguments joined."""
        return b"".join(self._input.args)

    def get_tx_id(self) -> str:
        """The transaction's id."""
        return self._tx_id

    def get_channel_id(self) -> str:
        """The channel's name."""
        return self._channel_id

    def get_decorations(self) -> Mapping[str, bytes]:
        """What the peer's decorators added."""
        return dict(self._input.decorations)

    # -- who asks

    def get_signed_proposal(self) -> SignedProposal | None:
        """The client's proposal; None when the peer itself called."""
        signed = self._signed_proposal
        return None if signed is None else SignedProposal.FromString(signed)

    @cached_property
    def _facts(self) -> ProposalFacts:
        if self._signed_proposal is None:
            raise ValueError("there is no signed proposal")
        return ProposalFacts(self._signed_proposal)

    def get_creator(self) -> bytes:
        """``msp.SerializedIdentity`` of the client; see :class:`~.identity.ClientIdentity`."""
        return self._facts.creator

    def get_transient(self) -> dict[str, bytes]:
        """Data for this call that goes into no block."""
        return self._facts.transient

    def get_binding(self) -> bytes:
        """SHA-256 of nonce, creator and epoch."""
        return self._facts.binding

    def get_tx_timestamp(self) -> datetime:
        """The client's clock, the same at every endorser."""
        return self._facts.timestamp

    # -- public state

    def get_state(self, key: str) -> bytes | None:
        """Read a key; None when it does not exist."""
        payload = wire.GetState(key=key).SerializeToString()
        return self._ask(Type.GET_STATE, payload) or None

    def get_multiple_states(self, *names: str) -> list[bytes | None]:
        """Read several keys, in one message where the peer can."""
        return self._get_multiple("", names)

    def put_state(self, key: str, value: bytes) -> None:
        """Write a key.

        Raises:
            ValueError: The key is empty, or no message can hold the value.
        """
        self._writes.put("", key, value)

    def del_state(self, key: str) -> None:
        """Delete a key."""
        self._writes.delete("", key)

    def set_state_validation_parameter(self, key: str, policy: bytes) -> None:
        """Give a key an endorsement policy of its own; see :mod:`.statebased`."""
        self._writes.put_metadata("", key, VALIDATION_PARAMETER, policy)

    def get_state_validation_parameter(self, key: str) -> bytes | None:
        """The key's own endorsement policy, as committed."""
        return self._get_metadata("", key).get(VALIDATION_PARAMETER)

    def get_state_by_range(self, start: str, end: str) -> Results[KV]:
        """Read from ``start`` up to but not including ``end``; empty means no bound."""
        keys.check_simple(start, end)
        return self._get_range("", start or keys.EMPTY_START, end)

    def get_state_by_range_with_pagination(
        self, start: str, end: str, page_size: int, bookmark: str = ""
    ) -> Results[KV]:
        """Read one page of a range; ``metadata.bookmark`` of the result begins the next."""
        keys.check_simple(start, end)
        page = _page(page_size, bookmark)
        return self._get_range("", start or keys.EMPTY_START, end, page)

    def get_state_by_partial_composite_key(
        self, object_type: str, attributes: Sequence[str]
    ) -> Results[KV]:
        """Read all composite keys that begin with these parts."""
        return self._get_range("", *keys.range_of(object_type, attributes))

    def get_state_by_partial_composite_key_with_pagination(
        self, object_type: str, attributes: Sequence[str], page_size: int, bookmark: str = ""
    ) -> Results[KV]:
        """Read one page of the composite keys that begin with these parts."""
        start, end = keys.range_of(object_type, attributes)
        return self._get_range("", start, end, _page(page_size, bookmark))

    def get_all_states_composite_key_with_pagination(
        self, page_size: int, bookmark: str = ""
    ) -> Results[KV]:
        """Read one page of all composite keys."""
        page = _page(page_size, bookmark)
        return self._get_range("", keys.NAMESPACE, keys.NAMESPACE + keys.LAST, page)

    def create_composite_key(self, object_type: str, attributes: Sequence[str]) -> str:
        """See :func:`.keys.create`."""
        return keys.create(object_type, attributes)

    def split_composite_key(self, key: str) -> tuple[str, list[str]]:
        """See :func:`.keys.split`."""
        return keys.split(key)

    def get_query_result(self, query: str) -> Results[KV]:
        """Run a rich query, a Mango selector as JSON; results are not checked at commit."""
        return self._query("", query)

    def get_query_result_with_pagination(
        self, query: str, page_size: int, bookmark: str = ""
    ) -> Results[KV]:
        """Run one page of a rich query."""
        return self._query("", query, _page(page_size, bookmark))

    def get_history_for_key(self, key: str) -> Results[KeyModification]:
        """Read the key's valid writes, newest first."""
        payload = wire.GetHistoryForKey(key=key).SerializeToString()
        return Results(KeyModification, self._ask(Type.GET_HISTORY_FOR_KEY, payload), self._ask)

    # -- several writes in one message

    def start_write_batch(self) -> None:
        """Collect the writes that follow and send them together, where the peer can (3.1)."""
        self._writes.start_batch()

    def finish_write_batch(self) -> None:
        """Send what was collected; the end of the transaction does it too."""
        self._writes.finish_batch()

    # -- others

    def set_event(self, name: str, payload: bytes = b"") -> None:
        """Set the event that clients get when the transaction is committed; the last one counts.

        Raises:
            ValueError: The name is empty, or no message can hold the event.
        """
        if not name:
            raise ValueError("event name can not be empty string")
        check_size(len(name) + len(payload), "the event")
        self.event = ChaincodeEvent(event_name=name, payload=payload)

    def invoke_chaincode(self, name: str, args: Sequence[bytes], channel: str = "") -> Response:
        """Call another chaincode; on another channel it can only be read.

        Raises:
            PeerError: It could not be called, or gave no answer.
        """
        check_size(sum(map(len, args)), "the call")
        spec = ChaincodeSpec(
            chaincode_id=ChaincodeID(name=f"{name}/{channel}" if channel else name),
            input=ChaincodeInput(args=args),
        )
        payload = self._ask(Type.INVOKE_CHAINCODE, spec.SerializeToString())
        answer = wire.ChaincodeMessage.FromString(payload)
        if answer.type == Type.COMPLETED:
            return Response.FromString(answer.payload)
        return Response(status=500, message=answer.payload.decode("utf-8", "replace"))


def _page(size: int, bookmark: str) -> bytes:
    return wire.QueryMetadata(pageSize=size, bookmark=bookmark).SerializeToString()
