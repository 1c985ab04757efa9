# SPDX-License-Identifier: Apache-2.0
"""Messages as JSON and back, and updates of configurations, against Fabric's configtxlator."""

import asyncio
import hashlib
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner, Result
from google.protobuf.message import DecodeError

from corpora import OpenCorpus
from fastledger.cli.main import main
from fastledger.comm.http import HttpServer
from fastledger.common.errors import InputError, NotFound
from fastledger.protos.common import common_pb2
from fastledger.protos.common.configtx_pb2 import (
    Config,
    ConfigEnvelope,
    ConfigGroup,
    ConfigUpdate,
    ConfigUpdateEnvelope,
)
from fastledger.protos.common.policies_pb2 import SignaturePolicy
from fastledger.protos.peer import chaincode_shim_pb2
from fastledger.tools.configtxlator import protolator
from fastledger.tools.configtxlator.registry import message_type
from fastledger.tools.configtxlator.server import application
from fastledger.tools.configtxlator.update import compute_update
from tool_inputs import CORPORA, digests, inputs


def configtxlator(*arguments: str, given: bytes | str = b"") -> Result:
    return CliRunner().invoke(main, ["configtxlator", *arguments], input=given)


@pytest.mark.parametrize("name", CORPORA)
def test_the_json_is_the_real_commands(name: str, open_corpus: OpenCorpus) -> None:
    expected = digests()
    for key, kind, path in inputs(open_corpus(name)):
        message = message_type(kind).FromString(path.read_bytes())
        if expected[key] is None:
            with pytest.raises(InputError):
                protolator.to_json(message)
        else:
            text = protolator.to_json(message)
            assert hashlib.sha256(text.encode()).hexdigest() == expected[key], key


@pytest.mark.parametrize("name", CORPORA)
def test_encoding_is_the_inverse(name: str, open_corpus: OpenCorpus) -> None:
    # Not of the bytes: inside byte fields Go wrote map entries in any order.
    expected = digests()
    for key, kind, path in inputs(open_corpus(name)):
        if expected[key]:
            tree = protolator.to_tree(message_type(kind).FromString(path.read_bytes()))
            back = protolator.from_tree(tree, message_type(kind))
            assert protolator.to_tree(back) == tree, key


def channel_config(block: bytes) -> Config:
    payload = common_pb2.Payload.FromString(
        common_pb2.Envelope.FromString(common_pb2.Block.FromString(block).data.data[0]).payload
    )
    return ConfigEnvelope.FromString(payload.data).config


@pytest.mark.parametrize("name", ["v11", "v14"])
def test_the_update_is_the_one_that_the_channel_took(name: str, open_corpus: OpenCorpus) -> None:
    """Block 1 set the first organization's anchor peers."""
    blocks = open_corpus(name).blocks("peer")
    computed = compute_update("mychannel", *(channel_config(block) for block in blocks[:2]))
    envelope = common_pb2.Block.FromString(blocks[1]).data.data[0]
    payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(envelope).payload)
    last = ConfigEnvelope.FromString(payload.data).last_update
    data = common_pb2.Payload.FromString(last.payload).data
    taken = ConfigUpdate.FromString(ConfigUpdateEnvelope.FromString(data).config_update)
    # configtxgen 1.4 repeats the mod_policy that stays; configtxlator leaves it out.
    for side in (taken.read_set, taken.write_set):
        side.groups["Application"].mod_policy = ""
    assert computed == taken


def config(tree: dict[str, Any]) -> Config:
    return protolator.from_tree({"channel_group": tree}, Config)


BASE = {
    "mod_policy": "Admins",
    "version": "3",
    "values": {"Capabilities": {"version": "1", "value": {"capabilities": {"V2_0": {}}}}},
    "groups": {
        "Application": {
            "version": "2",
            "mod_policy": "Admins",
            "groups": {
                "Org1": {"version": "7", "mod_policy": "Admins"},
                "Org2": {"version": "8", "mod_policy": "Admins"},
            },
            "policies": {"Admins": {"version": "5", "mod_policy": "Admins", "policy": {"type": 3}}},
        }
    },
}


def changed(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    tree = json.loads(json.dumps(BASE))
    change(tree)
    update = compute_update("ch", config(BASE), config(tree))
    return _without_empty(protolator.to_tree(update))


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: c for k, v in value.items() if (c := _without_empty(v)) not in ("", {}, None)}
    return value


