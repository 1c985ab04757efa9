# SPDX-License-Identifier: Apache-2.0
"""Our cryptogen and Fabric's: the same trees, the same certificates, each extends the other's."""

from pathlib import Path

import pytest
from cryptography import x509

from fabric_tools import VERSIONS, run
from fastledger.common import goyaml
from fastledger.tools.cryptogen import spec
from fastledger.tools.cryptogen.generate import extend, generate

CONFIG = """
OrdererOrgs:
  - {Name: Orderer, Domain: example.com, EnableNodeOUs: true, Specs: [{Hostname: orderer}]}
PeerOrgs:
  - Name: Org1
    Domain: org1.example.com
    EnableNodeOUs: true
    CA:
      Hostname: authority
      Country: DE
      Province: Nordrhein-Westfalen
      Locality: Köln
      OrganizationalUnit: Hyperledger Fabric
      StreetAddress: Domkloster 4
      PostalCode: "50667"
    Template:
      Count: 2
      Start: 5
      Hostname: "{{.Prefix}}-{{.Index}}"
      SANS: ["{{.Hostname}}.alt.{{.Domain}}", 10.0.0.1, "::1", "{{.CommonName}}.x"]
    Specs:
      - {Hostname: foo, CommonName: foo27.example.net}
    Users: {Count: 2}
  - {Name: Org2, Domain: org2.example.com, Template: {Count: 1}, Users: {Count: 1}}
"""

MORE = CONFIG.replace("Count: 2\n", "Count: 3\n").replace("{Count: 1}", "{Count: 2}")


def shape(path: Path) -> list[object]:
    """All of a certificate that is not random and not the time."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    key_ids = (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier)
    return [
        certificate.version,
        certificate.subject.public_bytes(),
        certificate.issuer.public_bytes(),
        certificate.signature_algorithm_oid,
        certificate.not_valid_after_utc - certificate.not_valid_before_utc,
        [
            (one.oid, one.critical, isinstance(one.value, key_ids) or one.value.public_bytes())
            for one in certificate.extensions
        ],
    ]


def compare(ours: Path, theirs: Path) -> None:
    def entries(folder: Path) -> dict[str, int]:
        return {str(path.relative_to(folder)): path.stat().st_mode for path in folder.rglob("*")}

    assert entries(ours) == entries(theirs)
    for path in ours.rglob("*"):
        if path.suffix in (".pem", ".crt"):
            assert shape(path) == shape(theirs / path.relative_to(ours)), path
        elif path.suffix == ".yaml":
            # Of the two versions compared, one indents by two and one by four.
            assert goyaml.load_value(path) == goyaml.load_value(theirs / path.relative_to(ours))


@pytest.mark.parametrize("version", VERSIONS)
def test_generate(version: str, tmp_path: Path) -> None:
    config = tmp_path / "crypto-config.yaml"
    config.write_text(CONFIG)
    said = run(
        "cryptogen", "generate", f"--config={config}", f"--output={tmp_path / 'r'}", version=version
    )
    lines: list[str] = []
    generate(spec.load(config), tmp_path / "o", lines.append)
    assert said.decode().splitlines() == lines
    compare(tmp_path / "o", tmp_path / "r")


@pytest.mark.parametrize("algorithm", ["ecdsa", "ed25519"])
def test_algorithms(algorithm: str, tmp_path: Path) -> None:
    config = tmp_path / "crypto-config.yaml"
    config.write_text(
        CONFIG.replace(
            "PostalCode:", f"PublicKeyAlgorithm: {algorithm}\n      PostalCode:"
        ).replace("{Count: 1}", f"{{Count: 1, PublicKeyAlgorithm: {algorithm}}}")
    )
    run("cryptogen", "generate", f"--config={config}", f"--output={tmp_path / 'r'}")
    generate(spec.load(config), tmp_path / "o", lambda _line: None)
    compare(tmp_path / "o", tmp_path / "r")


def test_template(tmp_path: Path) -> None:
    run("cryptogen", "generate", f"--output={tmp_path / 'r'}")
    generate(spec.load(spec.DEFAULT), tmp_path / "o", lambda _line: None)
    compare(tmp_path / "o", tmp_path / "r")
    # Each takes the other's template.
    (tmp_path / "theirs.yaml").write_bytes(run("cryptogen", "showtemplate"))
    generate(spec.load(tmp_path / "theirs.yaml"), tmp_path / "o2", lambda _line: None)
    run("cryptogen", "generate", f"--config={spec.DEFAULT}", f"--output={tmp_path / 'r2'}")
    compare(tmp_path / "o2", tmp_path / "r2")


def test_each_extends_the_others(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(CONFIG)
    second.write_text(MORE)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    generate(spec.load(first), ours, lambda _line: None)
    run("cryptogen", "generate", f"--config={first}", f"--output={theirs}")
    run("cryptogen", "extend", f"--config={second}", f"--input={ours}")
    extend(spec.load(second), theirs, lambda _line: None)
    compare(theirs, ours)
    for folder in (ours, theirs):
        org = folder / "peerOrganizations" / "org1.example.com"
        new = org / "peers/peer-7.org1.example.com/msp/signcerts/peer-7.org1.example.com-cert.pem"
        ca = org / "ca" / "authority.org1.example.com-cert.pem"
        x509.load_pem_x509_certificate(new.read_bytes()).verify_directly_issued_by(
            x509.load_pem_x509_certificate(ca.read_bytes())
        )
