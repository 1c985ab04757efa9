# SPDX-License-Identifier: Apache-2.0
"""Connection profiles, as Fabric's ``peer`` reads them."""

from pathlib import Path

import pytest

from fastledger.cli.peer import connection_profile
from fastledger.common.errors import InputError

PROFILE = """
name: 1.0
version: 1.0
channels:
  010: {peers: {p0: {endorsingPeer: yes}, p1: {endorsingPeer: off}, p2: ~}}
peers:
  p0:
    url: grpcs://p0:7051
    grpcOptions: {ssl-target-name-override: p0, 1: [a]}
    tlsCACerts: {path: 01.pem}
  p1: {url: p1:7051}
unknown: [x]
---
peers: 7
"""


def test_what_peer_needs(tmp_path: Path) -> None:
    file = tmp_path / "profile.yaml"
    file.write_text(PROFILE)
    profile = connection_profile.load(str(file))
    assert profile.version == "1.0"
    assert [
        (name, peer.endorsing_peer) for name, peer in profile.channels["010"].peers.items()
    ] == [("p0", True), ("p1", False), ("p2", False)]
    assert [peer.address for peer in profile.peers.values()] == ["p0:7051", "p1:7051"]
    assert profile.peers["p0"].tls_ca_certs.path == "01.pem"
    assert profile.peers["p0"].grpc_options == {"ssl-target-name-override": "p0", "1": ["a"]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("peers: [p0]", "line 1: peers: expected a mapping, found a list"),
        ("channels: {ch: {peers: {p0: {endorsingPeer: 1}}}}", "endorsingPeer: expected true or"),
        ("client: {tls: {enabled: maybe}}", "client.tls.enabled: expected true or false"),
        ("---\n", "the document is null"),
        ("peers: [", "cannot be read as YAML"),
    ],
)
def test_what_is_wrong_is_named(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "profile.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=f"error reading connection profile .*{problem}"):
        connection_profile.load(str(file))
