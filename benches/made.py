# SPDX-License-Identifier: Apache-2.0
"""Generated channels with the keys of their networks, so that real nodes can run in them."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from deliver import Source

import fastledger
from fastledger.bench.workload import Identity, Workload, generate
from fastledger.ledger import sources
from fastledger.tools.cryptogen.ca import key_pem

NODE_OUS = """NodeOUs:
  Enable: true
  ClientOUIdentifier: {OrganizationalUnitIdentifier: client}
  PeerOUIdentifier: {OrganizationalUnitIdentifier: peer}
  AdminOUIdentifier: {OrganizationalUnitIdentifier: admin}
  OrdererOUIdentifier: {OrganizationalUnitIdentifier: orderer}
"""


def generated(spec: dict[str, object], folder: Path) -> Source:
    """Make a channel, and say which commit hash must come out.

    That is what our sequential engine makes of it, with the verdicts that the generator predicts.
    """
    folder.mkdir(parents=True)
    workload = generate(spec, folder)
    write_identities(workload.identities, folder / "crypto")
    with sources.open(workload.path) as source:
        blocks = list(source)
    return Source(_name(workload), blocks, folder / "crypto", _judged(workload, blocks, folder))


def _name(workload: Workload) -> str:
    policy = workload.spec["endorsement_policy"]
    return f"generated, {policy['required']} of {policy['organizations']}"


def _judged(workload: Workload, blocks: list[bytes], folder: Path) -> bytes:
    predicted = [bytes.fromhex(line) for line in workload.predicted.read_text("ascii").split()]
    with fastledger.open(folder / "judged", engine="sequential") as ledger:
        codes = [commit.filter for commit in ledger.commit_all(blocks)]
        commit_hash = ledger.last_commit_hash
    if codes != predicted or commit_hash is None:
        raise SystemExit("the generated channel did not get the verdicts that were predicted")
    return commit_hash


def write_identities(identities: Sequence[Identity], folder: Path) -> None:
    """Write everybody's MSP as cryptogen does, and the orderer's TLS pair."""
    *members, tls = identities
    for member in members:
        _write_msp(_folder(member, folder) / "msp", member)
    place = _folder(tls, folder) / "tls"
    place.mkdir()
    (place / "server.crt").write_text(tls.certificate)
    (place / "server.key").write_bytes(_pem(tls.key))


def _folder(member: Identity, folder: Path) -> Path:
    name = member.name
    if member.mspid == "OrdererMSP":
        return folder / "ordererOrganizations" / "example.com" / "orderers" / name
    kind, domain = ("users", name.partition("@")[2])
    if not domain:
        kind, domain = ("peers", name.partition(".")[2])
    return folder / "peerOrganizations" / domain / kind / name


def _write_msp(msp: Path, member: Identity) -> None:
    files = {
        "cacerts/ca.pem": member.ca.encode(),
        f"signcerts/{member.name}-cert.pem": member.certificate.encode(),
        "keystore/priv_sk": _pem(member.key),
        "config.yaml": NODE_OUS.encode(),
    }
    for name, content in files.items():
        (msp / name).parent.mkdir(parents=True, exist_ok=True)
        (msp / name).write_bytes(content)


def _pem(number: bytes) -> bytes:
    return key_pem(ec.derive_private_key(int.from_bytes(number), ec.SECP256R1()))
