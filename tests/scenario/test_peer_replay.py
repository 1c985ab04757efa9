# SPDX-License-Identifier: Apache-2.0
"""What a real CLI proposed to real 1.4 peers, proposed to ours: the same answers, to the byte.

A recorded answer belongs to some height of the channel. Ours must give it at one of them; what an
endorsement signs then is equal, too, read-write set included.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import peering
from corpora import Corpus, OpenCorpus
from fastledger.chaincode.context import TransactionContext
from fastledger.chaincode.services import EndorsementInfo
from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError
from fastledger.endorser.acl import AclProvider
from fastledger.endorser.channel import Channel
from fastledger.endorser.definitions import Definitions
from fastledger.endorser.distributor import Distributor
from fastledger.endorser.endorser import Endorser
from fastledger.endorser.installer import Installer
from fastledger.endorser.packages import PackageStore, parse_legacy
from fastledger.endorser.services import PeerServices
from fastledger.endorser.syscc.cscc import Cscc
from fastledger.endorser.syscc.lscc import Lscc
from fastledger.endorser.syscc.qscc import Qscc
from fastledger.ledger import kvledger
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.msp import Msp, load_msp_config
from fastledger.protos.peer.chaincode_pb2 import ChaincodeDeploymentSpec, ChaincodeInput
from fastledger.protos.peer.proposal_pb2 import SignedProposal
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse, Response
from fastledger.protoutil.proposal_response import answer_bytes
from fastledger.protoutil.unpacked import UnpackedProposal

CHANNEL = "mychannel"


class Example02:
    """The classic account chaincode, as the corpus ran it, beside the system chaincodes."""

    def __init__(self, services: PeerServices) -> None:
        self._services = services

    async def invoke(
        self,
        context: TransactionContext,
        chaincode_input: ChaincodeInput,
        info: EndorsementInfo | None = None,
    ):
        if self._services.is_system_chaincode(context.namespace):
            return await self._services.invoke_system(context, chaincode_input)
        assert info is not None, "the endorser has looked it up"
        return run(context.simulator, [arg.decode() for arg in chaincode_input.args]), None


def run(simulator, args: list[str]) -> Response:
    def holding(name: str) -> int | None:
        found = simulator.get_state("mycc", name)
        return None if found is None else int(found)

    match args:
        case ["query", name]:
            held = simulator.get_state("mycc", name)
            if held is None:
                return Response(status=500, message=f'{{"Error":"Nil amount for {name}"}}')
            return Response(status=200, payload=held)
        case ["invoke", one, other, amount]:
            a, b = holding(one), holding(other)
            if a is None or b is None:
                return Response(status=500, message="Entity not found")
            if not amount.isdigit():
                return Response(
                    status=500, message="Invalid transaction amount, expecting a integer value"
                )
            simulator.set_state("mycc", one, str(a - int(amount)).encode())
            simulator.set_state("mycc", other, str(b + int(amount)).encode())
            return Response(status=200)
        case ["delete", name]:
            simulator.delete_state("mycc", name)
            return Response(status=200)
    return Response(
        status=500,
        message='Invalid invoke function name. Expecting "invoke" "delete" "query"',
    )


class OneChannel:
    """The channels of a peer that has joined one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def channel(self, channel_id: str) -> Channel | None:
        return self._channel if channel_id == self._channel.id else None

    def channel_ids(self) -> list[str]:
        return [self._channel.id]


def endorser_at(corpus: Corpus, folder: Path, height: int, org: str) -> Endorser:
    material = corpus.folder / "crypto-config"
    ledger = kvledger.open(folder / "ledger")
    config = 0
    for number, block in enumerate(corpus.blocks("peer")[:height]):
        ledger.commit(block)
        try:
            Bundle.from_block(block)
            config = number
        except FastledgerError:
            continue
    bundle = Bundle.from_block(ledger.encoded_block(config))
    channels = OneChannel(Channel(CHANNEL, ledger, PrivateDataStore(folder / "private"), bundle))
    msp_folder = peering.folder_of(material, org, "peers", "peer0")
    mspid = f"{org.capitalize()}MSP"
    msp = Msp(load_msp_config(msp_folder, mspid).SerializeToString())

    def bundles(channel_id: str) -> Bundle | None:
        channel = channels.channel(channel_id)
        return None if channel is None else channel.bundle

    acl = AclProvider(msp, bundles)
    packages = PackageStore(folder)
    for encoded in installed(corpus):
        packages.install_legacy(parse_legacy(encoded))
    definitions = Definitions(packages, mspid)
    services = PeerServices(channels, acl, definitions)
    services.add("cscc", Cscc(channels, acl))
    services.add("qscc", Qscc(channels, acl))
    installer = Installer(packages, definitions, built)
    services.add("lscc", Lscc(channels, acl, packages, definitions, installer))
    signer = peering.identity(material, org, "peer0", "peers")
    executor, alone = Example02(services), Distributor(lambda *_: 0)
    return Endorser(channels, acl, msp.identity, definitions, services, executor, alone, signer)


