# SPDX-License-Identifier: Apache-2.0
"""The peer command against nodes that a test controls.

Texts and exit codes are those of the v14 transcript of the real command: its steps are named.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastledger.cli.main import main
from fastledger.protos.common.common_pb2 import Block, Envelope, Status
from fastledger.protos.common.ledger_pb2 import BlockchainInfo
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse
from fastledger.protos.peer.lifecycle import lifecycle_pb2 as lb
from fastledger.protos.peer.proposal_response_pb2 import Response
from fastledger.protos.peer.query_pb2 import ChaincodeQueryResponse, ChannelQueryResponse

QUERY = ("chaincode", "query", "-C", "mychannel", "-n", "mycc", "-c", '{"Args":["query","a"]}')
INVOKE = (
    *("chaincode", "invoke", "-C", "mychannel", "-n", "mycc"),
    *("-c", '{"Args":["invoke","a","b","10"]}'),
)


@pytest.fixture(autouse=True)
def _quiet_log() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


def peer(*args: str) -> Result:
    return CliRunner().invoke(main, ["peer", *args])


def test_a_query_prints_the_answer(user: Path, nodes) -> None:
    # Step 051.
    done = peer(*QUERY)
    assert (done.exit_code, done.stdout) == (0, "100\n")
    assert nodes.args() == [b"query", b"a"]


@pytest.mark.parametrize(("flag", "shown"), [("-x", "313030\n"), ("--raw", "[49 48 48]\n")])
def test_a_query_prints_bytes_as_asked(user: Path, nodes, flag: str, shown: str) -> None:
    # Steps 052 and 053.
    assert peer(*QUERY, flag).stdout == shown


def test_a_function_stands_before_its_arguments(user: Path, nodes) -> None:
    # Step 054.
    peer(*QUERY[:-1], '{"function":"query","Args":["b"]}')
    assert nodes.args() == [b"query", b"b"]


def test_a_query_that_the_chaincode_refuses_fails(user: Path, nodes) -> None:
    # Step 088.
    nodes.endorses = False
    nodes.response = Response(status=500, message='{"Error":"Nil amount for zz"}')
    done = peer(*QUERY)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert (
        "Error: endorsement failure during query. response: status:500 "
        'message:"{\\"Error\\":\\"Nil amount for zz\\"}"'
    ) in done.stderr


def test_a_query_that_the_peer_refuses_fails(user: Path, nodes) -> None:
    # Step 086.
    nodes.refusal = "access denied: channel [nochannel] creator org [Org1MSP]"
    done = peer(*QUERY)
    assert done.exit_code == 1
    assert (
        "Error: error endorsing query: rpc error: code = Unknown desc = access denied: channel "
        "[nochannel] creator org [Org1MSP] - proposal response: <nil>"
    ) in done.stderr


def test_a_query_without_a_peer_says_whom_it_dialed(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Step 097.
    monkeypatch.setenv("CORE_PEER_ADDRESS", "127.0.0.1:1")
    done = peer(*QUERY)
    assert done.exit_code == 1
    assert (
        "Error: error getting endorser client for query: endorser client failed to connect to "
        '127.0.0.1:1: failed to create new connection: connection error: desc = "transport: error '
        'while dialing: dial tcp 127.0.0.1:1: connect: connection refused"'
    ) in done.stderr


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("-c", '{"Args":["invoke"'), "chaincode argument error: unexpected end of JSON input"),
        ((), "empty JSON chaincode parameters must contain the following keys: 'Args'"),
        (("-C", "", "-c", '{"Args":[]}'), "The required parameter 'channelID' is empty."),
    ],
)
def test_wrong_arguments_are_named_with_the_usage(
    user: Path, args: tuple[str, ...], error: str
) -> None:
    # Steps 091 to 093.
    done = peer("chaincode", "invoke", "-C", "mychannel", "-n", "mycc", *args)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"Error: {error}")
    assert "Usage:" in done.stderr


def test_an_invoke_sends_one_transaction(user: Path, nodes) -> None:
    # Step 056.
    done = peer(*INVOKE, "-o", nodes.address)
    assert (done.exit_code, done.stdout) == (0, "")
    assert 'Chaincode invoke successful. result: status:200 payload:"100"' in done.stderr
    assert len(nodes.envelopes) == 1


def test_an_invoke_waits_for_the_verdict(user: Path, nodes) -> None:
    # Step 059.
    done = peer(*INVOKE, "-o", nodes.address, "--waitForEvent")
    assert done.exit_code == 0
    assert f"committed with status (VALID) at {nodes.address}" in done.stderr


def test_an_invalid_transaction_fails_as_in_2_5(user: Path, nodes) -> None:
    # 1.4 (step 081) ends with 0 here.
    nodes.code = 10
    done = peer(*INVOKE, "-o", nodes.address, "--waitForEvent=true")
    assert done.exit_code == 1
    why = "transaction invalidated with status (ENDORSEMENT_POLICY_FAILURE)"
    assert f"{why} - proposal response: <nil>" in done.stderr


def test_a_failed_invoke_sends_nothing(user: Path, nodes) -> None:
    # Step 089.
    nodes.response = Response(status=500, message="no")
    done = peer(*INVOKE, "-o", nodes.address)
    assert done.exit_code == 1
    assert "endorsement failure during invoke. response: status:500" in done.stderr
    assert not nodes.envelopes


def test_an_invoke_without_an_orderer_says_whom_it_dialed(user: Path) -> None:
    # Step 096.
    done = peer(*INVOKE, "-o", "127.0.0.1:1")
    assert done.exit_code == 1
    assert (
        "Error: error getting broadcast client: orderer client failed to connect to 127.0.0.1:1"
    ) in done.stderr


def test_flags_may_stand_before_the_command(user: Path, nodes) -> None:
    done = peer("chaincode", "-o", nodes.address, "--connTimeout", "1s", *INVOKE[1:])
    assert done.exit_code == 0
    assert len(nodes.envelopes) == 1


def test_an_orderer_that_refuses(user: Path, nodes) -> None:
    nodes.ack = BroadcastResponse(status=Status.FORBIDDEN, info="no writer")
    done = peer(*INVOKE, "-o", nodes.address)
    assert done.exit_code == 1
    assert "got unexpected status: FORBIDDEN -- no writer" in done.stderr


def test_one_root_certificate_per_address(user: Path, monkeypatch) -> None:
    monkeypatch.setenv("CORE_PEER_TLS_ENABLED", "true")
    done = peer(*INVOKE, "-o", "127.0.0.1:1", "--peerAddresses", "127.0.0.1:1")
    assert done.exit_code == 1
    assert "number of peer addresses (1) does not match the number of TLS root" in done.stderr


def test_the_joined_channels_are_listed(user: Path, nodes) -> None:
    # Step 026.
    channels = ChannelQueryResponse()
    channels.channels.add(channel_id="mychannel")
    nodes.response = Response(status=200, payload=channels.SerializeToString())
    done = peer("channel", "list")
    assert done.exit_code == 0
    assert done.stdout == "Channels peers has joined: \nmychannel\n"
    assert "Endorser and orderer connections initialized" in done.stderr


def test_a_channels_height_and_hashes_are_printed(user: Path, nodes) -> None:
    # Step 037.
    info = BlockchainInfo(height=3, currentBlockHash=b"\x47\x3d", previousBlockHash=b"\x89")
    nodes.response = Response(status=200, payload=info.SerializeToString())
    done = peer("channel", "getinfo", "-c", "mychannel")
    assert done.stdout == (
        'Blockchain info: {"height":3,"currentBlockHash":"Rz0=","previousBlockHash":"iQ=="}\n'
    )


def test_an_unknown_channel_has_no_height(user: Path, nodes) -> None:
    # Step 038.
    nodes.response = Response(status=500, message="Invalid chain ID, nochannel")
    done = peer("channel", "getinfo", "-c", "nochannel")
    assert done.exit_code == 1
    assert "Error: received bad response, status 500: Invalid chain ID, nochannel" in done.stderr


def test_blocks_are_fetched_from_orderer_and_peer(user: Path, nodes) -> None:
    # Steps 028 and 031.
    newest = peer("channel", "fetch", "newest", "n.block", "-o", nodes.address, "-c", "mychannel")
    assert newest.exit_code == 0
    assert Block.FromString(Path("n.block").read_bytes()).header.number == 2
    assert "Received block: 2" in newest.stderr
    # Without a file's name, and from the peer.
    assert peer("channel", "fetch", "1", "-c", "mychannel").exit_code == 0
    assert Block.FromString(Path("mychannel_1.block").read_bytes()).header.number == 1


def test_a_block_that_is_not_there_cannot_be_fetched(user: Path, nodes) -> None:
    # Step 033.
    done = peer("channel", "fetch", "1000000", "-o", nodes.address, "-c", "nochannel")
    assert done.exit_code == 1
    assert "Error: can't read the block: &{NOT_FOUND}" in done.stderr


def test_a_peer_joins_a_channel_once(user: Path, nodes) -> None:
    # Step 020.
    Path("mychannel.block").write_bytes(b"block")
    assert peer("channel", "join", "-b", "mychannel.block").exit_code == 0
    assert nodes.args() == [b"JoinChain", b"block"]
    message = "cannot create ledger from genesis block: LedgerID already exists"
    nodes.response = Response(status=500, message=message)
    done = peer("channel", "join", "-b", "mychannel.block")
    assert done.exit_code == 1
    assert f"proposal failed (err: bad proposal response 500: {message})" in done.stderr


def test_installed_chaincodes_are_listed(user: Path, nodes) -> None:
    # Step 062.
    answer = ChaincodeQueryResponse()
    answer.chaincodes.add(name="mycc", version="1.0", path="github.com/x", id=b"\xe0\x4b")
    nodes.response = Response(status=200, payload=answer.SerializeToString())
    done = peer("chaincode", "list", "--installed")
    assert done.stdout == (
        "Get installed chaincodes on peer:\n"
        "Name: mycc, Version: 1.0, Path: github.com/x, Id: e04b\n"
    )


def test_a_package_is_signed_by_its_owners(user: Path) -> None:
    # Steps 068 and 069.
    Path("cc").mkdir()
    Path("cc/chaincode.py").write_text("x = 1\n")
    made = peer(
        *("chaincode", "package", "-n", "mycc", "-v", "3.0", "-l", "python", "-p", "cc"),
        *("-s", "-S", "-i", "OR('Org1MSP.admin')", "ccpack.out"),
    )
    assert made.exit_code == 0, made.stderr
    signed = peer("chaincode", "signpackage", "ccpack.out", "signedccpack.out")
    assert signed.stdout == "Wrote signed package to signedccpack.out successfully\n"
    assert Envelope.FromString(Path("signedccpack.out").read_bytes()).signature


def test_lifecycle_package_and_install(user: Path, nodes) -> None:
    Path("cc").mkdir()
    Path("cc/chaincode.py").write_text("x = 1\n")
    lifecycle = ("lifecycle", "chaincode")
    made = peer(*lifecycle, "package", "cc.tgz", "-p", "cc", "-l", "python", "--label", "cc_1")
    assert made.exit_code == 0
    package_id = peer(*lifecycle, "calculatepackageid", "cc.tgz").stdout
    assert package_id.startswith("cc_1:")
    result = lb.InstallChaincodeResult(package_id=package_id.strip(), label="cc_1")
    nodes.response = Response(status=200, payload=result.SerializeToString())
    done = peer(*lifecycle, "install", "cc.tgz")
    assert done.exit_code == 0
    assert f"Chaincode code package identifier: {package_id.strip()}" in done.stderr
    sent = lb.InstallChaincodeArgs.FromString(nodes.args()[1])
    assert sent.chaincode_install_package == Path("cc.tgz").read_bytes()


def test_checkcommitreadiness(user: Path, nodes) -> None:
    result = lb.CheckCommitReadinessResult(approvals={"Org2MSP": False, "Org1MSP": True})
    nodes.response = Response(status=200, payload=result.SerializeToString())
    args = ("lifecycle", "chaincode", "checkcommitreadiness", "-C", "mychannel", "-n", "basic")
    args = (*args, "-v", "1.0", "--sequence", "1")
    assert peer(*args).stdout == (
        "Chaincode definition for chaincode 'basic', version '1.0', sequence '1' on channel "
        "'mychannel' approval status by org:\nOrg1MSP: true\nOrg2MSP: false\n"
    )
    assert peer(*args, "--output", "json").stdout == (
        '{\n\t"approvals": {\n\t\t"Org1MSP": true,\n\t\t"Org2MSP": false\n\t}\n}\n'
    )


def test_approve_and_wait(user: Path, nodes) -> None:
    done = peer(
        *("lifecycle", "chaincode", "approveformyorg", "-o", nodes.address, "-C", "mychannel"),
        *("-n", "basic", "-v", "1.0", "--sequence", "1", "--package-id", "basic_1:aa"),
        *("--signature-policy", "OR('Org1MSP.peer')"),
    )
    assert done.exit_code == 0, done.stderr
    sent = lb.ApproveChaincodeDefinitionForMyOrgArgs.FromString(nodes.args()[1])
    assert sent.source.local_package.package_id == "basic_1:aa"
    assert sent.validation_parameter
    assert "committed with status (VALID)" in done.stderr


def test_the_identity_must_be_there(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORE_PEER_MSPCONFIGPATH", str(user / "nowhere"))
    done = peer(*QUERY)
    assert done.exit_code == 1
    assert "Cannot run peer because cannot init crypto" in done.stderr


def test_version() -> None:
    assert peer("version").stdout.startswith("peer:\n Version: ")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("chaincode", "query", "--bogus"), "Error: unknown flag: --bogus"),
        (("frobnicate",), 'Error: unknown command "frobnicate" for'),
        (("chaincode", "query", "-C"), "Error: flag needs an argument"),
    ],
)
def test_unknown_words(args: tuple[str, ...], error: str) -> None:
    done = peer(*args)
    assert done.exit_code == 1
    assert error in done.stderr