def test_a_changed_value_is_written_with_the_next_version() -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["values"]["Capabilities"]["value"]["capabilities"] = {"V3_0": {}}

    update = changed(change)
    assert update["read_set"] == {"version": "3"}
    assert update["write_set"]["version"] == "3"
    assert update["write_set"]["values"]["Capabilities"]["version"] == "2"
    assert "groups" not in update["write_set"]


def test_an_added_group_changes_its_parent_which_lists_what_stays() -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["groups"]["Application"]["groups"]["Org3"] = {"mod_policy": "Admins", "version": "4"}

    update = changed(change)
    written = update["write_set"]["groups"]["Application"]
    assert written["version"] == "3"
    assert written["mod_policy"] == "Admins"
    assert written["groups"] == {
        "Org1": {"version": "7"},
        "Org2": {"version": "8"},
        "Org3": {"version": "0", "mod_policy": "Admins"},
    }
    assert written["policies"] == {"Admins": {"version": "5"}}
    read = update["read_set"]["groups"]["Application"]
    assert read["groups"] == {"Org1": {"version": "7"}, "Org2": {"version": "8"}}
    assert read["version"] == "2"


def test_a_removed_member_is_absent_from_both_sets() -> None:
    def change(tree: dict[str, Any]) -> None:
        del tree["groups"]["Application"]["groups"]["Org2"]

    update = changed(change)
    assert update["write_set"]["groups"]["Application"]["groups"] == {"Org1": {"version": "7"}}
    assert update["read_set"]["groups"]["Application"]["groups"] == {"Org1": {"version": "7"}}


def test_no_difference_is_no_update() -> None:
    with pytest.raises(InputError, match="no differences detected between original and updated"):
        compute_update("ch", config(BASE), config(BASE))
    with pytest.raises(InputError, match="no channel group included for original config"):
        compute_update("ch", Config(), config(BASE))
    with pytest.raises(InputError, match="no channel group included for updated config"):
        compute_update("ch", config(BASE), Config())


def test_html_is_escaped_and_numbers_are_text() -> None:
    value = protolator.to_json(common_pb2.ChannelHeader(channel_id="<a&b>\u2028ö", epoch=1 << 60))
    assert '"channel_id": "\\u003ca\\u0026b\\u003e\\u2028ö"' in value
    assert '"epoch": "1152921504606846976"' in value
    assert value.startswith('{\n\t"channel_id"')
    assert value.endswith("}\n")


def test_alone_a_group_does_not_say_what_it_is() -> None:
    alone = ConfigGroup()
    alone.values["MSP"].value = b"\x0a\x00"
    assert protolator.to_tree(alone)["values"]["MSP"]["value"] == "CgA="


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        ([], "common.Config: expected a JSON object, found"),
        ({"foo": 1}, 'no field named "foo"'),
        ({"sequence": "x"}, "sequence"),
        ({"channel_group": 3}, "expected a JSON object, found 3"),
        ({"channel_group": {"values": []}}, "common.ConfigGroup.values: expected a JSON object"),
        ({"channel_group": {"values": {"X": {"value": {}}}}}, "Channel ConfigValue name: X"),
        ({"channel_group": {"groups": {"X": {}}}}, "unknown Channel sub-group 'X'"),
        (
            {"channel_group": {"groups": {"Orderer": {"groups": {"O": {"groups": {"P": {}}}}}}}},
            "unknown Orderer Org sub-group 'P'",
        ),
        (
            {"channel_group": {"policies": {"P": {"policy": {"type": 9, "value": {}}}}}},
            "common.Policy: value: what it holds is not known",
        ),
    ],
)
def test_wrong_json_is_named(tree: Any, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        protolator.from_tree(tree, Config)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            (
                '{"channel_group":{"groups":{"Application":{"groups":{"Org1":{"values":{"MSP":'
                '{"value":{"config":{"name":5}}}}}}}}}}'
            ),
            (
                "common.Config: channel_group.groups[Application].groups[Org1].values[MSP].value"
                ".config.name: invalid value for a field of type string: 5"
            ),
        ),
        (
            '{"channel_group":{"groups":{"Application":{"values":{"MSP":{"value":{}}}}}}}',
            "channel_group.groups[Application].values[MSP].value: unknown Application ConfigValue",
        ),
        (
            (
                '{"channel_group":{"policies":{"A":{"policy":{"type":1,"value":{"identities":'
                '[{"principal":{"role":"PEERX"}}]}}}}}}'
            ),
            "policies[A].policy.value.identities[0].principal.role: invalid value for a field",
        ),
        ('{"channel_group":{"mod_policy":5}}', "channel_group.mod_policy: invalid value"),
        ('{"channel_group":{"groups":null}}', "channel_group.groups: common.ConfigGroup.groups"),
        ('{"channel_group":{"values":{"A":null}}}', "channel_group.values[A]: expected a JSON"),
        ('{"sequence":"1","x":{}}', 'common.Config has no field named "x"'),
        ('{"channelGroup":{},"channelGroup":5}', "channelGroup: expected a JSON object, found 5"),
        ("null", "common.Config: expected a JSON object, found null"),
        ("[]", "json: cannot unmarshal array into"),
        ("", "error unmarshaling intermediate JSON: EOF"),
        ('{"sequence":', "error unmarshaling intermediate JSON: unexpected EOF"),
        ('\ufeff{"sequence":"1"}', "invalid character '\u00ef' looking for beginning of value"),
        ('{"sequence":NaN}', "invalid character 'N' looking for beginning of value"),
    ],
)
def test_the_place_of_what_is_wrong_is_named(text: str, problem: str) -> None:
    result = configtxlator("proto_encode", "--type", "common.Config", given=text.encode())
    assert result.exit_code == 1
    assert problem in result.output


