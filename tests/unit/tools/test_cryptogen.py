# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates, against those that Fabric 1.4's cryptogen made."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from corpora import OpenCorpus
from fastledger.cli.main import main
from fastledger.common.errors import InputError
from fastledger.tools.cryptogen import ca, der, spec

LOW_S = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2


def cryptogen(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["cryptogen", *arguments])


def generated(folder: Path, text: str, command: str = "generate") -> Path:
    config = folder / "crypto-config.yaml"
    config.write_text(text)
    flag = "--output" if command == "generate" else "--input"
    result = cryptogen(command, f"--config={config}", flag, str(folder / "out"))
    assert result.exit_code == 0, result.output
    return folder / "out"


def names(folder: Path) -> set[str]:
    """What is in a tree; 1.4 calls keys by their hash, later versions priv_sk."""
    return {
        str(path.relative_to(folder).with_name("priv_sk"))
        if path.name.endswith("_sk")
        else str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file()
    }


def certificates(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.suffix in (".pem", ".crt"))


def shape(certificate: x509.Certificate) -> list[object]:
    """All of a certificate that is not random and not the time."""
    key_ids = (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier)
    return [
        certificate.version,
        certificate.subject.public_bytes(),
        certificate.issuer.public_bytes(),
        certificate.signature_algorithm_oid,
        certificate.not_valid_after_utc - certificate.not_valid_before_utc,
        [
            (
                extension.oid,
                extension.critical,
                None if isinstance(extension.value, key_ids) else extension.value.public_bytes(),
            )
            for extension in certificate.extensions
        ],
    ]


@pytest.mark.parametrize("name", ["v11", "v14", "tls"])
def test_the_tree_and_the_certificates_are_cryptogens(
    name: str, open_corpus: OpenCorpus, tmp_path: Path
) -> None:
    corpus = open_corpus(name).folder
    ours = generated(tmp_path, (corpus / "config" / "crypto-config.yaml").read_text())
    real = corpus / "crypto-config"
    assert names(ours) == names(real)
    for path in certificates(ours):
        theirs = real / path.relative_to(ours)
        assert shape(load(path)) == shape(load(theirs)), path
    for path in ours.rglob("config.yaml"):
        indented_less = path.read_text().replace("    ", "  ")
        assert indented_less == (real / path.relative_to(ours)).read_text()


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


EVERYTHING = """
OrdererOrgs:
  - Name: Orderer
    Domain: example.com
    EnableNodeOUs: false
    Specs:
      - Hostname: orderer
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
      PostalCode: 50667
      PublicKeyAlgorithm: ed25519
    Template:
      Count: 2
      Start: 5
      Hostname: "{{.Prefix}}-{{ .Index }}"
      SANS: ["{{.Hostname}}.alt.{{.Domain}}", 10.0.0.1, "::1", "{{.CommonName}}.x"]
    Specs:
      - {Hostname: foo, CommonName: foo27.example.net, PublicKeyAlgorithm: ed25519}
    Users:
      Count: 2
"""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(tmp_path_factory.mktemp("everything"), EVERYTHING)


def test_every_certificate_verifies_and_belongs_to_its_key(everything: Path) -> None:
    for organization in everything.glob("*/*"):
        for place, authority in (("msp", "ca"), ("tls", "tlsca")):
            (ca,) = (load(path) for path in (organization / authority).glob("*.pem"))
            ca.verify_directly_issued_by(ca)
            for folder in organization.glob(f"*/*/{place}"):
                (path,) = (*folder.glob("signcerts/*"), *folder.glob("[sc][el]*.crt"))
                (key,) = (*folder.glob("keystore/*"), *folder.glob("*.key"))
                load(path).verify_directly_issued_by(ca)
                loaded = load_pem_private_key(key.read_bytes(), None)
                assert loaded.public_key() == load(path).public_key()
                assert key.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
                assert key.stat().st_mode & 0o777 == 0o600


def test_signatures_are_low(everything: Path) -> None:
    signatures = [load(path) for path in certificates(everything / "ordererOrganizations")]
    assert len(signatures) > 10
    for one in signatures:
        assert decode_dss_signature(one.signature)[1] <= LOW_S


def test_names_come_from_the_templates(everything: Path) -> None:
    org = everything / "peerOrganizations" / "org1.example.com"
    assert {path.name for path in (org / "peers").iterdir()} == {
        "peer-5.org1.example.com",
        "peer-6.org1.example.com",
        "foo27.example.net",
    }
    assert {path.name for path in (org / "users").iterdir()} == {
        "Admin@org1.example.com",
        "User1@org1.example.com",
        "User2@org1.example.com",
    }
    peer = load(org / "peers/peer-5.org1.example.com/tls/server.crt")
    names = peer.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [
        "peer-5.org1.example.com",
        "peer-5",
        "peer-5.alt.org1.example.com",
        "peer-5.org1.example.com.x",
    ]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "::1"]


