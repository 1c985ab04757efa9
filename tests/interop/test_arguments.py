# SPDX-License-Identifier: Apache-2.0
"""What the real peer command makes of arguments and files that are JSON, and what we do."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest
from hypothesis import event, given

from fabric_tools import examples, fabric_tool, sample_config
from fastledger.chaincode import package
from fastledger.cli.peer.arguments import chaincode_args, transient_map
from fastledger.cli.peer.cobra import UsageFailed
from fastledger.cli.peer.collections import collections
from fastledger.common.errors import InputError
from fastledger.protos.peer import peer_pb2_grpc
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInvocationSpec
from fastledger.protos.peer.proposal_pb2 import ChaincodeProposalPayload, Proposal, SignedProposal
from fastledger.protos.peer.proposal_response_pb2 import Endorsement, ProposalResponse, Response
from fastledger.tools.cryptogen import generate, spec
from json_inputs import documents

# As long as the number of inputs that is asked for takes.
pytestmark = pytest.mark.timeout(0)

CTOR_KEYS = [b"Args", b"args", b"ARGS", b"Function", b"function", b"arg\xc5\xbf", b"x"]
COLLECTION_KEYS = [
    *(b"name", b"policy", b"Policy", b"requiredPeerCount", b"maxPeerCount", b"blockToLive"),
    *(b"memberOnlyRead", b"memberOnlyWrite", b"endorsementPolicy", b"signaturePolicy"),
    *(b"channelConfigPolicy", b"x"),
]

TEXTS = (b'["f","a"]', b'["f",null]', b'["\\ud800","\xff"]', b"[]", b"null", b'["a"]')
CTORS = {
    **dict.fromkeys([b"Args", b"args", b"ARGS"], TEXTS),
    b"Function": [b'"f"', b"null", b'""'],
}
TRANSIENTS = dict.fromkeys([b"a", b"b", b"\\ud800"], (b'"YQ=="', b'"YW\\nJj"', b"null", b"[1,2]"))
RULES = (b"\"OR('A.member')\"", b"\"AND('A.peer','B.admin')\"")
COLLECTIONS = {
    **dict.fromkeys([b"name", b"Name"], (b'"c"', b"null", b'"\\ud800"')),
    **dict.fromkeys([b"policy", b"POLICY"], RULES * 3),
    **dict.fromkeys([b"requiredPeerCount", b"maxpeercount"], (b"null", b"3", b"2147483647")),
    b"blockToLive": [b"5", b"18446744073709551615"],
    b"memberOnlyRead": [b"true", b"false", b"null"],
    b"endorsementPolicy": [b"null", b"{}", b'{"SignaturePolicy":%s}' % RULES[0]],
}
METADATA = {
    **dict.fromkeys([b"label", b"LABEL"], (b'"l"', b'"a.b_1"', b"null", b'"l","x":{}')),
    **dict.fromkeys([b"type", b"path"], (b'"ccaas"', b"null", b'"\\ud800"')),
}


class Endorser(peer_pb2_grpc.EndorserServicer):
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.payloads: list[ChaincodeProposalPayload] = []

    def ProcessProposal(self, request: SignedProposal, _: object) -> ProposalResponse:
        payload = Proposal.FromString(request.proposal_bytes).payload
        self.payloads.append(ChaincodeProposalPayload.FromString(payload))
        endorsement = Endorsement(endorser=b"peer", signature=b"signature")
        return ProposalResponse(response=Response(status=200), endorsement=endorsement)


class Peer:
    """The real command, asking an endorser of ours."""

    def __init__(self, endorser: Endorser, environment: dict[str, str]) -> None:
        self.endorser = endorser
        self._environment = {**os.environ, **environment}
        self._program = fabric_tool("peer")

    def run(self, *arguments: object) -> subprocess.CompletedProcess[bytes]:
        texts = [one if isinstance(one, bytes) else str(one) for one in arguments]
        return subprocess.run(
            [str(self._program), *texts], capture_output=True, env=self._environment
        )

    def asked(self, *arguments: object) -> tuple[list[bytes], dict[str, bytes]] | None:
        """Run a query; return what reached the endorser, None if nothing did."""
        self.endorser.payloads.clear()
        self.run("chaincode", "query", "-C", "ch", "-n", "cc", *arguments)
        if not self.endorser.payloads:
            return None
        (payload,) = self.endorser.payloads
        invocation = ChaincodeInvocationSpec.FromString(payload.input)
        return list(invocation.chaincode_spec.input.args), dict(payload.TransientMap)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("crypto")
    ca = spec.NodeSpec(hostname="ca", common_name="ca.org1.test")
    org = spec.OrgSpec(domain="org1.test", enable_node_ous=True, ca=ca)
    generate.generate(spec.Config((org,), ()), folder, lambda _: None)
    endorser = Endorser()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    peer_pb2_grpc.add_EndorserServicer_to_server(endorser, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    msp = folder / "peerOrganizations/org1.test/users/Admin@org1.test/msp"
    environment = {
        "FABRIC_CFG_PATH": str(sample_config()),
        "FABRIC_LOGGING_SPEC": "ERROR",
        "CORE_PEER_LOCALMSPID": "Org1MSP",
        "CORE_PEER_MSPCONFIGPATH": str(msp),
        "CORE_PEER_ADDRESS": address,
    }
    yield Peer(endorser, environment)
    server.stop(None)


def _argument(text: bytes) -> str:
    """Bytes as Python hands on those of a command line."""
    return text.decode("utf-8", "surrogateescape")


@given(document=documents(CTOR_KEYS, fits=CTORS).filter(lambda text: b"\0" not in text))
@examples()
def test_constructors(peer: Peer, document: bytes) -> None:
    real = peer.asked(b"--ctor=" + document)
    try:
        ours = chaincode_args(_argument(document))
    except (InputError, UsageFailed):
        assert real is None
    else:
        event("taken")
        assert real == (ours, {})


@given(
    document=documents([b"a", b"b", b"\\ud800"], fits=TRANSIENTS).filter(
        lambda text: b"\0" not in text
    )
)
@examples()
def test_transient_maps(peer: Peer, document: bytes) -> None:
    real = peer.asked("-c", '{"Args":[]}', b"--transient=" + document)
    try:
        ours = transient_map(_argument(document))
    except InputError:
        assert real is None
    else:
        event("taken")
        assert real == ([], ours)


@given(document=documents(COLLECTION_KEYS, listed=True, fits=COLLECTIONS))
@examples()
def test_collections(peer: Peer, tmp_path_factory: pytest.TempPathFactory, document: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "collections.json"
    file.write_bytes(document)
    command = ("lifecycle", "chaincode", "checkcommitreadiness", "-C", "ch", "-n", "x")
    peer.endorser.payloads.clear()
    peer.run(*command, "-v", "1", "--sequence", "1", "--collections-config", file)
    try:
        ours = collections(str(file))
    except InputError:
        assert not peer.endorser.payloads
    else:
        event("taken")
        assert ours is not None
        (payload,) = peer.endorser.payloads
        asked = ChaincodeInvocationSpec.FromString(payload.input).chaincode_spec.input.args[1]
        assert (ours.SerializeToString() if ours.config else b"") in asked


@given(document=documents([b"label", b"Label", b"type", b"path"], fits=METADATA))
@examples()
def test_metadata(peer: Peer, tmp_path_factory: pytest.TempPathFactory, document: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "cc.tgz"
    file.write_bytes(_package(document))
    real = peer.run("lifecycle", "chaincode", "calculatepackageid", file)
    try:
        read = package.parse(file.read_bytes())
    except InputError:
        assert real.returncode != 0
    else:
        event("taken")
        expected = package.package_id(read.label, file.read_bytes())
        assert real.stdout.decode().strip() == expected


def _package(metadata: bytes) -> bytes:
    code = package.tar_gz({"connection.json": json.dumps({"address": "h:1"}).encode()})
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in (("metadata.json", metadata), ("code.tar.gz", code)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()
