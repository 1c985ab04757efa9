# SPDX-License-Identifier: Apache-2.0
"""A peer's ledger and rules in memory, for tests of chaincode execution."""

import asyncio
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fastledger.chaincode.context import TransactionContext
from fastledger.chaincode.launcher.instance import Start
from fastledger.chaincode.package import ChaincodePackage
from fastledger.chaincode.services import CollectionAccess, EndorsementInfo
from fastledger.channelconfig import ApplicationCapabilities
from fastledger.common.errors import ChaincodeError
from fastledger.ledger.simulator import TxSimulator
from fastledger.protos.common.common_pb2 import ChannelHeader, Header, SignatureHeader
from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KeyModification
from fastledger.protos.ledger.rwset.kvrwset.kv_rwset_pb2 import (
    KVMetadataEntry,
    KVMetadataWrite,
    KVRWSet,
)
from fastledger.protos.ledger.rwset.rwset_pb2 import TxPvtReadWriteSet, TxReadWriteSet
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInput
from fastledger.protos.peer.proposal_pb2 import (
    ChaincodeProposalPayload,
    Proposal,
    SignedProposal,
)
from fastledger.protos.peer.proposal_response_pb2 import Response
from fastledger.protoutil.unpacked import UnpackedProposal


class Rows:
    """Rows of a query, counting what is read and closed."""

    def __init__(self, rows: Sequence, page_size: int = 0, bookmark: str = "") -> None:
        self._rows = list(rows)
        self._size = max(page_size, 0) or len(self._rows)
        self._next = 0
        self._bookmark = bookmark
        self.closed = False

    def __iter__(self) -> "Rows":
        return self

    def __next__(self):
        assert not self.closed
        if self._next >= min(self._size, len(self._rows)):
            raise StopIteration
        self._next += 1
        return self._rows[self._next - 1]

    def close(self) -> None:
        self.closed = True

    def bookmark_and_close(self) -> str:
        self.close()
        if self._bookmark:
            return self._bookmark
        return self._rows[self._next][0] if self._next < len(self._rows) else ""


class Found:
    """A key's committed state, as the core takes it."""

    def __init__(self, value: bytes, metadata: Mapping[str, bytes]) -> None:
        entries = [KVMetadataEntry(name=name, value=metadata[name]) for name in sorted(metadata)]
        self.value = value
        self.metadata = KVMetadataWrite(entries=entries).SerializeToString()
        self.version = (1, 0)


class Ledger:
    """State of one channel. Writes are seen by later transactions only, when committed."""

    height = 2

    def __init__(self) -> None:
        self.state: dict[tuple[str, str, str], bytes] = {}
        self.metadata: dict[tuple[str, str, str], dict[str, bytes]] = {}
        self.history: dict[tuple[str, str], list[KeyModification]] = {}

    def simulator(self) -> "Simulator":
        return Simulator(self)

    def rows(self, ns: str, coll: str, start: str, end: str) -> list[tuple[str, bytes]]:
        return sorted(
            (k, v)
            for (n, c, k), v in self.state.items()
            if (n, c) == (ns, coll) and k >= start and (not end or k < end)
        )

    # A view of the public state.

    def get(self, ns: str, key: str) -> Found | None:
        place = (ns, "", key)
        if place not in self.state and place not in self.metadata:
            return None
        return Found(self.state.get(place, b""), self.metadata.get(place, {}))

    def get_hash(self, ns: str, coll: str, key_hash: bytes) -> None:
        del ns, coll, key_hash

    def range(self, ns: str, start: str, end: str) -> Iterator[tuple[str, str, bytes, Found]]:
        for key, value in self.rows(ns, "", start, end):
            yield ns, "", key.encode(), Found(value, {})

    def close(self) -> None:
        """Others may read it."""


