# SPDX-License-Identifier: Apache-2.0
"""The lifecycle of 2.0 on a channel of a real 3.1 network: installed, approved, committed, read.

The real peers' transactions are the judge of the bytes: what `_lifecycle` writes here at the height
of theirs has to be what they wrote.
"""

import asyncio
from pathlib import Path

import pytest

from corpora import Corpus, OpenCorpus
from fastledger.chaincode.context import TransactionContext
from fastledger.channelconfig import Bundle
from fastledger.endorser.channel import Channel
from fastledger.endorser.definitions import Definitions
from fastledger.endorser.installer import Installer
from fastledger.endorser.lifecycle.scc import LifecycleScc
from fastledger.endorser.packages import PackageStore
from fastledger.endorser.services import PeerServices
from fastledger.ledger import kvledger
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.protos.common import common_pb2
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.peer import (
    chaincode_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from fastledger.protoutil.blocks import is_config_block
from fastledger.protoutil.unpacked import UnpackedProposal


class Anybody:
    """Lets everybody do everything: these proposals' signatures are not kept."""

    def check(self, resource, channel_id, signed) -> None:
        pass


async def built(ccid: str, package: object = None) -> None:
    """Nothing of the corpus is run, so nothing has to be built."""


class OneChannel:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def channel(self, channel_id: str) -> Channel | None:
        return self._channel

    def channel_ids(self) -> list[str]:
        return [self._channel.id]


def lifecycle_transactions(block: common_pb2.Block):
    """Yield the payload, the arguments and the endorsed action of valid calls to `_lifecycle`."""
    codes = block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER]
    for index, encoded in enumerate(block.data.data):
        if codes[index] != 0:
            continue
        payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(encoded).payload)
        header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
        if header.type != common_pb2.ENDORSER_TRANSACTION:
            continue
        actions = transaction_pb2.Transaction.FromString(payload.data).actions
        if not actions:
            continue
        action = transaction_pb2.ChaincodeActionPayload.FromString(actions[0].payload)
        proposed = proposal_pb2.ChaincodeProposalPayload.FromString(
            action.chaincode_proposal_payload
        )
        spec = chaincode_pb2.ChaincodeInvocationSpec.FromString(proposed.input).chaincode_spec
        if spec.chaincode_id.name == "_lifecycle":
            response = proposal_response_pb2.ProposalResponsePayload.FromString(
                action.action.proposal_response_payload
            )
            done = proposal_pb2.ChaincodeAction.FromString(response.extension)
            yield index, payload, action, list(spec.input.args), done


def signed_proposal(payload, action) -> proposal_pb2.SignedProposal:
    proposal = proposal_pb2.Proposal(
        header=payload.header.SerializeToString(), payload=action.chaincode_proposal_payload
    )
    return proposal_pb2.SignedProposal(proposal_bytes=proposal.SerializeToString(), signature=b"-")


async def replay(corpus: Corpus, folder: Path) -> tuple[int, list[str]]:
    compared, different = 0, []
    with kvledger.open(folder / "ledger") as ledger:
        private = PrivateDataStore(folder / "private")
        blocks = corpus.blocks("peer")
        ledger.commit(blocks[0])
        channel = Channel("mychannel", ledger, private, Bundle.from_block(blocks[0]))
        packages = PackageStore(folder)
        for encoded in blocks[1:]:
            block = common_pb2.Block.FromString(encoded)
            for index, payload, action, args, done in lifecycle_transactions(block):
                function = args[0].decode("utf-8", "replace")
                if len(args) != 2:
                    continue
                proposal = UnpackedProposal(signed_proposal(payload, action).SerializeToString())
                mspid = approving(action, function)
                definitions = Definitions(packages, mspid)
                channels = OneChannel(channel)
                services = PeerServices(channels, Anybody(), definitions)
                installer = Installer(packages, definitions, built)
                scc = LifecycleScc(channels, Anybody(), packages, definitions, mspid, installer)
                simulator = services.simulate(channel, proposal.tx_id)
                context = TransactionContext(
                    channel_id=channel.id,
                    tx_id=proposal.tx_id,
                    namespace="_lifecycle",
                    simulator=simulator,
                    proposal=proposal,
                )
                answer, _ = await scc.invoke(context, args)
                public, own = simulator.results()
                simulator.done()
                if own is not None:
                    private.endorse(proposal.tx_id, own)
                compared += 1
                if answer.status != 200 or public != done.results:
                    different.append(f"{block.header.number}:{index} {function} {answer.message}")
            commit = ledger.commit(encoded)
            if commit.filter == b"\0" and is_config_block(block):
                channel.bundle = Bundle.from_block(encoded)
            private.apply(commit.number, commit.private_effects)
    return compared, different


def approving(action, function: str) -> str:
    """The organization whose peer endorsed first."""
    return SerializedIdentity.FromString(action.action.endorsements[0].endorser).mspid


def test_definitions_are_written_as_real_peers_wrote_them(small: Corpus, tmp_path: Path) -> None:
    compared, different = asyncio.run(replay(small, tmp_path))
    assert not different, different
    assert compared >= 20


@pytest.fixture(scope="session")
def small(open_corpus: OpenCorpus) -> Corpus:
    return open_corpus("small")