def test_the_authoritys_name_is_inherited(everything: Path) -> None:
    org = everything / "peerOrganizations" / "org1.example.com"
    admin = load(org / "users/Admin@org1.example.com/msp/signcerts/Admin@org1.example.com-cert.pem")
    units = admin.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
    assert [unit.value for unit in units] == ["admin", "Hyperledger Fabric"]
    assert len(admin.subject.rdns) == 7
    (town,) = admin.subject.get_attributes_for_oid(x509.NameOID.LOCALITY_NAME)
    assert town.value == "Köln"
    assert admin.issuer == load(org / "ca/authority.org1.example.com-cert.pem").subject


def test_algorithms(everything: Path) -> None:
    org = everything / "peerOrganizations" / "org1.example.com"
    ca = load(org / "ca/authority.org1.example.com-cert.pem")
    foo = load(org / "peers/foo27.example.net/msp/signcerts/foo27.example.net-cert.pem")
    user = load(org / "users/User1@org1.example.com/tls/client.crt")
    assert isinstance(ca.public_key(), ed25519.Ed25519PublicKey)
    assert isinstance(foo.public_key(), ed25519.Ed25519PublicKey)
    assert isinstance(user.public_key(), ec.EllipticCurvePublicKey)


def test_administrators_stand_in_admincerts_without_node_ous(everything: Path) -> None:
    org = everything / "ordererOrganizations" / "example.com"
    expected = {"Admin@example.com-cert.pem"}
    for msp in (org / "msp", *org.glob("*/*/msp")):
        assert {path.name for path in (msp / "admincerts").iterdir()} == expected
        assert not (msp / "config.yaml").exists()


def test_extend_adds_what_is_missing_and_keeps_the_rest(tmp_path: Path) -> None:
    small = "PeerOrgs: [{Domain: a.com, Template: {Count: 1}, Users: {Count: 1}}]"
    more = (
        "PeerOrgs:\n"
        "  - {Domain: a.com, Template: {Count: 2}, Users: {Count: 2}}\n"
        "  - {Domain: b.com, EnableNodeOUs: true, Template: {Count: 1}}\n"
    )
    out = generated(tmp_path, small)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    generated(tmp_path, more, "extend")
    assert all(path.read_bytes() == content for path, content in before.items())
    org = out / "peerOrganizations" / "a.com"
    new = org / "peers/peer1.a.com/msp"
    load(new / "signcerts/peer1.a.com-cert.pem").verify_directly_issued_by(
        load(org / "ca/ca.a.com-cert.pem")
    )
    assert [path.name for path in (new / "admincerts").iterdir()] == ["Admin@a.com-cert.pem"]
    assert (org / "users/User2@a.com/tls/client.crt").exists()
    assert (out / "peerOrganizations/b.com/peers/peer0.b.com/msp/config.yaml").exists()


def test_extend_needs_the_authority(tmp_path: Path) -> None:
    out = generated(tmp_path, "PeerOrgs: [{Domain: a.com}]")
    shutil.rmtree(out / "peerOrganizations/a.com/ca")
    config = tmp_path / "crypto-config.yaml"
    result = cryptogen("extend", f"--config={config}", f"--input={out}")
    assert result.exit_code == 1
    assert "extend needs the authority" in result.output


def test_the_template_is_what_generate_takes(tmp_path: Path) -> None:
    shown = cryptogen("showtemplate")
    assert shown.output == spec.DEFAULT.read_text()
    result = cryptogen("generate", f"--output={tmp_path / 'out'}")
    assert result.output == "org1.example.com\norg2.example.com\n"
    assert names(tmp_path / "out") == names(generated(tmp_path, shown.output))


