# SPDX-License-Identifier: Apache-2.0
"""Stub of the Rust core; `make check` holds it against the built module."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, final

__all__ = [
    "CALL_ASKED",
    "CALL_BEGUN",
    "CALL_ENDED",
    "CALL_FINISHED",
    "CALL_HALF_CLOSED",
    "CALL_MESSAGE",
    "CALL_WRITABLE",
    "GRPC_THREAD",
    "AnchorPeer",
    "Application",
    "ApplicationCapabilities",
    "BatchSize",
    "BlockResponse",
    "BlockStore",
    "Certificate",
    "ChaincodeConversation",
    "ChaincodeDefinition",
    "ChaincodeTransaction",
    "ChannelConfig",
    "CommitResult",
    "Consenter",
    "CoreBytes",
    "EndorsedResponse",
    "Examined",
    "Excerpt",
    "GrpcCall",
    "GrpcChannel",
    "GrpcHub",
    "GrpcServer",
    "Identity",
    "Ledger",
    "Location",
    "Msp",
    "Orderer",
    "OrdererCapabilities",
    "Organization",
    "Proposal",
    "RaftEntry",
    "RaftMessage",
    "RaftNode",
    "RaftReady",
    "RaftSnapshot",
    "RangeScan",
    "ReadWriteSet",
    "ShimPeers",
    "ShimTransaction",
    "SigningKey",
    "Simulation",
    "StateIterator",
    "StateView",
    "StepMessage",
    "Verifier",
    "VersionedValue",
    "Workload",
    "__version__",
    "block_from_record",
    "block_header",
    "block_header_bytes",
    "block_header_hash",
    "block_number",
    "block_with_metadata",
    "check_channel_id",
    "counters",
    "deflate",
    "delivered",
    "duration_ns",
    "emitted_events",
    "environment_damage",
    "expires_at",
    "expiring_block",
    "filtered_block",
    "log_close",
    "log_level",
    "log_open",
    "log_take",
    "new_block",
    "open_block",
    "open_envelope",
    "open_step_requests",
    "proposal_parts",
    "proposal_response",
    "provoke_defect",
    "raft_route",
    "remove_raft_log",
    "response_payload",
    "route_envelopes",
    "submit_request",
    "transaction_id",
    "transaction_ids",
    "transaction_payload",
]

__version__: str

CALL_ASKED: Final[int]
"""A client calls a method that it asks once: (path, peer, certificates, message)."""
CALL_BEGUN: Final[int]
"""A client calls any other method: (path, peer, certificates)."""
CALL_MESSAGE: Final[int]
"""A message came: bytes."""
CALL_HALF_CLOSED: Final[int]
"""The client has no more messages."""
CALL_WRITABLE: Final[int]
"""So much was taken of what had piled up to be sent that more may follow."""
CALL_ENDED: Final[int]
"""A call that was answered is over, or was given up."""
CALL_FINISHED: Final[int]
"""The server has ended a call that was made: (code, text, encoded google.rpc.Status)."""

"""``ChaincodeMessage.Type`` of what answers a chaincode's request."""

GRPC_THREAD: Final[str]
"""Name of the thread that carries gRPC, as the system shows it."""

@final
class BlockResponse:
    """An encoded DeliverResponse with a block, whose bytes stay where they lie.

    ``orderer.DeliverResponse`` and ``protos.DeliverResponse`` number the field alike.
    """

    def __new__(cls, block: bytes | CoreBytes) -> BlockResponse:
        """Takes an encoded common.Block."""

    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...

@final
class BlockStore:
    """One channel's block files, with nothing derived from them: what an orderer keeps."""

    @staticmethod
    def open(path: str, *, known: bool = False) -> BlockStore:
        """Opens the folder of a channel's block files, or makes it; cuts off a torn append.

        ``known`` says that blocks were stored in it before, so that none may be missing.
        """

    def close(self) -> None: ...
    @property
    def torn(self) -> tuple[str, int, int] | None:
        """What opening cut off: file, offset, bytes."""

    @property
    def height(self) -> int: ...
    @property
    def last_header_hash(self) -> bytes | None: ...
    def append(self, blocks: Sequence[bytes | CoreBytes]) -> None:
        """Appends encoded common.Blocks; all are durable, by one sync, before any can be read."""

    def block(self, number: int) -> bytes:
        """Encoded common.Block, which has the data hash that its header states."""

    def block_in_core(self, number: int) -> CoreBytes:
        """The same, for whoever only hands it on."""

@final
class Certificate:
    """A certificate that belongs to no MSP, read as Go reads it."""

    def __new__(cls, pem: bytes) -> Certificate:
        """Reads the first PEM block: InputError where there is none, else IdentityRefused."""

    @property
    def serial(self) -> bytes:
        """The serial number, big-endian."""

    @property
    def public_key(self) -> bytes:
        """DER `SubjectPublicKeyInfo`."""

    @property
    def not_before(self) -> int:
        """Seconds since 1970, UTC."""

    @property
    def not_after(self) -> int:
        """Seconds since 1970, UTC."""

@final
class EndorsedResponse:
    """A `protos.ProposalResponse` that is signed where it is sent."""

    def __new__(
        cls,
        key: SigningKey,
        endorser: bytes,
        response: bytes,
        payload: bytes,
        interest: bytes | None = None,
    ) -> EndorsedResponse:
        """Takes encoded parts: of a `msp.SerializedIdentity`, a `protos.Response` and so on."""

    def encoded(self) -> bytes:
        """Signs here and now."""

@final
class Examined:
    """What can be said of a block without the state before it."""

    @property
    def number(self) -> int: ...
    @property
    def header_hash(self) -> bytes: ...
    @property
    def transactions(self) -> int: ...
    @property
    def decided(self) -> int:
        """Transactions whose verdict no state changes."""

    @property
    def orderers_checked(self) -> bool:
        """Whether the orderers' signatures were verified."""

    @property
    def creators_checked(self) -> bool:
        """Whether the creators' signatures were verified."""

    @property
    def commit_hash_follows(self) -> bool | None:
        """Whether it follows from the one before, verdicts and writes; absent if unknown."""

    @property
    def differences(self) -> list[tuple[int, str]]:
        """Transactions whose stored verdict cannot be right, and why."""

    @property
    def notes(self) -> list[str]: ...

@final
class Excerpt:
    """Consecutive blocks of a channel, the first of them not its first."""

    def __new__(
        cls, after: tuple[int, bytes] | None = None, *, allow_malformed: bool = False
    ) -> Excerpt:
        """Begins behind the block of this number and header hash, or anywhere."""

    @property
    def channel_id(self) -> str | None: ...
    def examine(self, block: bytes) -> Examined:
        """Examines the next encoded common.Block; raises BlockRefused."""