def test_what_cannot_be_shown_is_named_with_its_place() -> None:
    config = Config()
    group = config.channel_group.groups["Application"].groups["Org1"]
    group.values["MSP"].value = b"\xff"
    with pytest.raises(InputError) as raised:
        protolator.to_json(config)
    place = "channel_group.groups[Application].groups[Org1].values[MSP].value: not an encoded"
    assert place in str(raised.value)


@pytest.mark.parametrize(
    ("text", "sequence"),
    [
        ('{"sequence":"1"} trailing', 1),
        ('{"sequence":5,"sequence":"6"}{', 6),
        ('{"sequence":1e2}', 100),
        ('{"sequence":"1.50e1"}', 15),
        ('{"sequence":10e-1}', 1),
        ('{"sequence":-0}', 0),
        ('{"sequence":18446744073709551615}', 2**64 - 1),
        ('{"sequence":null,"channel_group":null}', 0),
    ],
)
def test_numbers_as_protojson_has_them(text: str, sequence: int) -> None:
    assert protolator.from_json(text, Config).sequence == sequence


@pytest.mark.parametrize(
    "text",
    ['"1.5"', "1.5", "15e-1", '" 1"', '"0x1"', '"1_000"', "true", "18446744073709551616", '"-1"'],
)
def test_numbers_that_protojson_refuses(text: str) -> None:
    with pytest.raises(InputError, match="sequence: invalid value for a field of type uint64"):
        protolator.from_json(f'{{"sequence":{text}}}', Config)


@pytest.mark.parametrize(
    ("text", "value"), [('"YQ"', b"a"), ('"YQ=="', b"a"), ('"_-4="', b"\xff\xee"), ('""', b"")]
)
def test_bytes_in_either_alphabet(text: str, value: bytes) -> None:
    read = protolator.from_json(f'{{"tls_cert_hash":{text}}}', common_pb2.ChannelHeader)
    assert read.tls_cert_hash == value


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("2020-01-01T00:00:00Z", 1577836800, 0),
        ("2020-01-01T01:00:00.5+01:00", 1577836800, 500_000_000),
        ("1969-12-31T23:59:59.000000001-00:00", -1, 1),
        ("0001-01-01T00:00:00Z", -62135596800, 0),
    ],
)
def test_times(text: str, seconds: int, nanos: int) -> None:
    header = protolator.from_json(f'{{"timestamp":"{text}"}}', common_pb2.ChannelHeader)
    assert (header.timestamp.seconds, header.timestamp.nanos) == (seconds, nanos)


@pytest.mark.parametrize(
    "text",
    ["2020-13-01T00:00:00Z", "2020-01-01", "2020-01-01T00:00:00.1234567890Z", "x", "10000-01-01"],
)
def test_wrong_times(text: str) -> None:
    with pytest.raises(InputError, match=r"timestamp: .*google\.protobuf\.Timestamp"):
        protolator.from_json(f'{{"timestamp":"{text}"}}', common_pb2.ChannelHeader)


