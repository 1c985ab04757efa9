# SPDX-License-Identifier: Apache-2.0
"""Arguments and files that are JSON: constructors, transient maps, collections."""

from pathlib import Path

import pytest

from fastledger.cli.peer.arguments import chaincode_args, transient_map
from fastledger.cli.peer.cobra import UsageFailed
from fastledger.cli.peer.collections import collections
from fastledger.common.errors import InputError


@pytest.mark.parametrize(
    ("ctor", "args"),
    [
        ('{"Args":["f","a"]}', [b"f", b"a"]),
        ('{"ARGS":["f"]}', [b"f"]),
        ('{"function":"f","args":["a"]}', [b"f", b"a"]),
        ('{"Function":"","Args":["a"]}', [b"a"]),
        ('{"Function":null,"Args":null}', []),
        ('{"Args":["f",null]}', [b"f", b""]),
        ('{"Args":["f","\\ud800"]}', [b"f", "\ufffd".encode()]),
        ('{"Args":["\udcff"]}', ["\ufffd".encode()]),
        ('{"Args":["<>&"]}', [b"<>&"]),
    ],
)
def test_constructors(ctor: str, args: list[bytes]) -> None:
    assert chaincode_args(ctor) == args


@pytest.mark.parametrize(
    ("ctor", "error"),
    [
        ("{}", "empty JSON chaincode parameters"),
        ("{ }", "non-empty JSON chaincode parameters"),
        ("[]", "non-empty JSON chaincode parameters"),
        ("null", "non-empty JSON chaincode parameters"),
        ('{"Args":[],"x":1}', "must contain the following keys"),
        ('{"Args":[],"args":[]}', "must contain the following keys"),
        ('{"Arg\u017f":[]}', "must contain the following keys"),
        ('{"Args":["a"]} x', "chaincode argument error: invalid character 'x' after top-level"),
        ('\ufeff{"Args":["a"]}', "chaincode argument error: invalid character"),
        ("", "chaincode argument error: unexpected end of JSON input"),
        ('{"Args":[1]}', "json: cannot unmarshal number into Go struct field .Args of type string"),
        ('{"Args":"a"}', "cannot unmarshal string into Go struct field .Args of type []string"),
        ('{"Args":[["a"]]}', "cannot unmarshal array into Go struct field .Args of type string"),
        ('{"Args":[],"Function":5}', "number into Go struct field .Function of type string"),
        ('{"Args":[1e400]}', "number 1e400 into Go value of type float64"),
        ('{"Args":' + "[" * 2000 + "]" * 2000 + "}", "array into Go struct field .Args"),
        ('{"Args":' + "[" * 100_000, "exceeded max depth"),
    ],
)
def test_wrong_constructors(ctor: str, error: str) -> None:
    with pytest.raises((UsageFailed, InputError)) as raised:
        chaincode_args(ctor)
    assert error in str(raised.value)


def test_transient_maps() -> None:
    assert transient_map("") == {}
    assert transient_map("null") == {}
    assert transient_map('{"a":"YWJj","b":null,"c":"","A":"YQ=="}') == {
        "a": b"abc",
        "b": b"",
        "c": b"",
        "A": b"a",
    }
    assert transient_map('{"a":"YW\\nJj"}') == {"a": b"abc"}
    assert transient_map('{"\\ud800":"YQ=="}') == {"\ufffd": b"a"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('["a"]', "cannot unmarshal array into Go value of type map[string][]uint8"),
        ('{"a":1}', "cannot unmarshal number into Go value of type []uint8"),
        ('{"a":"b"}', "illegal base64 data at input byte 0"),
        ('{"a":"YQ"}', "illegal base64 data at input byte"),
        ('{"a":"_-_-"}', "illegal base64 data at input byte 0"),
        ("{", "unexpected end of JSON input"),
        ("[" * 100_000, "exceeded max depth"),
    ],
)
def test_wrong_transient_maps(text: str, error: str) -> None:
    with pytest.raises(InputError) as raised:
        transient_map(text)
    assert str(raised.value).startswith("error parsing transient string: ")
    assert error in str(raised.value)


def _file(folder: Path, content: str | bytes) -> str:
    path = folder / "collections.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_collections_in_any_letter_case(tmp_path: Path) -> None:
    content = (
        '[{"Name":"c1","POLICY":"OR(\'A.member\')","requiredpeercount":null,"MaxPeerCount":3,'
        '"blockToLive":18446744073709551615,"memberOnlyRead":true,"unknown":[{}],'
        '"EndorsementPolicy":{"SignaturePolicy":"OR(\'A.peer\')","channelConfigPolicy":null}},'
        '{"name":"c2","policy":"OR(\'A.member\')","endorsementPolicy":null},'
        '{"name":"c3","policy":"OR(\'A.member\')","endorsementPolicy":{}}]'
    )
    read = collections(_file(tmp_path, content))
    assert read is not None
    first, second, third = (one.static_collection_config for one in read.config)
    assert (first.name, first.required_peer_count, first.maximum_peer_count) == ("c1", 0, 3)
    assert (first.block_to_live, first.member_only_read) == (2**64 - 1, True)
    assert first.endorsement_policy.signature_policy.identities
    assert (second.maximum_peer_count, second.HasField("endorsement_policy")) == (1, False)
    assert not third.HasField("endorsement_policy")
    assert collections("") is None
    for empty in ("[]", "null"):
        assert collections(_file(tmp_path, empty)) is not None


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (
            '[{"name":"c1","policy":"OR(\'A.member\')","endorsementPolicy":"OR(\'A.member\')"}]',
            "string into Go struct field collectionConfigJson.endorsementPolicy of type chaincode.",
        ),
        ('[{"name":"c1"}]', "collection 1 ('c1'): invalid policy "),
        ('[{"name":"c1","policy":"x("}]', "collection 1 ('c1'): invalid policy x("),
        (
            (
                '[{"name":"c","policy":"OR(\'A.member\')","endorsementPolicy":'
                '{"signaturePolicy":"x","channelConfigPolicy":"y"}}]'
            ),
            "cannot specify both",
        ),
        ('{"name":"c1"}', "cannot unmarshal object into Go value of type []chaincode."),
        ('["c1"]', "cannot unmarshal string into Go value of type chaincode.collectionConfigJson"),
        ('[{"name":5}]', "number into Go struct field collectionConfigJson.name of type string"),
        ('[{"maxPeerCount":"1"}]', "string into Go struct field collectionConfigJson.maxPeerCount"),
        ('[{"maxPeerCount":2147483648}]', "number 2147483648 into Go struct field"),
        ('[{"blockToLive":-1}]', "number -1 into Go struct field collectionConfigJson.blockToLive"),
        ('[{"memberOnlyRead":"true"}]', "string into Go struct field"),
        (b"\xef\xbb\xbf[]", "invalid character"),
        ("[] trailing", "after top-level value"),
        ("", "unexpected end of JSON input"),
    ],
)
def test_wrong_collections(tmp_path: Path, content: str | bytes, error: str) -> None:
    file = _file(tmp_path, content)
    with pytest.raises(InputError) as raised:
        collections(file)
    assert f"invalid collection configuration in file {file}: " in str(raised.value)
    assert error in str(raised.value)


def test_a_collections_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"could not read file .*No such file"):
        collections(str(tmp_path / "none.json"))
