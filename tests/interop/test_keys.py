# SPDX-License-Identifier: Apache-2.0
"""Which key files the real peer command signs with, and which we do."""

import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import event, given
from hypothesis import strategies as st

from fabric_tools import examples, fabric_tool, sample_config
from fastledger.common.errors import FastledgerError
from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import ChannelHeader, Envelope, Header, Payload
from fastledger.protos.common.configtx_pb2 import ConfigUpdate, ConfigUpdateEnvelope
from fastledger.tools.cryptogen import generate, spec

PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
PIECES = [
    *(b"", b"\n", b"\r\n", b" ", b"\t", b"text\n", b"-----BEGIN X-----\n", b"-----END X-----\n"),
    *(
        b"\xef\xbb\xbf",
        b"A: b\n\n",
        b"\nDEK-Info: x\n\n",
        b"=",
        b"-",
        b"\0",
        PARAMETERS,
        b"xx" * 40_000,
    ),
]


def _forms(key: ec.EllipticCurvePrivateKey) -> list[bytes]:
    plain = serialization.NoEncryption()
    password = serialization.BestAvailableEncryption(b"x")
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    pkcs8 = serialization.PrivateFormat.PKCS8
    sec1 = serialization.PrivateFormat.TraditionalOpenSSL
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, plain)
    right = [key.private_bytes(pem, pkcs8, plain), key.private_bytes(pem, sec1, plain)]
    return [
        *right,
        *(text.replace(b"\n", b"\r\n") for text in right),
        *(text.replace(b"PRIVATE KEY", b"ANY NAME") for text in right),
        *(PARAMETERS + text for text in right),
        *(text + PARAMETERS for text in right),
        *(other + text for text in right),
        *(key.private_bytes(pem, form, password) for form in (pkcs8, sec1)),
        key.private_bytes(der, pkcs8, plain),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("crypto")
    ca = spec.NodeSpec(hostname="ca", common_name="ca.org1.test")
    org = spec.OrgSpec(domain="org1.test", enable_node_ous=True, ca=ca)
    generate.generate(spec.Config((org,), ()), made, lambda _: None)
    return made / "peerOrganizations/org1.test/users/Admin@org1.test/msp"


@pytest.fixture(scope="module")
def forms(folder: Path) -> list[bytes]:
    (file,) = (folder / "keystore").iterdir()
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    file.unlink()
    return _forms(key)


@given(data=st.data())
@examples()
def test_key_files(folder: Path, forms: list[bytes], data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(forms))
    place = data.draw(st.sampled_from([0, 5, 11, 27, 28, 40, 60, len(text) - 26, len(text)]))
    cut = data.draw(st.sampled_from([0, 0, 0, 1, 30]))
    text = text[:place] + data.draw(st.sampled_from(PIECES)) + text[place + cut :]
    (folder / "keystore" / "key").write_bytes(text)
    update = folder / "update.tx"
    update.write_bytes(_update())
    environment = {
        **os.environ,
        "FABRIC_CFG_PATH": str(sample_config()),
        "CORE_PEER_LOCALMSPID": "Org1MSP",
        "CORE_PEER_MSPCONFIGPATH": str(folder),
    }
    command = [str(fabric_tool("peer")), "channel", "signconfigtx", "-f", str(update)]
    real = subprocess.run(command, env=environment, capture_output=True)
    try:
        SigningIdentity.load(folder, "Org1MSP")
    except FastledgerError:
        assert real.returncode != 0, text
    else:
        event("taken")
        assert real.returncode == 0, (text, real.stderr)


def _update() -> bytes:
    channel = ChannelHeader(type=2, channel_id="ch").SerializeToString()
    change = ConfigUpdate(channel_id="ch").SerializeToString()
    data = ConfigUpdateEnvelope(config_update=change).SerializeToString()
    payload = Payload(header=Header(channel_header=channel), data=data)
    return Envelope(payload=payload.SerializeToString()).SerializeToString()