def test_nesting_is_bounded() -> None:
    envelope = common_pb2.Envelope()
    for _ in range(200):
        header = common_pb2.ChannelHeader(type=common_pb2.ORDERER_TRANSACTION)
        payload = common_pb2.Payload(data=envelope.SerializeToString())
        payload.header.channel_header = header.SerializeToString()
        envelope = common_pb2.Envelope(payload=payload.SerializeToString())
    with pytest.raises(InputError, match="nested deeper than"):
        protolator.to_json(envelope)
    tree: dict[str, Any] = {}
    for _ in range(200):
        tree = {"payload": {"header": {"channel_header": {"type": 4}}, "data": tree}}
    with pytest.raises(InputError, match="nested deeper than"):
        protolator.from_tree(tree, common_pb2.Envelope)
    with pytest.raises(InputError, match="error unmarshaling intermediate JSON"):
        protolator.from_json("[" * 100_000, Config)


def test_any_bytes_are_shown_or_refused(open_corpus: OpenCorpus) -> None:
    blocks = open_corpus("v14").blocks("peer")
    chance = random.Random(7)
    shown = 0
    for block in blocks * 20:
        mutated = bytearray(block)
        for _ in range(chance.randrange(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        try:
            protolator.to_json(common_pb2.Block.FromString(bytes(mutated)))
            shown += 1
        except (InputError, DecodeError):
            continue
    assert shown > 20


def test_times_out_of_range_are_refused() -> None:
    header = common_pb2.ChannelHeader()
    header.timestamp.seconds = 1 << 60
    with pytest.raises(InputError, match="Timestamp"):
        protolator.to_json(header)
    header.timestamp.seconds, header.timestamp.nanos = 0, -1
    with pytest.raises(InputError, match="Timestamp"):
        protolator.to_json(header)


def test_oneofs_are_shown_as_they_are() -> None:
    rule = SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=1))
    rule.n_out_of.rules.add(signed_by=0)
    tree = protolator.to_tree(rule)
    assert tree == {"n_out_of": {"n": 1, "rules": [{"signed_by": 0}]}}
    assert protolator.from_tree(tree, SignaturePolicy) == rule


def test_types_are_found_by_name() -> None:
    assert message_type("protos.ChaincodeMessage") is chaincode_shim_pb2.ChaincodeMessage
    for name in ("msp.MSPConfig", "etcdraft.ConfigMetadata", "kvrwset.KVRWSet", "gossip.Envelope"):
        assert message_type(name).DESCRIPTOR.full_name == name
    with pytest.raises(NotFound):
        message_type("common.Foo")


def test_the_commands_are_pipes(open_corpus: OpenCorpus, tmp_path: Path) -> None:
    folder = open_corpus("v14").folder
    block = folder / "artifacts" / "genesis.block"
    decoded = configtxlator("proto_decode", "--type", "common.Block", f"--input={block}")
    assert decoded.exit_code == 0
    digest = hashlib.sha256(decoded.stdout_bytes).hexdigest()
    assert digest == digests()["v14/artifacts/genesis.block"]
    encoded = configtxlator("proto_encode", "--type=common.Block", given=decoded.stdout_bytes)
    again = configtxlator("proto_decode", "--type", "common.Block", given=encoded.stdout_bytes)
    assert again.stdout_bytes == decoded.stdout_bytes

    blocks = open_corpus("v14").blocks("peer")
    paths = [tmp_path / "original.pb", tmp_path / "updated.pb", tmp_path / "update.pb"]
    for path, number in zip(paths[:2], (0, 1), strict=True):
        path.write_bytes(channel_config(blocks[number]).SerializeToString())
    computed = configtxlator(
        "compute_update",
        f"--original={paths[0]}",
        f"--updated={paths[1]}",
        "--channel_id=mychannel",
        f"--output={paths[2]}",
    )
    assert (computed.exit_code, computed.output) == (0, "")
    shown = configtxlator("proto_decode", "--type=common.ConfigUpdate", f"--input={paths[2]}")
    assert json.loads(shown.output)["channel_id"] == "mychannel"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["proto_decode"], "configtxlator: error: required flag --type not provided, try --help"),
        (
            ["proto_decode", "--type=common.Config", "--input=nope"],
            "configtxlator: error: open nope: no such file or directory, try --help",
        ),
        (["proto_decode", "--type=foo.Bar"], "configtxlator: error: Error decoding: "),
        (["proto_encode", "--type=common.Config"], "configtxlator: error: Error decoding: "),
        (["compute_update"], "required flag --original not provided"),
        (
            [
                "compute_update",
                "--original=/dev/null",
                "--updated=/dev/null",
                "--channel_id=x",
            ],
            "Error computing update: error computing config update: no channel group included",
        ),
    ],
)
def test_errors(arguments: list[str], text: str) -> None:
    result = configtxlator(*arguments)
    assert text in result.output
    assert result.exit_code == 1