async def built(ccid: str, package: object = None) -> None:
    """Nothing of the corpus is run, so nothing has to be built."""


Answer = ProposalResponse | str
"""A response, or the text of a gRPC status."""


def recorded(corpus: Corpus) -> Iterator[tuple[str, SignedProposal, Answer]]:
    refusals = {}
    for line in (corpus.folder / "wire/index.jsonl").read_text("utf-8").splitlines():
        event = json.loads(line)
        if event["ev"] == "end" and event["code"] == "Unknown":
            refusals[event["id"]] = event["msg"]
    for path in sorted(corpus.folder.glob("wire/*Endorser.ProcessProposal_c2s_001.bin")):
        answer = path.with_name(path.name.replace("c2s", "s2c"))
        proposal = SignedProposal.FromString(path.read_bytes())
        if answer.exists():
            yield path.name, proposal, ProposalResponse.FromString(answer.read_bytes())
        elif (refusal := refusals.get(int(path.name[:6]))) is not None:
            yield path.name, proposal, refusal


def installed(corpus: Corpus) -> Iterator[bytes]:
    """Make the installed packages of one that a real peer showed: they differ in the version."""
    lines = (corpus.folder / "transcript.jsonl").read_text("utf-8").splitlines()
    shown = next(json.loads(line)["stdout"] for line in lines if "getdepspec" in line)
    spec = ChaincodeDeploymentSpec.FromString(bytes.fromhex(shown.strip()))
    for version in ("1.0", "2.0"):
        spec.chaincode_spec.chaincode_id.version = version
        yield spec.SerializeToString()


async def answer(endorser: Endorser, proposal: SignedProposal) -> Answer:
    try:
        unpacked = UnpackedProposal(proposal.SerializeToString())
        return ProposalResponse.FromString(answer_bytes(await endorser.process(unpacked)))
    except FastledgerError as error:
        return str(error)


def equal(ours: Answer, theirs: Answer) -> bool:
    if isinstance(ours, str) or isinstance(theirs, str):
        return ours == theirs
    return (
        ours.version == theirs.version
        and ours.response == theirs.response
        and ours.payload == theirs.payload
        and ours.HasField("endorsement") == theirs.HasField("endorsement")
        and ours.HasField("interest") == theirs.HasField("interest")
    )


UNCOMPARED = {
    "JoinChain",
    "install",
    "deploy",
    "upgrade",
    "getchaincodes",
    "GetConfigTree",
}
"""They change the peer, or list what was installed at one time; Go's maps have no order."""


async def compare(corpus: Corpus, folder: Path) -> tuple[int, list[str]]:
    count = len(corpus.blocks("peer"))
    peers = [
        endorser_at(corpus, folder / f"{org}-{height}", height, org)
        for org in ("org1", "org2")
        for height in range(1, count + 1)
    ]
    same, different = 0, []
    for name, proposal, theirs in recorded(corpus):
        unpacked = UnpackedProposal(proposal.SerializeToString())
        function = unpacked.input.args[0].decode() if unpacked.input.args else ""
        if function in UNCOMPARED or "installedchaincodes" in function:
            continue
        answers = [await answer(peer, proposal) for peer in peers]
        if any(equal(ours, theirs) for ours in answers):
            same += 1
        else:
            different.append(f"{name} {unpacked.chaincode} {function}: {theirs}, {answers[-1]}")
    return same, different


def test_recorded_proposals_get_the_recorded_answers(open_corpus: OpenCorpus, tmp_path) -> None:
    corpus = open_corpus("v14")
    same, different = asyncio.run(compare(corpus, tmp_path))
    assert not different, "\n".join(different)
    assert same >= 40
