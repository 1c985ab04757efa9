# SPDX-License-Identifier: Apache-2.0
"""The demo's walk: a solo orderer, four peers, the 1.x lifecycle; 100 becomes 90."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import demo
import fastledger
from classic_network import ClassicNetwork, Ports, running
from fastledger import TxValidationCode
from fastledger.ledger import sources

HEIGHT = 6


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClassicNetwork]:
    """A network that has gone the way, its nodes still running."""
    walked = ClassicNetwork(tmp_path_factory.mktemp("classic"), Ports.choose())
    with running(walked):
        demo.make_network(walked)
        demo.make_channel(walked)
        # It compares what queries show with 100 and 90.
        demo.use_chaincode(walked)
        for peer in walked.ports.peers:
            demo.wait_for(walked, peer, HEIGHT)
        yield walked


def test_all_peers_have_the_same_chain(network: ClassicNetwork) -> None:
    shown = set()
    for peer in network.ports.peers:
        done = network.run("peer", "channel", "getinfo", "-c", demo.CHANNEL, env=network.at(peer))
        assert done.returncode == 0, done.stderr
        shown.add(done.stdout)
    assert len(shown) == 1
    assert f'"height":{HEIGHT},' in shown.pop()


def test_a_user_who_may_not_is_refused(network: ClassicNetwork) -> None:
    install = ("peer", "chaincode", "install", "-n", "other", "-v", "1", "-l", "python")
    done = network.run(
        *install, "-p", str(demo.CHAINCODE), env=network.at("peer0.org1", user="User1")
    )
    assert done.returncode == 1
    assert "access denied for [install]" in done.stderr


def test_a_stopped_peer_catches_up(network: ClassicNetwork) -> None:
    network.stop("peer1.org1")
    peers = ("peer0.org1", "peer0.org2")
    both = [word for name in peers for word in ("--peerAddresses", network.peer(name))]
    invoke = ("peer", "chaincode", "invoke", "-o", network.orderer, "-C", demo.CHANNEL)
    move = ("-n", "mycc", "-c", '{"Args":["invoke","a","b","1"]}', "--waitForEvent")
    done = network.run(*invoke, *move, *both, env=network.at("peer0.org1"))
    assert done.returncode == 0, done.stderr
    network.start_peer("peer1.org1")
    network.wait()
    demo.wait_for(network, "peer1.org1", HEIGHT + 1)


def test_the_ledgers_are_sound_and_equal(network: ClassicNetwork, tmp_path: Path) -> None:
    network.stop(*network.ports.peers)
    hashes = set()
    for name in network.ports.peers:
        chain = network.data(name) / "ledgersData" / demo.CHANNEL / "chains"
        with (
            sources.open(chain) as source,
            fastledger.open(tmp_path / name) as ledger,
        ):
            codes = [commit.filter for commit in ledger.commit_all(source)]
            hashes.add(ledger.last_commit_hash)
    valid, failed = TxValidationCode.VALID, TxValidationCode.ENDORSEMENT_POLICY_FAILURE
    # The test before this one may have added a block.
    expected = [bytes([code]) for code in (valid,) * 5 + (failed, valid)]
    assert codes in (expected[:HEIGHT], expected)
    assert len(hashes) == 1