class Simulator(TxSimulator):
    """A TxSimulator over a Ledger."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger, "tx")  # type: ignore[arg-type]
        self.ledger = ledger
        self.purged: list[tuple[str, str, str]] = []
        self.opened: list[Rows] = []
        self.is_done = False

    @property
    def writes(self) -> dict[tuple[str, str, str], bytes | None]:
        """What is written, None where it is deleted."""
        return {
            (ns, coll, write.key): None if write.is_delete else write.value
            for ns, coll, done in self._sets()
            for write in done.writes
        }

    @property
    def metadata_writes(self) -> dict[tuple[str, str, str], dict[str, bytes]]:
        return {
            (ns, coll, write.key): {entry.name: entry.value for entry in write.entries}
            for ns, coll, done in self._sets()
            for write in done.metadata_writes
        }

    def _sets(self) -> Iterator[tuple[str, str, KVRWSet]]:
        public, private = self.core.results()
        for ns in TxReadWriteSet.FromString(public).ns_rwset:
            yield ns.namespace, "", KVRWSet.FromString(ns.rwset)
        for kept in TxPvtReadWriteSet.FromString(private or b"").ns_pvt_rwset:
            for coll in kept.collection_pvt_rwset:
                yield kept.namespace, coll.collection_name, KVRWSet.FromString(coll.rwset)

    def commit(self) -> None:
        for (ns, coll, key), value in self.writes.items():
            if value is None:
                self.ledger.state.pop((ns, coll, key), None)
            else:
                self.ledger.state[(ns, coll, key)] = value
            change = KeyModification(tx_id="t", value=value or b"", is_delete=value is None)
            change.timestamp.FromSeconds(1_700_000_000)
            self.ledger.history.setdefault((ns, key), []).insert(0, change)
        self.ledger.metadata.update(self.metadata_writes)

    def _rows(self, rows: Sequence, page_size: int = 0) -> Rows:
        opened = Rows(rows, page_size)
        self.opened.append(opened)
        return opened

    def query(self, ns, query, page_size=0, bookmark=""):
        if query == "broken":
            raise ValueError("ExecuteQuery not supported")
        rows = self.ledger.rows(ns, "", bookmark, "")
        return self._rows(rows, page_size)

    def history(self, ns, key):
        return self._rows(self.ledger.history.get((ns, key), []))

    def get_private_data(self, ns, coll, key):
        return self.ledger.state.get((ns, coll, key))

    def get_private_data_hash(self, ns, coll, key):
        value = self.ledger.state.get((ns, coll, key))
        return None if value is None else hashlib.sha256(value).digest()

    def purge_private_data(self, ns, coll, key):
        self.purged.append((ns, coll, key))
        super().purge_private_data(ns, coll, key)

    def get_private_range(self, ns, coll, start, end):
        return self._rows(self.ledger.rows(ns, coll, start, end))

    def get_private_metadata(self, ns, coll, key):
        return self.ledger.metadata.get((ns, coll, key), {})

    def query_private(self, ns, coll, query):
        del query
        return self._rows(self.ledger.rows(ns, coll, "", ""))

    def done(self) -> None:
        self.is_done = True
        super().done()


class Peer:
    """Implements Services."""

    def __init__(self, definitions: Mapping[str, EndorsementInfo] | None = None) -> None:
        self.definitions = dict(definitions or {})
        self.ledgers = {"mychannel": Ledger(), "other": Ledger()}
        self.capable = ApplicationCapabilities({"V2_5"})
        self.access = CollectionAccess(read=True, write=True)
        self.denied_channels: set[str] = set()
        self.simulators: list[Simulator] = []

    def endorsement_info(self, channel_id, name, simulator):
        del channel_id, simulator
        if name not in self.definitions:
            raise ChaincodeError(f"chaincode {name} not found")
        return self.definitions[name]

    def check_acl(self, channel_id: str, proposal: UnpackedProposal) -> None:
        del proposal
        if channel_id in self.denied_channels:
            raise ChaincodeError("access denied")

    def is_system_chaincode(self, name: str) -> bool:
        return name == "qscc"

    async def invoke_system(
        self, context: TransactionContext, chaincode_input: ChaincodeInput
    ) -> tuple[Response, ChaincodeEvent | None]:
        return Response(status=200, payload=b"qscc on " + context.channel_id.encode()), None

    def new_simulator(self, channel_id, tx_id):
        del tx_id
        if channel_id not in self.ledgers:
            return None
        simulator = self.ledgers[channel_id].simulator()
        self.simulators.append(simulator)
        return simulator

    def collection_access(self, context, collection):
        del context
        if collection == "unknown":
            raise ChaincodeError("collection unknown could not be found")
        return self.access

    def capabilities(self, channel_id):
        return self.capable if channel_id in self.ledgers else None


class PackageLauncherOf:
    """A Launcher with one package, through a package launcher."""

    def __init__(self, launcher, package: ChaincodePackage) -> None:
        self._launcher = launcher
        self._package = package

    async def build(self, ccid: str, package: ChaincodePackage | None = None) -> Start:
        return await self._launcher.build(ccid, package or self._package)


class Endless:
    """An Instance that lives until it is stopped."""

    serving: asyncio.Task[None]
    """The conversation with it, where there is one."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def wait(self) -> str:
        await self.ended.wait()
        return "it was stopped"

    async def stop(self) -> None:
        self.ended.set()


@functools.cache
def client_certificate() -> bytes:
    """A certificate such as Fabric CA issues, with attributes."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "client"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "org1, inc"),
            x509.NameAttribute(NameOID.COMMON_NAME, "user1"),
        ]
    )
    attributes = b'{"attrs":{"role":"buyer","hf.Affiliation":"org1"}}'
    oid = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca.org1")]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2034, 1, 1, tzinfo=UTC))
        .add_extension(x509.UnrecognizedExtension(oid, attributes), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


_ids: Iterator[int] = iter(range(1, 1_000_000))


def tx(
    peer: Peer,
    name: str = "basic",
    channel_id: str = "mychannel",
    transient: Mapping[str, bytes] | None = None,
    certificate: bytes | None = None,
) -> TransactionContext:
    """A transaction on a fresh simulation."""
    tx_id = hashlib.sha256(str(next(_ids)).encode()).hexdigest()
    header = ChannelHeader(type=3, channel_id=channel_id, tx_id=tx_id)
    header.timestamp.FromSeconds(1_700_000_000)
    pem = client_certificate() if certificate is None else certificate
    identity = SerializedIdentity(mspid="Org1MSP", id_bytes=pem)
    signature = SignatureHeader(creator=identity.SerializeToString(), nonce=b"n" * 24)
    proposal = Proposal(
        header=Header(
            channel_header=header.SerializeToString(),
            signature_header=signature.SerializeToString(),
        ).SerializeToString(),
        payload=ChaincodeProposalPayload(
            # The Node shim wants one that is not empty.
            input=b"input",
            TransientMap=transient or {},
        ).SerializeToString(),
    )
    signed = SignedProposal(proposal_bytes=proposal.SerializeToString(), signature=b"s")
    simulator = peer.ledgers[channel_id].simulator() if channel_id in peer.ledgers else None
    return TransactionContext(
        channel_id=channel_id,
        tx_id=tx_id,
        namespace=name,
        simulator=simulator,
        proposal=UnpackedProposal(signed.SerializeToString()),
        creator=signature.creator,
    )


def args(*arguments: str | bytes, is_init: bool = False) -> ChaincodeInput:
    encoded = [a.encode() if isinstance(a, str) else a for a in arguments]
    return ChaincodeInput(args=encoded, is_init=is_init)
