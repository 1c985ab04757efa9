# SPDX-License-Identifier: Apache-2.0
"""Channels joined, listed and removed through the administration endpoint and osnadmin."""

import asyncio
import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import ordering
from certificates import authority, leaf
from corpora import Corpus, OpenCorpus
from fastledger.channelconfig import Bundle
from fastledger.cli.main import main
from fastledger.msp import SigningIdentity
from fastledger.node.orderer.node import OrdererNode
from fastledger.protos.common.common_pb2 import Block, Status

CHANNEL = "small"
URL = f"/participation/v1/channels/{CHANNEL}"


class Running:
    """An orderer whose loop runs in a thread, so that commands can block."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.node = OrdererNode(ordering.configuration(environ))
        self._run(self.node.start())

    def _run(self, coroutine) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(ordering.DEADLINE_S)

    def stop(self) -> None:
        self._run(self.node.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def material(open_corpus: OpenCorpus) -> Path:
    """Keys for an orderer; what it joins is of another network."""
    return open_corpus("v14").folder / "crypto-config"


@pytest.fixture
def orderer(material: Path, tmp_path: Path) -> Iterator[Running]:
    running = Running(ordering.environment(material, tmp_path / "orderer"))
    yield running
    running.stop()


@pytest.fixture
def genesis(small: Corpus) -> Path:
    return small.folder / "genesis.block"


def osnadmin(running: Running, *arguments: str | Path) -> Result:
    words = ["osnadmin", *map(str, arguments), "-o", f"localhost:{running.node.admin_port}"]
    return CliRunner().invoke(main, words, prog_name="fastledger")


def info(height: int = 1) -> dict:
    return {
        "name": CHANNEL,
        "url": URL,
        "consensusRelation": "consenter",
        "status": "active",
        "height": height,
    }


def answer(result: Result) -> tuple[int, dict]:
    """Status and body of what osnadmin printed."""
    assert result.exit_code == 0, result.output
    first, _, body = result.stdout.partition("\n")
    return int(first.removeprefix("Status: ")), json.loads(body) if body.strip() else {}


def test_a_channel_from_joining_to_removal(orderer: Running, genesis: Path, tmp_path: Path) -> None:
    empty = osnadmin(orderer, "channel", "list")
    assert empty.stdout == 'Status: 200\n{\n\t"systemChannel": null,\n\t"channels": null\n}\n\n'
    join = ("channel", "join", "--channelID", CHANNEL, "--config-block", genesis)
    assert answer(osnadmin(orderer, *join)) == (201, info())
    exists = {"error": "cannot join: channel already exists"}
    assert answer(osnadmin(orderer, *join)) == (405, exists)
    listed = {"systemChannel": None, "channels": [{"name": CHANNEL, "url": URL}]}
    assert answer(osnadmin(orderer, "channel", "list")) == (200, listed)
    assert answer(osnadmin(orderer, "channel", "list", "-c", CHANNEL)) == (200, info())
    copy = tmp_path / "copy.block"
    fetch = ("channel", "fetch", "-c", CHANNEL, "-b", "config", "-f", copy)
    assert osnadmin(orderer, *fetch).stdout == "Status: 200\n\n"
    assert Block.FromString(copy.read_bytes()) == Block.FromString(genesis.read_bytes())
    assert osnadmin(orderer, "channel", "remove", "-c", CHANNEL).stdout == "Status: 204\n\n"
    gone = {"error": "channel does not exist"}
    while (found := answer(osnadmin(orderer, "channel", "list", "-c", CHANNEL)))[0] == 200:
        assert found[1]["status"] == "inactive"
    assert found == (404, gone)
    removed = osnadmin(orderer, "channel", "remove", "-c", CHANNEL)
    assert answer(removed) == (404, {"error": "cannot remove: channel does not exist"})
    assert answer(osnadmin(orderer, *join)) == (201, info())


def test_a_joined_channel_is_there_after_a_restart(
    material: Path, genesis: Path, tmp_path: Path
) -> None:
    environ = ordering.environment(material, tmp_path / "orderer")
    for round_ in range(2):
        running = Running(environ)
        if round_ == 0:
            join = ("channel", "join", "-c", CHANNEL, "-b", genesis)
            assert answer(osnadmin(running, *join))[0] == 201
        assert answer(osnadmin(running, "channel", "list", "-c", CHANNEL)) == (200, info())
        running.stop()


def test_blocks_that_no_channel_begins_with(
    orderer: Running, small: Corpus, open_corpus: OpenCorpus, tmp_path: Path
) -> None:
    v14 = open_corpus("v14").folder
    changed = Block.FromString((small.folder / "genesis.block").read_bytes())
    changed.header.data_hash = bytes(32)
    bare = Block.FromString((small.folder / "genesis.block").read_bytes())
    bare.ClearField("metadata")
    system = (v14 / "artifacts/genesis.block").read_bytes()
    cases = {
        "e2e-orderer-syschan": (system, "contains consortiums: system channel not supported"),
        CHANNEL: (changed.SerializeToString(), "Header.DataHash is different"),
    }
    for name, (block, reason) in [
        *cases.items(),
        (CHANNEL, (bare.SerializeToString(), "metadata")),
    ]:
        path = tmp_path / "join.block"
        path.write_bytes(block)
        result = osnadmin(orderer, "channel", "join", "-c", name, "-b", path)
        status, body = answer(result)
        assert status == 400
        assert body["error"].startswith("invalid join block: ")
        assert reason in body["error"]


def test_mistakes_on_the_command_line(orderer: Running, genesis: Path, tmp_path: Path) -> None:
    other = osnadmin(orderer, "channel", "join", "-c", "other", "-b", genesis)
    assert other.exit_code == 1
    text = "specified --channelID other does not match channel ID small in config block"
    assert other.stderr == f"osnadmin: error: parsing arguments: {text}. Try --help\n"
    missing = osnadmin(orderer, "channel", "join", "-c", CHANNEL)
    assert missing.exit_code == 1
    assert "required flag --config-block not provided. Try --help" in missing.stderr
    fetch = ("channel", "fetch", "-c", CHANNEL, "-b", "x", "-f", tmp_path / "f")
    assert "'x' not equal <newest|oldest|config|(number)>" in osnadmin(orderer, *fetch).stderr
    quiet = osnadmin(orderer, "--no-status", "channel", "list", "-c", "nochannel")
    assert quiet.stdout == '{\n\t"error": "channel does not exist"\n}\n\n'


def test_an_endpoint_that_is_not_there() -> None:
    words = ["osnadmin", "channel", "list", "-o", "127.0.0.1:1"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert result.stdout.startswith('Error: Get "http://127.0.0.1:1/participation/v1/channels": ')


@pytest.mark.parametrize("required", ["true", "false"])
def test_tls_lets_only_administrators_in(material: Path, tmp_path: Path, required: str) -> None:
    """Whether the handshake refuses those without a certificate, or the service does."""
    ca, strangers = authority(), authority("strangers")
    server, client, stranger = leaf(ca), leaf(ca), leaf(strangers)
    files = {}
    for name, content in {
        "ca.crt": ca.cert,
        "server.crt": server.cert,
        "server.key": server.key,
        "client.crt": client.cert,
        "client.key": client.key,
        "stranger.crt": stranger.cert,
        "stranger.key": stranger.key,
    }.items():
        files[name] = tmp_path / name
        files[name].write_bytes(content)
    environ = ordering.environment(
        material,
        tmp_path / "orderer",
        ORDERER_ADMIN_TLS_ENABLED="true",
        ORDERER_ADMIN_TLS_CERTIFICATE=str(files["server.crt"]),
        ORDERER_ADMIN_TLS_PRIVATEKEY=str(files["server.key"]),
        ORDERER_ADMIN_TLS_CLIENTAUTHREQUIRED=required,
        ORDERER_ADMIN_TLS_CLIENTROOTCAS=f"[{files['ca.crt']}]",
    )
    running = Running(environ)
    try:
        for name, exit_code in (("client", 0), ("stranger", 1)):
            tls = ("--ca-file", files["ca.crt"], "--client-cert", files[f"{name}.crt"])
            tls += ("--client-key", files[f"{name}.key"])
            result = osnadmin(running, "channel", "list", *tls)
            assert result.exit_code == exit_code, result.output
        assert osnadmin(running, "channel", "list").exit_code == 1
        trust = ssl.create_default_context(cadata=files["ca.crt"].read_text("ascii"))
        port = running.node.admin_port
        nameless = http.client.HTTPSConnection("localhost", port, context=trust)
        if required == "true":
            with pytest.raises((ssl.SSLError, ConnectionError)):
                nameless.request("GET", URL)
                nameless.getresponse()
        else:
            for method in ("GET", "DELETE"):
                nameless.request(method, URL)
                assert nameless.getresponse().read() == b"401: Unauthorized"
        nameless.close()
    finally:
        running.stop()


def test_updates_count_at_once_and_after_a_restart(
    open_corpus: OpenCorpus, material: Path, tmp_path: Path
) -> None:
    artifacts = open_corpus("v14").folder / "artifacts"
    environ = ordering.environment(
        material,
        tmp_path / "orderer",
        ORDERER_GENERAL_BOOTSTRAPMETHOD="file",
        ORDERER_GENERAL_BOOTSTRAPFILE=str(artifacts / "genesis.block"),
    )

    def admin(number: int) -> SigningIdentity:
        org = f"org{number}.example.com"
        folder = material / f"peerOrganizations/{org}/users/Admin@{org}/msp"
        return SigningIdentity.load(folder, f"Org{number}MSP")

    async def create(port: int) -> None:
        client = ordering.Client(port)
        request = ordering.signed_update((artifacts / "channel.tx").read_bytes(), admin(1))
        assert [one.status for one in await client.broadcast([request])] == [Status.SUCCESS]
        await client.close()

    envelope = tmp_path / "update.pb"
    update = ("channel", "update", "-c", "mychannel", "-e", envelope)
    for number in (1, 2):
        running = Running(environ)
        if number == 1:
            asyncio.run(create(running.node.port))
        anchors = (artifacts / f"Org{number}MSPanchors.tx").read_bytes()
        envelope.write_bytes(ordering.signed_update(anchors, admin(3 - number)))
        status, body = answer(osnadmin(running, *update))
        assert status == 400
        assert body["error"].startswith(
            "cannot update: failed update config of channel mychannel: "
            "error applying config update to existing channel 'mychannel': "
        )
        envelope.write_bytes(ordering.signed_update(anchors, admin(number)))
        status, body = answer(osnadmin(running, *update))
        assert (status, body["height"], body["consensusRelation"]) == (201, number + 1, "other")
        again = answer(osnadmin(running, *update))
        assert again[0] == 400
        config = tmp_path / "config.block"
        osnadmin(running, "channel", "fetch", "-c", "mychannel", "-b", "config", "-f", config)
        block = Block.FromString(config.read_bytes())
        assert block.header.number == number
        peers = Bundle.from_block(config.read_bytes()).application.orgs[f"Org{number}MSP"]
        assert [anchor.host for anchor in peers.anchor_peers] != []
        running.stop()
    refused = answer(osnadmin_join_beside_a_system_channel(environ, artifacts))
    assert refused == (405, {"error": "cannot join: system channel exists"})


def osnadmin_join_beside_a_system_channel(environ: dict[str, str], artifacts: Path) -> Result:
    running = Running(environ)
    block = artifacts / "mychannel.block"
    try:
        return osnadmin(running, "channel", "join", "-c", "mychannel", "-b", block)
    finally:
        running.stop()


def test_requests_that_are_no_requests(orderer: Running) -> None:
    form = "multipart/form-data; boundary=b"
    part = '--b\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\nx\r\n'
    other = (part.format("other", '; filename="f"') + "--b--\r\n").encode()
    two = "".join(part.format("config-block", f'; filename="{n}"') for n in "ab")
    value = (two[: len(two) // 2] + part.format("more", "") + "--b--\r\n").encode()
    channels = "/participation/v1/channels"
    for method, path, kind, body, status, text in (
        ("POST", channels, "text/plain", b"x", 400, "unsupported Content-Type: [text/plain]"),
        ("POST", channels, form, other, 400, "form does not contains part key: config-block"),
        ("POST", channels, form, value, 400, "form contains too many parts"),
        ("POST", channels, form, b"garbage", 400, "cannot read form from request body: "),
        ("POST", channels, form, bytes(2 << 20), 400, "http: request body too large"),
        ("POST", channels, "multipart/form-data", b"x", 400, "cannot read form"),
        ("PATCH", channels, "", b"", 405, "invalid request method: PATCH"),
        ("POST", f"{channels}/x", "", b"", 405, "invalid request method: POST"),
        ("GET", f"{channels}/X", "", b"", 400, "invalid channel ID: 'X' contains illegal"),
        ("GET", f"{channels}/x/blocks/y", "", b"", 400, "invalid block ID: 'y' not equal"),
        ("GET", f"{channels}/x/blocks/1", "", b"", 404, "channel does not exist"),
    ):
        connection = http.client.HTTPConnection("localhost", orderer.node.admin_port)
        connection.request(method, path, body, {"Content-Type": kind} if kind else {})
        response = connection.getresponse()
        content = json.loads(response.read())
        assert (response.status, text in content["error"]) == (status, True), (path, content)
        if status == 405:
            expected = "GET, POST, PUT" if path == channels else "GET, DELETE"
            assert response.headers["Allow"] == expected
        connection.close()
    assert answer(osnadmin(orderer, "channel", "list"))[0] == 200