def serve(work: Callable[[aiohttp.ClientSession, str], Awaitable[None]], *cors: str) -> None:
    async def go() -> None:
        server = HttpServer("127.0.0.1:0", application(cors))
        await server.start()
        try:
            async with aiohttp.ClientSession() as session:
                await work(session, f"http://127.0.0.1:{server.port}")
        finally:
            await server.stop()

    asyncio.run(go())


def test_the_service_translates(open_corpus: OpenCorpus) -> None:
    block = (open_corpus("v14").folder / "artifacts" / "genesis.block").read_bytes()

    async def work(session: aiohttp.ClientSession, url: str) -> None:
        async with session.post(f"{url}/protolator/decode/common.Block", data=block) as answer:
            text = await answer.read()
            assert hashlib.sha256(text).hexdigest() == digests()["v14/artifacts/genesis.block"]
        async with session.post(f"{url}/protolator/encode/common.Block", data=text) as answer:
            encoded = common_pb2.Block.FromString(await answer.read())
            assert protolator.to_json(encoded).encode() == text
        for path, status in (
            ("/protolator/decode/common.Foo", 404),
            ("/protolator/encode/common.Foo", 404),
            ("/protolator/decode/common.Block", 400),
            ("/protolator/encode/common.Block", 400),
            ("/configtxlator/compute/update-from-configs", 400),
        ):
            async with session.post(f"{url}{path}", data=b"\xff") as answer:
                assert answer.status == status
        async with session.get(f"{url}/protolator/decode/common.Block") as answer:
            assert answer.status == 405

    serve(work)


def test_the_service_computes_updates(open_corpus: OpenCorpus) -> None:
    configs = [channel_config(block) for block in open_corpus("v14").blocks("peer")[:2]]
    expected = compute_update("mychannel", *configs)

    async def work(session: aiohttp.ClientSession, url: str) -> None:
        url += "/configtxlator/compute/update-from-configs"
        for same in (False, True):
            form = aiohttp.FormData({"channel": "mychannel"})
            for name, config in zip(("original", "updated"), configs, strict=True):
                sent = (configs[0] if same else config).SerializeToString()
                form.add_field(name, sent, filename=f"{name}.pb")
            async with session.post(url, data=form) as answer:
                body = await answer.read()
                if same:
                    assert answer.status == 400
                    assert body.startswith(b"Error computing update: no differences detected")
                else:
                    assert type(expected).FromString(body) == expected

    serve(work)


def test_pages_of_named_origins_may_call() -> None:
    async def work(session: aiohttp.ClientSession, url: str) -> None:
        url += "/protolator/encode/common.Config"
        for origin, allowed in (("http://a", "http://a"), ("http://b", None)):
            headers = {"Origin": origin}
            async with session.post(url, data=b"{}", headers=headers) as answer:
                assert answer.headers.get("Access-Control-Allow-Origin") == allowed
            async with session.options(url, headers=headers) as answer:
                assert answer.headers.get("Access-Control-Allow-Origin") == allowed

    serve(work, "http://a")


PIECES = [
    *(b"--b\r\n", b"--b--\r\n", b"\r\n", b"abc", b"\xff\x00", b": x\r\n", b"--c\r\n"),
    b'Content-Disposition: form-data; name="original"; filename="x"\r\n',
    b'Content-Disposition: form-data; name="updated"\r\n',
    *(b"Content-Disposition: \r\n", b"Content-Length: x\r\n", b"Content-Encoding: gzip\r\n"),
    b"Content-Type: multipart/mixed; boundary=c\r\n",
    *(b"Content-Type: text/plain; charset=foo\r\n", b"Content-Transfer-Encoding: zip\r\n"),
]
KINDS = ["multipart/form-data; boundary=b", "multipart/form-data", "text/plain", ""]


def test_forms_that_are_none_are_the_clients_fault() -> None:
    chance = random.Random(3)

    async def work(session: aiohttp.ClientSession, url: str) -> None:
        url += "/configtxlator/compute/update-from-configs"
        for _ in range(150):
            body = b"".join(chance.choices(PIECES, k=chance.randrange(8)))
            headers = {"Content-Type": chance.choice(KINDS)}
            async with session.post(url, data=body, headers=headers) as answer:
                assert answer.status == 400, body
                assert (await answer.text()).startswith("Error with field 'original'")

    serve(work)