@final
class ChaincodeDefinition:
    """What the state says of a chaincode, by either lifecycle."""

    @property
    def lifecycle(self) -> str:
        """Who defines it: `_lifecycle` or `lscc`."""

    @property
    def sequence(self) -> int:
        """How many definitions `_lifecycle` has had of it; 0 by lscc."""

    @property
    def version(self) -> str: ...
    @property
    def init_required(self) -> bool:
        """Whether a transaction must initialize it first; never by lscc."""

    @property
    def endorsement_plugin(self) -> str: ...
    @property
    def validation_plugin(self) -> str: ...
    @property
    def validation_parameter(self) -> bytes:
        """Encoded protos.ApplicationPolicy; by lscc common.SignaturePolicyEnvelope."""

    @property
    def collections(self) -> bytes:
        """Encoded protos.CollectionConfigPackage of explicit collections, empty for none."""

    @property
    def package_id(self) -> bytes:
        """The id of the package that lscc instantiated, empty by `_lifecycle`."""

@final
class CoreBytes:
    """Bytes that lie in the core's memory: Python hands them on without a copy."""

    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...
    def __contains__(self, part: bytes, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class CommitResult:
    """What became of one block."""

    @property
    def number(self) -> int: ...
    @property
    def header_hash(self) -> bytes: ...
    @property
    def data_hash(self) -> bytes: ...
    @property
    def commit_hash(self) -> bytes | None:
        """Absent for block 0."""

    @property
    def codes(self) -> bytes:
        """One TxValidationCode per transaction: the block's transactions filter."""

    @property
    def notes(self) -> list[str]:
        """What an auditor should know of the block beside its verdicts."""

    @property
    def private_effects(
        self,
    ) -> list[
        tuple[int, str, bool, list[tuple[str, str, bytes, list[tuple[bytes, bytes, bool, bool]]]]]
    ]:
        """What transactions that touch collections write there, or would if they were valid.

        Index, transaction id, whether it is valid, and by collection: chaincode, name, SHA-256 of
        the private write set, writes. Of a write SHA-256 of key and value, whether it deletes,
        whether it purges.
        """

    @property
    def stored_codes(self) -> bytes | None:
        """The filter that the block carried when it came in, absent when it had none."""

    @property
    def stored_commit_hash(self) -> bytes | None: ...
    @property
    def stage_ms(self) -> Mapping[str, float]:
        """Milliseconds per stage on the wall's clock, summed over threads.

        Stages: parse, verify, policy, mvcc, append, state.
        """

    @property
    def stage_cpu_ms(self) -> Mapping[str, float]:
        """Milliseconds per stage that the working threads had a core."""

@final
class Location:
    """Where a transaction stands."""

    @property
    def block(self) -> int: ...
    @property
    def tx(self) -> int: ...
    @property
    def code(self) -> int: ...

@final
class VersionedValue:
    """A key's committed state."""

    @property
    def value(self) -> bytes: ...
    @property
    def metadata(self) -> bytes:
        """Encoded metadata entries, empty for none."""

    @property
    def version(self) -> tuple[int, int]:
        """Block and transaction that wrote it last."""

@final
class ShimPeers:
    """The peers of a chaincode; several threads may use it."""

    @staticmethod
    def dial(
        ccid: str,
        address: str,
        workers: int,
        *,
        roots: bytes | None = None,
        cert: bytes | None = None,
        key: bytes | None = None,
    ) -> ShimPeers:
        """Dials host:port or unix:path, with TLS if there are roots; raises ConnectionError.

        So many transactions run at a time.
        """

    @staticmethod
    def serve(
        ccid: str,
        address: str,
        workers: int,
        *,
        cert: bytes | None = None,
        key: bytes | None = None,
        client_roots: bytes | None = None,
    ) -> ShimPeers:
        """Listens for peers, with TLS if there is a certificate; raises ConnectionError.

        With roots, a peer must show a certificate that one of them has signed.
        """

    @property
    def port(self) -> int:
        """Of a service; 0 for a path."""

    def next(self) -> ShimTransaction | None:
        """Waits for a transaction that may be run now; None once there can be none."""

    def has_idle(self) -> bool:
        """Whether a thread waits for a transaction."""

    def close(self) -> None:
        """Hangs up, or serves no more."""

    def over(self) -> str | None:
        """Why the peer that was dialled is gone; empty without an error, None while it is there."""

@final
class ShimTransaction:
    """A transaction that a thread runs."""

    @property
    def tx_id(self) -> str: ...
    @property
    def channel_id(self) -> str: ...
    @property
    def is_init(self) -> bool: ...
    @property
    def caller(self) -> bytes:
        """Its creator; `nested` if a running one waits for it, empty if the peer itself calls."""

    @property
    def signed_proposal(self) -> bytes | None:
        """Encoded `protos.SignedProposal`."""

    @property
    def params(self) -> bytes:
        """What the peer offers: encoded `protos.ChaincodeAdditionalParams`."""

    @property
    def args(self) -> list[bytes]:
        """Raises ValueError if the input cannot be decoded."""

    @property
    def decorations(self) -> dict[str, bytes]:
        """Raises ValueError if the input cannot be decoded."""

    @property
    def age_s(self) -> float:
        """Seconds since it came."""

    def ask(self, kind: int, payload: bytes) -> tuple[bool, bytes] | None:
        """Sends a request and waits for its answer; None when the peer is gone.

        The first says whether the peer refuses, then the other is its text.
        """

    def complete(self, response: bytes, event: bytes | None = None) -> None:
        """Sends an encoded `protos.Response`, and `protos.ChaincodeEvent`."""

    def fail(self, why: str) -> None:
        """Says that it failed."""

    def done(self) -> None:
        """Gives its worker back."""

@final
class Proposal:
    """A signed proposal with all the parts that an endorser needs."""

    @staticmethod
    def unpack(encoded: bytes) -> Proposal | None:
        """Takes a `protos.SignedProposal` apart; None where a part is missing or not decoded."""

    @property
    def channel_id(self) -> str: ...
    @property
    def tx_id(self) -> str: ...
    @property
    def creator(self) -> bytes:
        """An encoded `msp.SerializedIdentity`."""

    @property
    def chaincode(self) -> str:
        """Name of the chaincode that is called."""

    @property
    def hash(self) -> bytes:
        """SHA-256 of the headers, and of the payload without its transient part."""

    @property
    def invocation(self) -> bytes:
        """An encoded `protos.ChaincodeInvocationSpec`."""

@final
class SigningKey:
    """A private key on P-256 that signs as Fabric does."""

    @staticmethod
    def from_pkcs8(der: bytes) -> SigningKey:
        """Raises InputError if it is none."""

    def sign(self, message: bytes) -> bytes:
        """ECDSA over SHA-256, in DER, low S."""

@final
class StateIterator:
    """Keys of a namespace in byte order, read in pages."""

    def __iter__(self) -> StateIterator: ...
    def __next__(self) -> tuple[str, str, bytes, VersionedValue]:
        """Namespace, collection (empty for public state), key (hash in a collection), value."""

@final
class ReadWriteSet:
    """A transaction's read-write set in Fabric's bytes: sorted; of equal ones the last counts."""

    def __new__(cls) -> ReadWriteSet: ...
    def read(self, ns: str, key: str, version: tuple[int, int] | None) -> None:
        """Adds a read; no version means that the key did not exist."""

    def write(self, ns: str, key: str, value: bytes) -> None:
        """Adds a write; an empty value deletes."""

    def write_metadata(self, ns: str, key: str, entries: Mapping[str, bytes]) -> None:
        """Replaces a key's metadata; no entries delete it."""

    def add_range(self, ns: str, info: bytes) -> None:
        """Adds an encoded kvrwset.RangeQueryInfo; of equal ranges the first counts."""

    def read_hash(self, ns: str, coll: str, key: str, version: tuple[int, int] | None) -> None:
        """Adds a read of a private key."""

    def write_private(
        self, ns: str, coll: str, key: str, value: bytes, *, is_purge: bool = False
    ) -> None:
        """Adds a write of a private key; an empty value deletes."""

    def write_private_metadata(
        self, ns: str, coll: str, key: str, entries: Mapping[str, bytes]
    ) -> None:
        """Replaces a private key's metadata."""

    def build(self) -> tuple[bytes, bytes | None]:
        """Encodes rwset.TxReadWriteSet, and rwset.TxPvtReadWriteSet if anything is private."""

@final
class Simulation:
    """One transaction on one channel: reads as of one height, and writes that it keeps to itself.

    What it cannot do raises SimulationError, with Fabric's text.
    """

    def __new__(cls, view: StateView, tx_id: str) -> Simulation:
        """On a view, or on what else answers get, get_hash and range as that does."""

    def get(self, ns: str, key: str) -> VersionedValue | None: ...
    def put(self, ns: str, key: str, value: bytes) -> None:
        """An empty value deletes."""

    def put_metadata(self, ns: str, key: str, entries: Mapping[str, bytes]) -> None: ...
    def range(self, ns: str, start: str, end: str, page: int | None = None) -> RangeScan:
        """Keys from start up to end, which is no bound when it is empty; at most a page of them."""

    def begin_page(self) -> None:
        """Goes on without writes, as pages are for transactions without."""

    def begin_private_query(self) -> None:
        """Goes on without writes, as queries of private data are for transactions without."""

    def read_hash(self, ns: str, coll: str, key: str, version: tuple[int, int] | None) -> None:
        """Records that a private key was read."""

    def put_private(
        self, ns: str, coll: str, key: str, value: bytes, *, is_purge: bool = False
    ) -> None: ...
    def put_private_metadata(
        self, ns: str, coll: str, key: str, entries: Mapping[str, bytes]
    ) -> None: ...
    def check_open(self) -> None: ...
    def results(self) -> tuple[bytes, bytes | None]:
        """Encodes what was read and written: the public set, and the private one if any."""

    def namespaces(self) -> list[str]: ...
    def written(self) -> list[tuple[str, str, str, bytes]]:
        """Namespace, collection, key and committed metadata of what is written, in order."""

    def done(self) -> None:
        """Lets go of the state, and of what was read and written; harmless when repeated."""

@final
class RaftMessage:
    """A message to another member of a Raft cluster."""

    @property
    def to(self) -> int: ...
    @property
    def kind(self) -> str:
        """The name in raftpb.MessageType, such as MsgApp."""

    @property
    def payload(self) -> bytes:
        """Encoded raftpb.Message, as etcd 3.5 writes it."""

    def step_request(self, channel: str, metadata: bytes) -> StepMessage:
        """Return the message in an encoded orderer.StepRequest."""

    @property
    def is_snapshot(self) -> bool:
        """Whether report_snapshot must follow, however the sending ends."""

@final
class RaftEntry:
    """A committed entry of a Raft log."""

    @property
    def index(self) -> int: ...
    @property
    def term(self) -> int: ...
    @property
    def kind(self) -> int:
        """raftpb.EntryType: 0 is normal, 1 a change of members; Fabric uses no other."""

    @property
    def data(self) -> CoreBytes:
        """Empty for a new leader's first entry, else what was proposed, or a raftpb.ConfChange."""

@final
class RaftSnapshot:
    """The application's state at an entry, in place of the log up to there."""

    def __new__(
        cls, index: int, term: int, members: Sequence[int], data: bytes
    ) -> RaftSnapshot: ...
    @property
    def index(self) -> int: ...
    @property
    def term(self) -> int: ...
    @property
    def members(self) -> list[int]:
        """Ids in ascending order."""

    @property
    def data(self) -> bytes: ...

@final
class RaftReady:
    """What a RaftNode wants done, in the order of the attributes."""

    @property
    def messages(self) -> list[RaftMessage]:
        """To be sent at any time from now on, before save() too."""

    @property
    def replies(self) -> list[RaftMessage]:
        """To be sent when save() has returned: votes and acknowledgements."""

    @property
    def snapshot(self) -> RaftSnapshot | None:
        """The leader's, to be taken over when save() has returned, before what is committed."""

    @property
    def committed(self) -> list[RaftEntry]:
        """To be applied when save() has returned."""

    @property
    def leader(self) -> int:
        """Id of the leader, 0 when none is known."""

    @property
    def term(self) -> int: ...
    @property
    def state(self) -> str:
        """One of follower, precandidate, candidate, leader."""

    @property
    def must_sync(self) -> bool:
        """Whether save() has to wait for the disk; a commit index alone has not."""

@final
class RaftNode:
    """One member of a Raft cluster: etcd's state machine and a log. No thread, clock or network.

    ready(); send its messages; save(); send its replies; take over its snapshot, apply what is
    committed; advance(); and again. All else may be called at any time, also while save() waits
    for the disk.
    """

    def __new__(
        cls,
        folder: str,
        member: int,
        *,
        election_tick: int,
        heartbeat_tick: int,
        max_message_bytes: int,
        max_inflight_messages: int,
        seed: int,
        members: Sequence[int] = ...,
        snapshot: RaftSnapshot | None = None,
    ) -> RaftNode:
        """Opens the log in a folder, or makes one there; cuts off what a crash left at its end.

        A new log begins with entries that add ``members``, committed in term 1, or with
        ``snapshot``, or with nothing: who joins a cluster waits for its leader. Where there is a
        log both are ignored, and what is committed behind its snapshot is handed out again.

        Raises:
            LedgerCorrupted: The log is damaged, or another member's.
            LedgerLocked: Another process, or another handle, has it open.
            LedgerIo: The disk failed or is full.
            InputError: Settings that contradict each other.
        """

    @property
    def member(self) -> int: ...
    @property
    def term(self) -> int: ...
    @property
    def leader(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def applied(self) -> int: ...
    @property
    def committed(self) -> int: ...
    @property
    def first_index(self) -> int: ...
    @property
    def last_index(self) -> int: ...
    @property
    def snapshot_index(self) -> int:
        """The newest snapshot's, 0 for none."""

    @property
    def members(self) -> list[int]:
        """Ids in ascending order, as of the changes that were applied."""

    @property
    def transferee(self) -> int:
        """To whom leadership is being handed over, 0 for nobody."""

    @property
    def conf_change_pending(self) -> bool:
        """Whether this member leads, and a change of members may not be applied yet."""

    @property
    def wants_snapshot(self) -> bool:
        """Whether this member leads one that was added since the snapshot, and cannot take it."""

    @property
    def removal_is_known(self) -> bool:
        """Whether this member was removed, others know it, and none of them needs it any more."""

    @property
    def started_empty(self) -> bool:
        """Whether the folder held no log when it was opened."""

    @property
    def torn_bytes(self) -> int:
        """How many bytes opening cut off."""

    def progress(self) -> list[tuple[int, int, bool, str]]:
        """Each member, the entry it has, whether it was heard from, and how it is sent to.

        The last is one of probe, replicate and snapshot. Empty where this member does not lead.
        """

    def tick(self) -> None: ...
    def step(self, message: bytes | CoreBytes) -> None:
        """Takes another member's encoded raftpb.Message.

        Raises:
            InputError: It does not decode, is for another member, from no member, or breaks a
                rule; nothing has changed.
            LedgerCorrupted: The leader relies on entries that this log has lost: stop, and never
                vote again under this id.
        """

    def campaign(self) -> None: ...
    def propose(self, data: bytes | CoreBytes) -> None:
        """Appends data, or raises ProposalDropped where this member does not lead."""

    def propose_conf_change(self, kind: int, member: int) -> None:
        """Proposes raftpb.ConfChangeType 0, AddNode, or 1, RemoveNode.

        While another change is pending, the entry is empty, as etcd's.
        """

    def apply_conf_change(self, entry: RaftEntry) -> list[int]:
        """Applies a committed entry of kind 1, before advance(); the members after it."""

    def transfer_leadership(self, member: int) -> None: ...
    def report_unreachable(self, member: int) -> None: ...
    def report_snapshot(self, member: int, arrived: bool) -> None: ...
    def has_ready(self) -> bool: ...
    def ready(self) -> RaftReady | None:
        """What has to be done, if anything; InputError before the advance() of the one before."""

    def save(self) -> None:
        """Makes durable what the latest ready() wants saved, by one sync.

        On LedgerIo nothing of it counts, and it may be tried again.
        """

    def advance(self) -> None:
        """Says that what the latest ready() wanted is done; InputError before its save()."""

    def compact(self, index: int, data: bytes | CoreBytes) -> None:
        """Keeps ``data`` as the snapshot at an applied entry, and four entries behind it.

        What it stands for must be durable in the block files.
        """

    def close(self) -> None: ...

@final
class RangeScan:
    """A range of public keys; what was read of it stands in the read-write set."""

    def __iter__(self) -> RangeScan: ...
    def __next__(self) -> tuple[str, bytes]: ...
    def bookmark_and_close(self) -> str:
        """Names the first key behind the page; empty when there is none."""

    def close(self) -> None:
        """Lets go of the state; harmless when repeated."""

@final
class StepMessage:
    """An encoded orderer.StepRequest on its way; what is large in it stays where it lies."""

    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...

@final
class StateView:
    """The state after one block; commits go on beside it.

    What it sees is kept until it is closed.
    """

    def close(self) -> None: ...
    @property
    def height(self) -> int:
        """Blocks whose effects the view shows."""

    @property
    def definitions_height(self) -> int:
        """A height since which no block has changed definitions, nor what organizations approved.

        Views of one channel with the same number show the same.
        """

    def get(self, namespace: str, key: str) -> VersionedValue | None: ...
    def get_hash(
        self, namespace: str, collection: str, key_hash: bytes
    ) -> VersionedValue | None: ...
    def definition(self, name: str) -> ChaincodeDefinition | None:
        """None where no lifecycle defines it; InputError where what defines it cannot be read."""

    def endorsement_policy(
        self, config: ChannelConfig, namespace: str, collection: str = ""
    ) -> bytes | None:
        """Who must endorse writes to a namespace, or to one of its collections.

        Encoded protos.ApplicationPolicy, as the committer applies it to keys without a policy of
        their own; None where nothing that is written there can be valid.
        """

    def range(self, namespace: str, start: str, end: str) -> StateIterator: ...

@final
class Ledger:
    """One channel's ledger and the pipeline that commits to it."""

    @staticmethod
    def open(
        path: str,
        *,
        create: bool = True,
        workers: int = 0,
        blocks_ahead: int = 128,
        durable: bool = True,
        verify_block_signatures: bool = True,
        allow_malformed: bool = False,
        delivered: bool = False,
        engine: str = "auto",
    ) -> Ledger:
        """Opens a ledger, or with `create` begins one; without, a missing one is an InputError.

        `engine` is auto, parallel or sequential.
        """

    @staticmethod
    def restore(snapshot: str, path: str) -> None: ...
    def close(self) -> None: ...
    @property
    def torn(self) -> tuple[str, int, int] | None:
        """What opening cut off: file, offset, bytes."""

    @property
    def rebuilt(self) -> str | None:
        """Why opening made everything derived anew, None when it did not."""

    @property
    def height(self) -> int: ...
    @property
    def channel_id(self) -> str | None: ...
    @property
    def last_header_hash(self) -> bytes | None: ...
    @property
    def last_commit_hash(self) -> bytes | None: ...
    def submit(self, block: bytes | CoreBytes) -> None:
        """Hands the next block to the pipeline; waits while the pipeline is full.

        Never raises for what is wrong with the block: that is the matter of `result`.
        """

    def result(self) -> CommitResult:
        """The next block's outcome, in order; raises what stopped the pipeline.

        A result means that the block is durable. After a refusal (`BlockRefused`) the blocks
        submitted behind the refused one are dropped, `in_flight` is 0, and the ledger takes a block
        of the refused number again.
        """

    def ready(self, longest_s: float = 0.0) -> int:
        """Results that can be taken without waiting; waits for one, at most so long."""

    def in_flight(self) -> int:
        """Blocks submitted whose results were not taken yet."""

    def validate(self, block: bytes) -> CommitResult:
        """Judges the next block without committing it."""

    def get(self, namespace: str, key: str) -> VersionedValue | None: ...
    def get_hash(
        self, namespace: str, collection: str, key_hash: bytes
    ) -> VersionedValue | None: ...
    def range(self, namespace: str, start: str, end: str) -> StateIterator: ...
    def state(self) -> StateIterator:
        """Every key of the state, hashes of private keys included."""

    def view(self) -> StateView:
        """The state now; views of one height share what they hold."""

    def history(self, namespace: str, key: str) -> list[tuple[int, int]]:
        """Heights (block, tx) of the valid writes of a key, newest first."""

    def block(self, number: int) -> bytes:
        """Encoded common.Block."""

    def block_in_core(self, number: int) -> CoreBytes:
        """The same, for whoever only hands it on."""

    def block_by_hash(self, header_hash: bytes) -> bytes | None: ...
    def find(self, tx_id: str) -> Location | None: ...
    def explain(self, block: int, tx: int) -> str | None:
        """JSON of the reason that the ledger kept for an invalid transaction, by its `kind`.

        rule: text. policy: namespace, guards, policy, endorsements [{msp_id, subject, outcome}].
        read: key {namespace, collection, key}, expected, found ("block:tx" or null),
        written_in_block_by. phantom: namespace, start_key, end_key, difference.
        """

    def policy_of(self, namespace: str) -> str | None:
        """A chaincode's endorsement policy in Fabric's policy language."""

    def collections_before(self, chaincode: str, block: int) -> bytes | None:
        """The newest CollectionConfigPackage that blocks before this one brought, if any."""

    def private_effects(
        self, number: int
    ) -> list[
        tuple[int, str, bool, list[tuple[str, str, bytes, list[tuple[bytes, bytes, bool, bool]]]]]
    ]:
        """Those of a committed block, as CommitResult has them."""

    def snapshot(self, path: str) -> None: ...
    def rebuild(self) -> int:
        """Drops every derived store and replays the block files; returns the height."""

    def reopen(self) -> int:
        """Closes the ledger and opens it again, as after a crash; returns the height."""

@final
class GrpcCall:
    """A call that was made; it is taken back when nobody has it any more."""

    def send(self, message: bytes | CoreBytes | StepMessage | BlockResponse) -> bool:
        """False asks to wait until the call is writable; a message over the limit ends the call."""

    def send_some(self, messages: Sequence[bytes | StepMessage]) -> tuple[int, bool]:
        """Sends up to the first for which `send` says False: how many, and what it said last."""

    def answer_with(self, conversation: ChaincodeConversation) -> None:
        """Has messages answered where they come in, from the next one on."""

    def half_close(self) -> None:
        """There are no more messages."""

    def consumed(self, size: int) -> None:
        """So many bytes of messages were taken."""

    def cancel(self) -> None:
        """Takes the call back; what is told of it afterwards does not matter any more."""

@final
class GrpcChannel:
    """A server and the connection to it, which is made again when it was lost.

    Calls come with the number that events have.
    """

    def connect(self, timeout_s: float | None = None) -> tuple[int, GrpcCall]:
        """Its end tells how that went."""

    def ask(
        self, path: str, message: bytes, timeout_s: float | None = None
    ) -> tuple[int, GrpcCall]:
        """One message, one answer."""

    def converse(
        self, path: str, timeout_s: float | None = None, *, held: bool = False
    ) -> tuple[int, GrpcCall]:
        """Messages in both directions; `held` ones come as `CoreBytes`."""

    @property
    def server_certificate(self) -> bytes | None:
        """DER, as the server has shown it on the newest connection; None in plain text."""

    def close(self) -> None:
        """Ends the connection and all calls, for good."""

@final
class GrpcHub:
    """What the channels of an event loop share."""

    def __new__(cls) -> GrpcHub: ...
    def fileno(self) -> int:
        """A descriptor that is readable while there is something to drain."""

    def drain(self) -> list[tuple[int, int, Any]]:
        """What has happened: call, kind such as ``CALL_MESSAGE``, and what comes with it."""

    def channel(
        self,
        address: str,
        *,
        max_message_bytes: int,
        keepalive_s: float,
        keepalive_timeout_s: float,
        max_backoff_s: float,
        roots: bytes | None = None,
        cert: bytes | None = None,
        key: bytes | None = None,
        server_name: str | None = None,
        server_key: bytes | None = None,
        time_shift_s: float = 0.0,
    ) -> GrpcChannel:
        """To host:port or unix:path, with TLS if there are roots; raises ConnectionFailed.

        The server must have `server_key` besides, the DER of a `SubjectPublicKeyInfo`, if there is
        one; its certificate is judged as of `time_shift_s` ago.
        """

@final
class GrpcServer:
    """A gRPC server whose calls are answered by an event loop."""

    @staticmethod
    def start(
        address: str,
        *,
        max_message_bytes: int,
        max_calls: int,
        keepalive_s: float,
        keepalive_timeout_s: float,
        cert: bytes | None = None,
        key: bytes | None = None,
        client_roots: bytes | None = None,
        require_client_cert: bool = False,
        more_client_roots: Callable[[], bytes] | None = None,
        time_shift_s: float = 0.0,
    ) -> GrpcServer:
        """Listens at host:port or unix:path; raises ConnectionFailed.

        Clients' certificates are judged as of `time_shift_s` ago.
        """

    @property
    def port(self) -> int: ...
    def asks_once(self, path: str) -> None:
        """Clients of a method ask once: its calls are told of when they have asked."""

    def keeps(self, path: str) -> None:
        """Requests of a method come as `CoreBytes`."""

    def fileno(self) -> int:
        """A descriptor that is readable while there is something to drain."""

    def drain(self) -> list[tuple[int, int, Any]]:
        """What has happened: call, kind such as ``CALL_BEGUN``, and what comes with it."""

    def send(self, call: int, message: bytes | BlockResponse) -> bool:
        """False asks to wait until the call is writable."""

    def answer_with(self, call: int, conversation: ChaincodeConversation) -> None:
        """Has a call's messages answered where they come in, from the next one on."""

    def answer(self, call: int, message: bytes | EndorsedResponse) -> None:
        """Sends the one answer and ends the call well; nothing more is told of it."""

    def send_all(self, calls: Sequence[int], message: bytes | BlockResponse) -> list[int]:
        """Sends one message of many calls; returns those that ask to wait."""

    def finish(
        self, call: int, code: int = 0, message: str = "", details: bytes | None = None
    ) -> None:
        """`details` is an encoded google.rpc.Status."""

    def consumed(self, call: int, size: int) -> None:
        """So many bytes of messages were taken."""

    def close(self) -> None:
        """Takes no more calls."""

    def ended(self) -> bool:
        """Whether, after `close`, no connection is left: all that was answered has been sent."""

    def abort(self) -> None:
        """Ends all calls."""

@final
class Identity:
    """An identity that an MSP could read, with the MSP's verdict on it."""

    @property
    def mspid(self) -> str: ...
    @property
    def subject(self) -> str:
        """The certificate's subject: `CN=…,OU=…` in the certificate's order."""

    @property
    def common_name(self) -> str: ...
    @property
    def organizational_units(self) -> list[str]: ...
    @property
    def certificate(self) -> bytes:
        """PEM, its signature brought to low S as Fabric does."""

    @property
    def identifier(self) -> bytes:
        """The MSP's hash of the certificate (`IdentityIdentifier.Id`)."""

    @property
    def not_before(self) -> int:
        """Seconds since 1970, UTC."""

    @property
    def not_after(self) -> int:
        """Seconds since 1970, UTC."""

    @property
    def roles(self) -> set[str]:
        """Those of member, admin, client, peer and orderer that it satisfies in a policy."""

    @property
    def is_admin(self) -> bool: ...
    def validate(self) -> None:
        """Raises IdentityRefused if the MSP refuses it: chain, revocation, organizational units."""

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raises IdentityRefused if the signature is not its own; does not `validate`."""

@final
class Msp:
    """One MSP by itself, as a node's own one."""

    def __new__(cls, config: bytes, *, version: str = "V3_0") -> Msp:
        """Sets up an X.509 MSP of an encoded `msp.MSPConfig`.

        `version` is V1_0, V1_1, V1_3, V1_4_3 or V3_0.
        """

    @property
    def name(self) -> str: ...
    @property
    def tls_roots(self) -> list[bytes]:
        """PEM."""

    @property
    def tls_intermediates(self) -> list[bytes]:
        """PEM."""

    def identity(self, serialized: bytes) -> Identity:
        """Reads a `msp.SerializedIdentity`; IdentityRefused if that cannot be done."""

    def satisfies(self, serialized: bytes, principal: bytes) -> bool:
        """Whether an identity satisfies an encoded `common.MSPPrincipal`."""

    def is_well_formed(self, serialized: bytes) -> bool:
        """Whether it is an identity in the one form that gossip passes on."""

@final
class ChaincodeConversation:
    """The stream of one chaincode that has registered: answers its requests for public state."""

    def __new__(
        cls,
        ccid: str,
        *,
        payload_bytes: int,
        values_bytes: int,
        page_rows: int,
        query_rows: int,
        open_queries: int,
        transaction_bytes: int,
        request_bytes: int,
        large_batch_bytes: int,
    ) -> ChaincodeConversation: ...
    def begin(
        self,
        channel_id: str,
        tx_id: str,
        namespace: str,
        simulation: Simulation | None,
        *,
        key_level_endorsement: bool | None,
        is_init: bool,
        chaincode_input: bytes,
        proposal: bytes,
    ) -> ChaincodeTransaction:
        """Has the chaincode execute a transaction; SimulationError where no message holds it.

        Without a simulation every request for state is refused. Where the peer is not on the
        channel, nothing is known of key-level endorsement. Input and proposal are encoded
        protos.ChaincodeInput and protos.SignedProposal, the latter empty for none.
        """

    def refuse(self, kind: int, tx_id: str, channel_id: str) -> None:
        """Answers a request of a transaction that has ended meanwhile."""

@final
class ChaincodeTransaction:
    """One INIT or TRANSACTION in flight at one chaincode.

    Requests are named by their ChaincodeMessage.Type; each is answered once.
    """

    def is_ours(self, kind: int, payload: bytes) -> bool:
        """Whether a request is the core's to answer, though that may take long."""

    def answer(self, kind: int, payload: bytes) -> bool:
        """Answers a request that is the core's; False for one that is not."""

    def reply(self, kind: int, payload: bytes) -> None:
        """Answers a request."""

    def fail(self, kind: int, raised: BaseException) -> None:
        """Says why a request is not answered; after a Defect :meth:`check` raises that."""

    def charge(self, size: int) -> None:
        """Counts bytes of keys and values; SimulationError where they are too many."""

    def check_key_level_endorsement(self) -> None:
        """Raises SimulationError where the channel has none."""

    def write(self, record: bytes) -> None:
        """Writes public state as an encoded protos.WriteRecord says."""

    def open(self, rows: Iterator[Any], *, page: int | None = None, paged: bool = False) -> bytes:
        """Opens a query and reads its first rows: the payload of the answer.

        Rows are keys with values, or messages; they are closed with the query. Those of a page know
        where the next one begins (``bookmark_and_close``).
        """

    def check(self) -> None:
        """Raises the Defect for which a request was not answered, if there was one."""

    def end(self) -> None:
        """Answers no more requests, and lets go of open queries."""

@final
class ChannelConfig:
    """One configuration of a channel: it never changes, an update makes the next one.

    Signed data are tuples of message, serialized identity and signature.
    """

    @staticmethod
    def from_block(block: bytes) -> ChannelConfig:
        """Reads a configuration block."""

    @staticmethod
    def from_config(channel_id: str, config: bytes) -> ChannelConfig:
        """Reads an encoded `common.Config`."""

    @property
    def channel_id(self) -> str: ...
    @property
    def sequence(self) -> int: ...
    @property
    def config(self) -> bytes:
        """Encoded `common.Config`, deterministic."""

    @property
    def capabilities(self) -> frozenset[str]:
        """Names of the channel capabilities."""

    @property
    def application(self) -> Application | None: ...
    @property
    def orderer(self) -> Orderer | None: ...
    @property
    def consortiums(self) -> Mapping[str, Mapping[str, Organization]] | None:
        """By name and MSP; None unless it is a system channel's."""

    @property
    def orderer_addresses(self) -> tuple[str, ...]:
        """The endpoints of the orderers' organizations, or else the channel's list."""

    @property
    def msp_ids(self) -> list[str]: ...
    def tls_cas(self, mspid: str) -> list[bytes]:
        """PEM of root and intermediate certificates of an MSP's TLS."""

    def verify_orderer_tls(
        self, certificate: Certificate, now: int, *, ignore_expiration: bool = False
    ) -> None:
        """IdentityRefused unless the certificate has a chain to a TLS CA of the orderers.

        `now` is in seconds since 1970. Whoever ignores the expiration of a certificate does not
        learn where it comes from, either: as in Go, an expired one is refused before its chain is
        sought.
        """

    def identity(self, serialized: bytes) -> Identity:
        """Reads a `msp.SerializedIdentity`; IdentityRefused if that cannot be done."""

    def satisfies(self, serialized: bytes, principal: bytes) -> bool:
        """Whether an identity satisfies an encoded `common.MSPPrincipal`."""

    def has_policy(self, path: str) -> bool: ...
    def evaluate(self, path: str, signed: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        """Raises PolicyUnsatisfied, or NotFound where there is no such policy."""

    def evaluate_many(
        self, path: str, questions: Sequence[Sequence[tuple[bytes, bytes, bytes]]]
    ) -> list[str | None]:
        """`evaluate` of many questions at once: None, or the text of its PolicyUnsatisfied."""

    def admitted(
        self,
        proposals: Sequence[Proposal],
        policy: str | None,
        now: float,
        *,
        unexpired: bool,
        window_s: float | None,
    ) -> list[bool]:
        """Which proposals keep all rules; it does not say which one the others break.

        `policy` is the path of one that creators have to satisfy, `now` in seconds since 1970.
        Creators' certificates may have ended unless `unexpired`; without `window_s` proposals may
        be of any time.
        """

    def evaluate_signature_policy(
        self, envelope: bytes, signed: Sequence[tuple[bytes, bytes, bytes]]
    ) -> None:
        """`evaluate` of an encoded `common.SignaturePolicyEnvelope`."""

    def evaluate_application_policy(
        self, policy: bytes, signed: Sequence[tuple[bytes, bytes, bytes]]
    ) -> None:
        """`evaluate` of an encoded `protos.ApplicationPolicy`."""

    def admitted_envelopes(
        self, envelopes: Sequence[bytes], policy: str, max_bytes: int, now: float | None
    ) -> list[bool]:
        """Which encoded common.Envelopes may be ordered, in one batch of signatures.

        Those that open_envelope opens, of at most so many bytes of payload and signature, whose
        signers satisfy the policy, and whose certificates have not ended by now, if it is given.
        """

    def verify_block(self, block: bytes) -> None:
        """Raises BlockRefused unless the orderers' signatures satisfy the policy for them.

        The configuration to ask is the one in force before the block.
        """

    def apply(self, config_envelope: bytes) -> ChannelConfig:
        """The configuration that a CONFIG transaction's `common.ConfigEnvelope` makes of this one.

        Raises ConfigRefused.
        """

    def channel_template(self, request: bytes) -> ChannelConfig:
        """What a system channel makes a new channel of: the update in `request` then applies to it.

        `request` is an encoded `common.Envelope` of type CONFIG_UPDATE. Raises ConfigRefused.
        """

    def propose_update(self, update: bytes) -> bytes:
        """The `common.ConfigEnvelope` that a CONFIG_UPDATE `common.Envelope` makes.

        Raises ConfigRefused.
        """

@final
class AnchorPeer:
    """A peer that other organizations' peers may dial first."""

    def __new__(cls, host: str, port: int) -> AnchorPeer: ...
    def __eq__(self, other: object, /) -> bool: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...

@final
class Organization:
    """An organization in one section of a configuration."""

    @property
    def name(self) -> str:
        """Its group's name in the configuration, which need not be its MSP's."""

    @property
    def anchor_peers(self) -> tuple[AnchorPeer, ...]:
        """Those of an organization that has peers on the channel."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Addresses of an organization's orderers, `host:port`."""

@final
class ApplicationCapabilities:
    """What the application capabilities of a channel ask of its peers.

    Fabric: `capabilities.ApplicationProvider`.
    """

    def __new__(cls, names: AbstractSet[str]) -> ApplicationCapabilities: ...
    @property
    def names(self) -> frozenset[str]: ...
    def check_supported(self) -> None:
        """Raises Unsupported for one that peers of this version do not have."""

    @property
    def private_channel_data(self) -> bool:
        """Collections may be defined."""

    @property
    def lifecycle_v2_0(self) -> bool:
        """Chaincodes may be defined by `_lifecycle`."""

    @property
    def key_level_endorsement(self) -> bool:
        """Keys may have policies of their own."""

    @property
    def store_pvt_data_of_invalid_tx(self) -> bool:
        """Private write sets of invalid transactions are kept, too."""

    @property
    def purge_pvt_data(self) -> bool:
        """Private data may be purged."""

@final
class Application:
    """The group `/Channel/Application`."""

    @property
    def orgs(self) -> Mapping[str, Organization]:
        """By MSP."""

    @property
    def acls(self) -> Mapping[str, str]:
        """The absolute path of the policy that guards a resource.

        Resources that are left to the defaults are not there.
        """

    @property
    def capabilities(self) -> ApplicationCapabilities: ...

@final
class BatchSize:
    """Limits of a block."""

    def __new__(
        cls, max_message_count: int, absolute_max_bytes: int, preferred_max_bytes: int
    ) -> BatchSize: ...
    def __eq__(self, other: object, /) -> bool: ...
    @property
    def max_message_count(self) -> int: ...
    @property
    def absolute_max_bytes(self) -> int: ...
    @property
    def preferred_max_bytes(self) -> int: ...

@final
class Consenter:
    """An orderer of a BFT channel."""

    @property
    def id(self) -> int: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def mspid(self) -> str: ...
    @property
    def identity(self) -> bytes:
        """PEM, as are the TLS certificates."""

    @property
    def client_tls_cert(self) -> bytes: ...
    @property
    def server_tls_cert(self) -> bytes: ...

@final
class OrdererCapabilities:
    """What the orderer capabilities of a channel ask of its orderers.

    Fabric: `capabilities.OrdererProvider`.
    """

    def __new__(cls, names: AbstractSet[str]) -> OrdererCapabilities: ...
    @property
    def names(self) -> frozenset[str]: ...
    def check_supported(self) -> None:
        """Raises Unsupported for one that orderers of this version do not have."""

    @property
    def expiration_check(self) -> bool:
        """Clients whose certificates ended are refused."""

    @property
    def consensus_type_migration(self) -> bool:
        """The kind of consensus may change, in maintenance."""

@final
class Orderer:
    """The group `/Channel/Orderer`."""

    @property
    def consensus_type(self) -> str:
        """solo, kafka, etcdraft or BFT."""

    @property
    def consensus_metadata(self) -> bytes:
        """Encoded, of the consensus type's own kind."""

    @property
    def state(self) -> str:
        """STATE_NORMAL or STATE_MAINTENANCE."""

    @property
    def batch_size(self) -> BatchSize: ...
    @property
    def batch_timeout(self) -> float:
        """Seconds."""

    @property
    def max_channels(self) -> int:
        """Channels that a system channel may make; 0 for any number."""

    @property
    def kafka_brokers(self) -> tuple[str, ...]:
        """Of a channel that began on Kafka."""

    @property
    def consenters(self) -> tuple[Consenter, ...]:
        """The orderers of a BFT channel."""

    @property
    def capabilities(self) -> OrdererCapabilities: ...
    @property
    def orgs(self) -> Mapping[str, Organization]:
        """By MSP."""

@final
class Verifier:
    """Verifies batches of P-256 signatures; its tables of frequent keys live as long as it does."""

    def __new__(cls, *, engine: str = "auto", table_bytes: int | None = None) -> Verifier:
        """`engine` is auto, ifma, avx512, avx_ifma, avx2, portable or library."""

    @property
    def engine(self) -> str:
        """The engine in use."""

    def verify_batch(self, jobs: Sequence[tuple[bytes, bytes, bytes]]) -> list[bool]:
        """One verdict for each (public key, digest, signature).

        An uncompressed SEC1 point, 32 bytes, DER.
        """

@final
class Workload:
    """The blocks of a generated channel, in order."""

    def __new__(cls, spec: str, *, threads: int = 0) -> Workload:
        """`spec` is a JSON object of what differs from the default specification."""

    @property
    def spec(self) -> str:
        """The whole specification as JSON."""

    @property
    def identities(self) -> list[tuple[str, str, str, str, bytes]]:
        """Everybody who signs, and the orderer's TLS pair as the last one.

        Each is a subject's name, an MSP's, the certificate and its authority's in PEM, and the
        private key as a big-endian number.
        """

    def __iter__(self) -> Workload: ...
    def __next__(self) -> tuple[int, bytes, bytes, bool]:
        """Number, encoded common.Block, predicted codes, and whether it is measured, not set-up."""

def block_from_record(record: bytes) -> bytes:
    """Turns a block file's record into an encoded common.Block."""

def block_header(block: bytes) -> tuple[int, bytes, bytes, bytes]:
    """Number, previous hash, data hash and header hash of an encoded common.Block."""

def block_number(block: bytes | CoreBytes) -> int:
    """The number of an encoded common.Block; its transactions are not looked at."""

def counters() -> list[tuple[str, str, list[tuple[str, str]], int]]:
    """What the core counts: name, text, labels and value, by name."""

def block_header_bytes(number: int, previous_hash: bytes, data_hash: bytes) -> bytes:
    """A block's header as orderers sign it: DER of SEQUENCE{number, previous hash, data hash}."""

def block_header_hash(number: int, previous_hash: bytes, data_hash: bytes) -> bytes:
    """The hash of a block's header, which the next block holds."""

def check_channel_id(channel_id: str) -> None:
    """Raises InputError for what is no channel's name; its text is Fabric's."""

def deflate(data: bytes, portions: Sequence[int]) -> bytes:
    """Compress bytes (DEFLATE, RFC 1951) as Go does, written in portions of these sizes."""

def delivered(response: bytes | CoreBytes) -> CoreBytes | int:
    """The block of an encoded orderer.DeliverResponse, where it lies; or its status.

    Raises InputError if it is neither.
    """

def duration_ns(text: str) -> int:
    """Nanoseconds of a duration as Go's `time.ParseDuration` reads it.

    Raises InputError, whose text is Go's.
    """

def emitted_events(block: bytes | CoreBytes) -> list[tuple[str, int, tuple[str, bytes] | None]]:
    """What the transactions of an encoded common.Block that was committed have emitted.

    For each that can be read its id, its code, and the chaincode and encoding of its event.
    """

def environment_damage(path: str, sealed: Sequence[str]) -> str | None:
    """What is wrong with the LMDB environment in a folder; None when it is whole, or not there.

    Records of the databases that ``sealed`` names must end with the CRC-32 of key and value.
    """

def log_open() -> None:
    """Takes in what the core says from now on; somebody must call ``log_take`` again and again."""

def log_close() -> None:
    """Ends ``log_take``, and takes in nothing any more."""

def log_level(level: int) -> None:
    """Takes in what is said at a level of Python's ``logging``, or more loudly; INFO at first."""

def log_take() -> list[tuple[int, str, str, str, int, float]]:
    """Waits until something is said: level, logger, text, file, line, and seconds since 1970.

    Nothing once the log is closed and all was taken.
    """

def provoke_defect(text: str) -> None:
    """Panics, so that it can be tried out what a defect becomes, and whom its alarms reach.

    Raises Defect.
    """

def expires_at(identity: bytes) -> int | None:
    """When the certificate of a `msp.SerializedIdentity` ends, in seconds since 1970.

    None where the end decides nothing: as in Fabric, what holds no certificate never ends.
    """

def expiring_block(committing_block: int, block_to_live: int) -> int | None:
    """The block whose commit deletes what a block wrote into a collection; None for never.

    A ``block_to_live`` of 0 means for ever.
    """

def filtered_block(block: bytes | CoreBytes) -> bytes:
    """Turns an encoded common.Block that was committed into an encoded protos.FilteredBlock."""

def proposal_parts(
    header_type: int,
    channel_id: str,
    tx_id: str,
    invocation: bytes,
    creator: bytes,
    nonce: bytes,
    time_ns: int,
    transient: Mapping[str, bytes],
) -> tuple[bytes, bytes]:
    """Encoded `common.Header` and `protos.ChaincodeProposalPayload` of a proposal.

    `time_ns` is in nanoseconds since 1970. Raises InputError if the `invocation` is no
    `protos.ChaincodeInvocationSpec`.
    """

def transaction_payload(
    header: bytes,
    signature_header: bytes,
    payload: bytes,
    response_payload: bytes,
    endorsements: list[tuple[bytes, bytes]],
) -> bytes:
    """Encoded `common.Payload` of the transaction that a proposal and its endorsements make.

    Header and payload are the proposal's, endorsements identities with their signatures. Raises
    InputError if the payload is no `protos.ChaincodeProposalPayload`.
    """

def response_payload(
    proposal_hash: bytes,
    response: bytes,
    results: bytes,
    event: bytes,
    chaincode: str,
    version: str,
) -> bytes:
    """What an endorser signs, of encoded parts (`protoutil.GetBytesProposalResponsePayload`)."""

def proposal_response(response: bytes, payload: bytes, interest: bytes | None = None) -> bytes:
    """An encoded `protos.ProposalResponse` of encoded parts, without an endorsement."""

def new_block(
    number: int, previous_hash: bytes, transactions: Sequence[bytes], slots: int
) -> tuple[bytes, CoreBytes]:
    """Makes a common.Block with so many empty metadata slots: its encoded header, and all of it."""

def open_block(block: bytes | CoreBytes) -> tuple[bytes, int, bytes] | None:
    """Encoded header, number of transactions and encoded metadata of an encoded common.Block.

    None where it is not encoded as Fabric encodes it. The transactions are not looked at.
    """

def block_with_metadata(block: bytes | CoreBytes, metadata: bytes) -> CoreBytes:
    """A block that open_block opens, with other metadata, which are encoded."""

def open_envelope(encoded: bytes) -> tuple[bytes, bytes, str, int, bytes] | None:
    """Payload, signature, channel, header type and creator of an envelope as Fabric encodes it.

    None where anything about it is out of the ordinary: it does not decode, or has no headers.
    """

def open_step_requests(
    encoded: Sequence[bytes | CoreBytes],
) -> list[tuple[str, bool, int, bytes | CoreBytes, bytes] | None]:
    """Takes each orderer.StepRequest apart that is encoded as Fabric encodes it.

    Channel, whether it is a SubmitRequest, the sequence at which that was checked, payload (the
    encoded envelope, or the raftpb.Message where it lies), metadata. None where anything is out of
    the ordinary.
    """

def route_envelopes(envelopes: Sequence[bytes]) -> list[tuple[str, int, int] | None]:
    """Of encoded common.Envelopes channel, header type, and bytes of payload and signature.

    None where open_envelope says so.
    """

def submit_request(channel: str, last_validation_seq: int, envelope: bytes) -> StepMessage:
    """An encoded orderer.StepRequest with a SubmitRequest; the envelope is encoded, too."""

def raft_route(message: bytes | CoreBytes) -> tuple[int, int, str, int]:
    """From whom, to whom, of which kind and in which term an encoded raftpb.Message is."""

def remove_raft_log(folder: str) -> None:
    """Removes the folder of a RaftNode that is closed, or half removed.

    A crash leaves it whole or gone.
    """

def transaction_id(nonce: bytes, creator: bytes) -> str:
    """The id of a transaction: hexadecimal SHA-256 of nonce and creator.

    Fabric: `protoutil.ComputeTxID`.
    """

def transaction_ids(block: bytes | CoreBytes) -> list[str]:
    """Ids of the transactions of an encoded common.Block; empty where one has none."""
