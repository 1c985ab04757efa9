# SPDX-License-Identifier: Apache-2.0
"""Typed contracts, values, keys, identities, and the mock."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from corpora import ROOT
from fastledger import shim
from fastledger.protos.common.policies_pb2 import SignaturePolicyEnvelope
from fastledger.protos.msp.msp_principal_pb2 import MSPRole
from fastledger.shim import keys
from fastledger.shim.__main__ import UNLOADABLE
from fastledger.shim.values import WrongValue, decode, encode

EXAMPLES = ROOT / "examples" / "chaincode"


def example(name: str) -> ModuleType:
    path = EXAMPLES / name / "chaincode.py"
    spec = importlib.util.spec_from_file_location(f"example_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Point:
    x: int
    y: int = 0


class Sample(shim.Contract):
    @shim.transaction
    def Add(self, ctx: shim.Context, left: int, right: float = 1) -> float:
        return left + right

    @shim.query(name="shapes")
    def shapes(
        self, ctx: shim.Context, points: list[Point], note: str | None = None
    ) -> list[Point]:
        return [*points, Point(9)]

    @shim.transaction
    def Fail(self, ctx: shim.Context) -> None:
        ctx.stub.put_state("k", b"v")
        raise shim.ChaincodeFailed("as asked")

    @shim.transaction
    def Everything(self, ctx: shim.Context) -> str:
        stub = ctx.stub
        stub.put_private_data("coll", "p", stub.get_transient()["t"])
        stub.set_state_validation_parameter("k", b"policy")
        stub.set_event("e", b"payload")
        return f"{stub.get_tx_timestamp().isoformat()} {len(stub.get_binding())}"

    def hidden(self, ctx: shim.Context) -> None:
        raise AssertionError


def test_arguments_are_read_by_their_hints() -> None:
    mock = shim.MockStub(Sample())
    assert mock.invoke("Add", "1", "2.5").payload == b"3.5"
    assert mock.invoke("Sample:Add", "1").payload == b"2"
    shapes = mock.invoke("shapes", '[{"x":1,"y":2}]')
    assert shapes.payload == b'[{"x":1,"y":2},{"x":9,"y":0}]'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Add",), "Add takes 1 to 2 arguments (left: int, right: float), 0 given"),
        (("Add", "1", "2", "3"), "Add takes 1 to 2 arguments (left: int, right: float), 3 given"),
        (("Add", "one"), "Add: left: 'one' is no int"),
        (("Add", "1.5"), "Add: left: '1.5' is no int"),
        (("Add", "true"), "Add: left: 'true' is no int"),
        (("shapes", '[{"z":1}]'), "shapes: points: Point has no z"),
        (("shapes", '[{"x":"a"}]'), "shapes: points: x: '\"a\"' is no int"),
        (("hidden",), "there is no function 'hidden'; there are Add, Everything, Fail, shapes"),
        (("Other:Add", "1"), "there is no function 'Other:Add'"),
        (("Add", b"\xff"), "Add: left: is no UTF-8 text"),
        (("Add", "[" * 100_000), "Add: left: "),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple, message: str) -> None:
    response = shim.MockStub(Sample()).invoke(*arguments)
    assert response.status == 500
    assert response.message.startswith(message)


def test_a_failed_transaction_writes_nothing() -> None:
    mock = shim.MockStub(Sample())
    assert mock.invoke("Fail").message == "as asked"
    assert mock.state == {}


def test_what_a_transaction_knows() -> None:
    mock = shim.MockStub(Sample())
    told = mock.invoke("Everything", transient={"t": b"secret"})
    assert told.payload == b"2024-01-01T00:00:00+00:00 32"
    assert mock.state == {("coll", "p"): b"secret"}
    assert mock.metadata == {("", "k"): {"VALIDATION_PARAMETER": b"policy"}}
    assert [event.event_name for event in mock.events] == ["e"]


def test_metadata_describes_the_contract() -> None:
    told = shim.MockStub(Sample()).invoke("org.hyperledger.fabric:GetMetadata")
    described = json.loads(told.payload)["contracts"]["Sample"]["transactions"]
    assert [one["name"] for one in described] == ["Add", "Everything", "Fail", "shapes"]
    assert described[0]["returns"] == {"type": "number"}


def test_results_are_the_same_for_every_endorser() -> None:
    assert encode({"b": [1, Point(1)], "a": "ü"}) == '{"a":"ü","b":[1,{"x":1,"y":0}]}'.encode()
    assert (encode(None), encode(b"\xff"), encode("t"), encode(True)) == (
        b"",
        b"\xff",
        b"t",
        b"true",
    )
    with pytest.raises(ValueError, match="Out of range"):
        encode(float("nan"))
    with pytest.raises(TypeError):
        encode({1, 2})


@pytest.mark.parametrize(
    ("text", "hint"),
    [("1", bool), ("null", int), ("{}", list[int]), ('[1,"a"]', list[int]), ("1e400", int)],
)
def test_values_of_another_type_are_refused(text: str, hint: object) -> None:
    with pytest.raises(WrongValue):
        decode(text.encode(), hint)


def test_composite_keys() -> None:
    key = keys.create("owner~asset", ["Max", ""])
    assert key == "\x00owner~asset\x00Max\x00\x00"
    assert keys.split(key) == ("owner~asset", ["Max", ""])
    assert keys.range_of("a", []) == ("\x00a\x00", "\x00a\x00\U0010ffff")
    for bad in ("a\x00", "\U0010ffff"):
        with pytest.raises(ValueError, match="not allowed in the input attribute"):
            keys.create("t", [bad])
    with pytest.raises(ValueError, match="no composite key"):
        keys.split("simple")
    with pytest.raises(ValueError, match="null character"):
        keys.check_simple("\x00a")


def test_key_policies() -> None:
    policy = shim.KeyEndorsementPolicy()
    policy.add_orgs("PEER", "Org2MSP", "Org1MSP")
    policy.add_orgs("MEMBER", "Org3MSP")
    policy.del_orgs("Org3MSP")
    envelope = SignaturePolicyEnvelope.FromString(policy.policy())
    assert envelope.rule.n_out_of.n == 2
    roles = [MSPRole.FromString(one.principal) for one in envelope.identities]
    assert [(role.msp_identifier, role.role) for role in roles] == [
        ("Org1MSP", MSPRole.PEER),
        ("Org2MSP", MSPRole.PEER),
    ]
    with pytest.raises(ValueError, match="role type ADMIN does not exist"):
        policy.add_orgs("ADMIN", "Org1MSP")


def test_the_asset_transfer_example() -> None:
    mock = shim.MockStub(example("asset_transfer").AssetTransfer())
    assert mock.invoke("InitLedger").status == 200
    assert mock.invoke("ReadAsset", "asset1").payload == (
        b'{"AppraisedValue":300,"Color":"blue","ID":"asset1","Owner":"Tomoko","Size":5}'
    )
    assert mock.state[("", "asset1")] == mock.invoke("ReadAsset", "asset1").payload
    assert mock.invoke("TransferAsset", "asset1", "Ann").payload == b"Tomoko"
    assert mock.invoke("CreateAsset", "asset7", "red", "1", "Bob", "9").status == 200
    again = mock.invoke("CreateAsset", "asset7", "red", "1", "Bob", "9")
    assert again.message == "the asset asset7 already exists"
    assert mock.invoke("UpdateAsset", "asset7", "red", "2", "Bob", "9").status == 200
    assert mock.invoke("DeleteAsset", "asset7").status == 200
    assert mock.invoke("AssetExists", "asset7").payload == b"false"
    assert len(json.loads(mock.invoke("GetAllAssets").payload)) == 6
    assert mock.invoke("ReadAsset", "none").message == "the asset none does not exist"


def test_the_account_example() -> None:
    mock = shim.MockStub(example("account").Account())
    assert mock.init("init", "a", "100", "b", "200").status == 200
    assert mock.invoke("query", "a").payload == b"100"
    assert mock.invoke("invoke", "a", "b", "10").status == 200
    assert (mock.invoke("query", "a").payload, mock.invoke("query", "b").payload) == (b"90", b"210")
    assert mock.invoke("delete", "a").status == 200
    assert mock.invoke("query", "a").message == '{"Error":"Nil amount for a"}'
    assert mock.init("init", "a", "x", "b", "1").status == 500
    assert "Expecting" in mock.invoke("nothing").message


def test_the_token_example(client_certificate: bytes) -> None:
    token = example("token_erc20").TokenERC20()
    mock = shim.MockStub(token, certificate=client_certificate)
    assert "Initialize()" in mock.invoke("Mint", "5").message
    assert mock.invoke("Initialize", "Coin", "C", "2").payload == b"true"
    assert mock.invoke("Mint", "5000").status == 200
    account = mock.invoke("ClientAccountID").payload.decode()
    assert mock.invoke("Transfer", "bob", "1200").status == 200
    assert mock.invoke("BalanceOf", account).payload == b"3800"
    assert mock.invoke("BalanceOf", "bob").payload == b"1200"
    assert "insufficient funds" in mock.invoke("Transfer", "bob", "9999").message
    assert mock.invoke("Approve", account, "50").status == 200
    assert mock.invoke("Allowance", account, account).payload == b"50"
    assert mock.invoke("TransferFrom", account, "ann", "40").status == 200
    assert mock.invoke("Allowance", account, account).payload == b"10"
    assert mock.invoke("Burn", "60").status == 200
    assert mock.invoke("TotalSupply").payload == b"4940"
    assert [event.event_name for event in mock.events][:2] == ["Transfer", "Transfer"]
    mock.creator.mspid = "Org2MSP"
    assert "not authorized" in mock.invoke("Mint", "5").message


def test_the_clients_identity(client_certificate: bytes) -> None:
    class Who(shim.Contract):
        @shim.query
        def Ask(self, ctx: shim.Context) -> list[object]:
            who = ctx.client_identity
            return [who.mspid, who.id, who.attributes["role"], who.has_ou("client")]

        @shim.query
        def Assert(self, ctx: shim.Context, name: str, value: str) -> None:
            ctx.client_identity.assert_attribute_value(name, value)

    mock = shim.MockStub(Who(), certificate=client_certificate)
    mspid, identity, role, client = json.loads(mock.invoke("Ask").payload)
    assert (mspid, role, client) == ("Org1MSP", "buyer", True)
    import base64

    assert base64.b64decode(identity).decode() == (
        r"x509::CN=user1,OU=client+OU=org1\, inc,C=US::CN=ca.org1"
    )
    assert mock.invoke("Assert", "role", "buyer").status == 200
    assert mock.invoke("Assert", "role", "x").message == "attribute 'role' equals 'buyer', not 'x'"
    assert mock.invoke("Assert", "no", "x").message == "attribute 'no' was not found"


def test_the_shim_brings_nothing_heavy_along() -> None:
    code = (
        "import sys, fastledger.shim.runtime, fastledger.shim.contract\n"
        "heavy = ('fastledger.ledger', 'fastledger.common', 'cryptography', 'asyncio.subprocess')\n"
        "print([name for name in sys.modules if name.startswith(heavy[:3])])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("nothing", "No module named 'nothing'"),
        ("shim_test_module:Nothing", "is no shim.Chaincode"),
        ("shim_test_module", "has to have one chaincode, it has A, B"),
        ("shim_test_module:A", "CORE_CHAINCODE_ID_NAME (or CHAINCODE_ID) is not set"),
    ],
)
def test_the_command_line_says_what_is_wrong(tmp_path: Path, entry: str, says: str) -> None:
    (tmp_path / "shim_test_module.py").write_text(
        "from fastledger import shim\nclass A(shim.Contract): pass\nclass B(shim.Contract): pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "fastledger.shim", "start", entry],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={},
    )
    assert done.returncode == (1 if "_ID_NAME" in says else UNLOADABLE)
    assert says in done.stderr