@pytest.mark.parametrize(
    ("arguments", "exit_code", "text"),
    [
        (["generate", "--foo"], 1, "cryptogen: error: unknown long flag '--foo', try --help"),
        (["generate", "-x"], 1, "cryptogen: error: unknown short flag '-x', try --help"),
        (["generate", "--config"], 1, "expected argument for flag '--config', try --help"),
        (["generate", "--config=nope"], 1, "open nope: no such file or directory, try --help"),
        (["generate", "foo"], 1, "cryptogen: error: unexpected foo, try --help"),
        (["bogus"], 1, 'cryptogen: error: expected command but got "bogus", try --help'),
        (["--version"], 1, "cryptogen: error: unknown long flag '--version', try --help"),
        (["generate", "--config=."], 255, "Error reading config: "),
        ([], 0, "Usage: "),
        (["help"], 0, "Usage: "),
        (["help", "generate"], 0, "--output"),
        (["version"], 0, "cryptogen:\n Version: "),
    ],
)
def test_exit_codes_and_texts(arguments: list[str], exit_code: int, text: str) -> None:
    result = cryptogen(*arguments)
    assert text in result.output
    assert result.exit_code == exit_code


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("PeerOrgs: 3", "PeerOrgs: expected a list"),
        ("PeerOrgs: [3]", r"PeerOrgs\[0\]: expected a mapping"),
        ("PeerOrgs: [{Domain: [x]}]", "Domain: expected text"),
        ("PeerOrgs: [{Template: {Count: many}}]", "Count: expected a whole number"),
        (
            "PeerOrgs: [{Template: {Count: 1, Hostname: '{{.Foo}}'}}]",
            "can't evaluate field Foo in type main.HostnameData; there are Prefix, Index, Domain",
        ),
        ("PeerOrgs: [{Specs: [{CommonName: '{{if .X}}'}]}]", "unexpected EOF"),
        ("PeerOrgs: [{Specs: [{CommonName: '{{nope}}'}]}]", "function 'nope' not defined"),
        ("PeerOrgs: [{EnableNodeOUs: maybe}]", "line 1: PeerOrgs.0..EnableNodeOUs: expected true"),
        ("PeerOrgs: [{Template: {Count: 1.5}}]", "Count: expected a whole number of 64 bits"),
        ("PeerOrgs: [{Users: {Count: 100001}}]", "Users.Count is 100001, at most 100000"),
        ("---\n", "the document is null, it must be a mapping"),
        ("a: 1\nb: 2\na: 3", 'line 3: mapping key "a" already defined at line 1'),
    ],
)
def test_what_is_wrong_is_named(text: str, problem: str, tmp_path: Path) -> None:
    config = tmp_path / "crypto-config.yaml"
    config.write_text(text)
    with pytest.raises(InputError, match=problem):
        spec.load(config)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_der_lengths(size: int) -> None:
    encoded = der.octets(b"x" * size)
    header = len(encoded) - size
    assert header == (2 if size < 128 else 3 if size < 256 else 4 if size < 65536 else 5)


def test_der_against_what_is_known() -> None:
    assert der.oid("1.2.840.10045.4.3.2").hex() == "06082a8648ce3d040302"
    assert der.integer(0).hex() == "020100"
    assert der.integer(128).hex() == "02020080"
    assert der.text("US").hex() == "13025553"
    assert der.text("ö").hex() == "0c02c3b6"
    late = datetime(2050, 1, 1, tzinfo=UTC)
    assert der.time(late) == b"\x18\x0f20500101000000Z"


def test_values_keep_their_spelling(tmp_path: Path) -> None:
    folder = generated(
        tmp_path,
        "PeerOrgs:\n"
        "  - Name: A\n"
        "    Domain: 1.10\n"
        "    EnableNodeOUs: yes\n"
        "    CA: {PostalCode: 01234, OrganizationalUnit: 1e3, Province: true, Locality: 2020-1-1}\n"
        "    Specs: [{Hostname: 010, SANS: [10.0, ~, 0x1F]}]\n"
        "---\n"
        "PeerOrgs: 7\n",
    )
    organization = folder / "peerOrganizations" / "1.10"
    subject = load(organization / "ca" / "ca.1.10-cert.pem").subject
    assert subject.rfc4514_string() == (
        "CN=ca.1.10,OU=1e3,O=1.10,2.5.4.17=01234,L=2020-1-1,ST=true,C=US"
    )
    node = organization / "peers" / "010.1.10"
    assert (node / "msp" / "config.yaml").exists()
    names = load(node / "tls" / "server.crt").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["010.1.10", "010", "10.0", "0x1F"]


def test_names_are_made_with_functions(tmp_path: Path) -> None:
    folder = generated(
        tmp_path,
        """
PeerOrgs:
  - Domain: a.test
    Template:
      Count: 2
      Hostname: 'p{{printf "%02d" .Index}}{{if eq .Index 1}}-last{{end}}'
      SANS: ['{{len .Hostname | print "n"}}.{{.Domain}}']
    Specs:
      - {Hostname: x, CommonName: '{{html .Hostname | printf "%s-%s" "a"}}'}
""",
    )
    peers = folder / "peerOrganizations" / "a.test" / "peers"
    assert {path.name for path in peers.iterdir()} == {"p00.a.test", "p01-last.a.test", "a-x"}
    certificate = load(peers / "p00.a.test" / "tls" / "server.crt")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["p00.a.test", "p00", "n3.a.test"]


def test_names_stay_within_the_output(tmp_path: Path) -> None:
    text = "PeerOrgs: [{Domain: a.test, Specs: [{CommonName: /y}]}]"
    folder = generated(tmp_path, text) / "peerOrganizations" / "a.test"
    assert (folder / "peers" / "y" / "msp" / "signcerts" / "y-cert.pem").exists()


def test_addresses_are_gos() -> None:
    encoded = ca.alternative_names(["::ffff:10.0.0.1", "fe80::1%eth0", "010.0.0.1", "::1"])
    assert bytes.fromhex("87040a000001") in encoded
    assert b"fe80::1%eth0" in encoded
    assert b"010.0.0.1" in encoded
