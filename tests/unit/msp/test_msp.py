# SPDX-License-Identifier: Apache-2.0
"""MSP folders and signing identities, made here and judged by the core and by cryptography."""

import datetime as dt
import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from fastledger.common import config
from fastledger.common.errors import (
    ConfigInvalid,
    FastledgerError,
    IdentityRefused,
    InputError,
    Unsupported,
)
from fastledger.msp import Msp, SigningIdentity, check_msp_settings, load_msp_config
from fastledger.protos.msp.msp_config_pb2 import FabricMSPConfig, MSPConfig
from fastledger.protos.msp.msp_principal_pb2 import MSPRole

NODE_OUS = """
NodeOUs:
  Enable: true
  ClientOUIdentifier: {Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: client}
  PeerOUIdentifier: {Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: peer}
  AdminOUIdentifier: {Certificate: cacerts/none.pem, OrganizationalUnitIdentifier: admin}
  OrdererOUIdentifier: {OrganizationalUnitIdentifier: orderer}
"""
DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)
HALF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def name(common: str, unit: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit)] if unit else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Authority:
    """A certificate authority."""

    def __init__(self, common: str = "ca.org1") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name(common)
        self.certificate = self._sign(self.name, self.key.public_key(), is_ca=True)

    def issue(self, common: str, unit: str, key: Key, days: int = 365) -> x509.Certificate:
        return self._sign(name(common, unit), key.public_key(), days=days)

    def _sign(
        self, subject: x509.Name, key: object, *, is_ca: bool = False, days: int = 3650
    ) -> x509.Certificate:
        identifier = x509.SubjectKeyIdentifier(hashlib.sha256(subject.public_bytes()).digest())
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 2 * DAY)
            .not_valid_after(NOW + days * DAY)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(identifier, critical=False)
        )
        return builder.sign(self.key, hashes.SHA256())


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def write(folder: Path, ca: Authority, certificate: x509.Certificate, key: Key) -> None:
    for sub in ("cacerts", "signcerts", "keystore"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    (folder / "cacerts" / "ca.pem").write_bytes(pem(ca.certificate))
    (folder / "signcerts" / "cert.pem").write_bytes(b"subject: me\n" + pem(certificate))
    (folder / "keystore" / "other_sk").write_bytes(private(ec.generate_private_key(ec.SECP256R1())))
    (folder / "keystore" / "priv_sk").write_bytes(private(key))
    (folder / "config.yaml").write_text(NODE_OUS, "utf-8")


def private(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.fixture
def ca() -> Authority:
    return Authority()


@pytest.fixture
def folder(tmp_path: Path, ca: Authority) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    write(tmp_path, ca, ca.issue("user", "client", key), key)
    return tmp_path


def test_what_is_signed_verifies_and_is_low_s(folder: Path) -> None:
    signer = SigningIdentity.load(folder, "Org1MSP")
    msp = Msp(load_msp_config(folder, "Org1MSP").SerializeToString())
    public = x509.load_pem_x509_certificate(signer.certificate).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    for number in range(32):
        message = b"message %d" % number
        signature = signer.sign(message)
        assert decode_dss_signature(signature)[1] <= HALF_P256
        public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        msp.verify(signer.serialized, message, signature)
        with pytest.raises(IdentityRefused, match="not valid"):
            msp.verify(signer.serialized, message + b"!", signature)


def test_an_identity_says_who_it_is(folder: Path) -> None:
    signer = SigningIdentity.load(folder, "Org1MSP")
    msp = Msp(load_msp_config(folder, "Org1MSP").SerializeToString())
    identity = msp.identity(signer.serialized)
    assert (identity.mspid, identity.common_name, identity.organizational_units) == (
        "Org1MSP",
        "user",
        ["client"],
    )
    assert identity.roles == {"member", "client"}
    assert identity.certificate == signer.certificate
    assert signer.certificate.startswith(b"-----BEGIN CERTIFICATE-----\n")
    assert identity.not_after == int((NOW + 365 * DAY).timestamp())
    assert str(identity) == "Org1MSP/OU=client,CN=user"
    assert repr(signer) == "SigningIdentity('Org1MSP')"


def test_roles_are_refused_in_fabrics_words(folder: Path) -> None:
    signer = SigningIdentity.load(folder, "Org1MSP")
    msp = Msp(load_msp_config(folder, "Org1MSP").SerializeToString())
    msp.check_role(signer.serialized, MSPRole.MEMBER)
    msp.check_role(signer.serialized, MSPRole.CLIENT)
    with pytest.raises(IdentityRefused) as raised:
        msp.check_role(signer.serialized, MSPRole.ADMIN)
    assert str(raised.value) == (
        "The identity is not an admin under this MSP [Org1MSP]: "
        "The identity does not contain OU [ADMIN], MSP: [Org1MSP]"
    )
    with pytest.raises(IdentityRefused, match=r"is not a \[PEER\] under this MSP \[Org1MSP\]"):
        msp.check_role(signer.serialized, MSPRole.PEER)


def test_without_node_ous_nobody_is_told_apart(folder: Path, ca: Authority) -> None:
    (folder / "config.yaml").unlink()
    admin = ca.issue("admin", "", ec.generate_private_key(ec.SECP256R1()))
    (folder / "admincerts").mkdir()
    (folder / "admincerts" / "admin.pem").write_bytes(pem(admin))
    signer = SigningIdentity.load(folder, "Org1MSP")
    msp = Msp(load_msp_config(folder, "Org1MSP").SerializeToString())
    with pytest.raises(IdentityRefused, match=r"NodeOUs not activated\. Cannot tell apart"):
        msp.check_role(signer.serialized, MSPRole.ADMIN)


def test_a_foreign_identity_is_no_member(folder: Path, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    other, elsewhere = Authority("ca.org2"), tmp_path / "elsewhere"
    write(elsewhere, other, other.issue("user", "client", key), key)
    foreign = SigningIdentity.load(elsewhere, "Org1MSP")
    msp = Msp(load_msp_config(folder, "Org1MSP").SerializeToString())
    with pytest.raises(IdentityRefused):
        msp.verify(foreign.serialized, b"message", foreign.sign(b"message"))
    with pytest.raises(IdentityRefused, match="SerializedIdentity"):
        msp.identity(b"\xff")


@pytest.mark.parametrize("kind", ["p224", "p384", "p521", "ed25519"])
def test_other_keys_sign_too(tmp_path: Path, ca: Authority, kind: str) -> None:
    curves = {"p224": ec.SECP224R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
    key: Key = (
        ec.generate_private_key(curves[kind]())
        if kind in curves
        else ed25519.Ed25519PrivateKey.generate()
    )
    write(tmp_path, ca, ca.issue("user", "client", key), key)
    signer = SigningIdentity.load(tmp_path, "Org1MSP")
    msp = Msp(load_msp_config(tmp_path, "Org1MSP").SerializeToString())
    for number in range(8):
        message = b"message %d" % number
        msp.verify(signer.serialized, message, signer.sign(message))


def test_the_folder_tree_is_read_whole(folder: Path, ca: Authority) -> None:
    admin = ec.generate_private_key(ec.SECP256R1())
    (folder / "admincerts").mkdir()
    (folder / "admincerts" / "b.pem").write_bytes(pem(ca.issue("admin", "client", admin)))
    (folder / "admincerts" / "a.txt").write_bytes(b"nothing")
    (folder / "admincerts" / "sub").mkdir()
    (folder / "tlscacerts").mkdir()
    (folder / "tlscacerts" / "tls.pem").write_bytes(pem(ca.certificate))
    config = load_msp_config(folder, "Org1MSP")
    assert config.type == 0
    read = FabricMSPConfig.FromString(config.config)
    assert read.name == "Org1MSP"
    assert [len(read.admins), len(read.tls_root_certs), len(read.root_certs)] == [1, 1, 1]
    assert not read.HasField("signing_identity")
    assert read.crypto_config.signature_hash_family == "SHA2"
    ous = read.fabric_node_ous
    assert ous.enable
    assert ous.client_ou_identifier.certificate == pem(ca.certificate)
    # A certificate that is not there is warned about, as in Fabric.
    assert ous.admin_ou_identifier.organizational_unit_identifier == "admin"
    assert not ous.admin_ou_identifier.certificate
    assert Msp(config.SerializeToString()).tls_cas == [pem(ca.certificate)]


def test_units_need_their_certificate(folder: Path, ca: Authority) -> None:
    text = "OrganizationalUnitIdentifiers:\n- {Certificate: %s, OrganizationalUnitIdentifier: hr}\n"
    (folder / "config.yaml").write_text(text % "cacerts/ca.pem", "utf-8")
    read = FabricMSPConfig.FromString(load_msp_config(folder, "Org1MSP").config)
    (unit,) = read.organizational_unit_identifiers
    assert unit.organizational_unit_identifier == "hr"
    assert unit.certificate == pem(ca.certificate)
    assert not read.HasField("fabric_node_ous")
    (folder / "config.yaml").write_text(text % "none.pem", "utf-8")
    with pytest.raises(InputError, match=r"OrganizationalUnit certificate at \[.*none\.pem\]"):
        load_msp_config(folder, "Org1MSP")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NodeOUs: [", "YAML"),
        ("- a", "line 1: the document: expected a mapping, found a list"),
        ("NodeOUs: 7", "line 1: NodeOUs: expected a mapping, found '7'"),
        ("NodeOUs: {Enable: maybe}", "NodeOUs.Enable: expected true or false .*, found 'maybe'"),
        (
            "NodeOUs: {Enable: true, PeerOUIdentifier: 7}",
            "NodeOUs.PeerOUIdentifier: expected a mapping",
        ),
        ("OrganizationalUnitIdentifiers: 7", "OrganizationalUnitIdentifiers: expected a list"),
        ("OrganizationalUnitIdentifiers: [~]", "an entry of OrganizationalUnitIdentifiers is null"),
    ],
)
def test_a_bad_configuration_is_named(folder: Path, text: str, reason: str) -> None:
    (folder / "config.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError, match=reason) as raised:
        load_msp_config(folder, "Org1MSP")
    assert "config.yaml" in str(raised.value)


def test_a_bad_folder_is_named(folder: Path, ca: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "signcerts" / "cert.pem").write_bytes(pem(ca.issue("user", "client", key)))
    with pytest.raises(InputError, match="holds no private key of the certificate"):
        SigningIdentity.load(folder, "Org1MSP")
    write(folder, ca, ca.issue("user", "client", key, days=-1), key)
    # An identity that is over has no role, but it can be read; it must not sign.
    with pytest.raises(InputError, match="signing identity expired"):
        SigningIdentity.load(folder, "Org1MSP")
    (folder / "signcerts" / "cert.pem").unlink()
    with pytest.raises(InputError, match="no signing certificate found in directory"):
        SigningIdentity.load(folder, "Org1MSP")
    (folder / "cacerts" / "ca.pem").write_text("nothing", "utf-8")
    with pytest.raises(InputError, match="no ca certificate found in directory"):
        load_msp_config(folder, "Org1MSP")
    with pytest.raises(InputError, match="could not load a valid ca certificate from directory"):
        load_msp_config(folder / "nowhere", "Org1MSP")


def test_what_is_no_x509_msp_is_refused(folder: Path) -> None:
    with pytest.raises(Unsupported, match="type 1"):
        Msp(MSPConfig(type=1).SerializeToString())
    with pytest.raises(InputError, match="expected at least one CA certificate"):
        Msp(MSPConfig(type=0).SerializeToString())
    config = load_msp_config(folder, "Org1MSP").SerializeToString()
    with pytest.raises(InputError, match="V9"):
        Msp(config, version="V9")
    key = ec.generate_private_key(ec.SECP256K1())
    with pytest.raises(InputError, match="secp256k1"):
        SigningIdentity("Org1MSP", b"", key)
    with pytest.raises(InputError, match="cannot be read"):
        SigningIdentity("Org1MSP", b"", ec.generate_private_key(ec.SECP256R1()))


def _junk(kind: str) -> bytes:
    return f"-----BEGIN {kind}-----\nbm9wZQ==\n-----END {kind}-----\n".encode()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("signcerts/cert.pem", _junk("CERTIFICATE")),
        ("cacerts/ca.pem", _junk("CERTIFICATE")),
        ("admincerts/a.pem", _junk("CERTIFICATE")),
        ("crls/c.pem", _junk("X509 CRL")),
        ("intermediatecerts/i.pem", _junk("X")),
    ],
)
def test_the_file_that_is_wrong_is_named(folder: Path, file: str, content: bytes) -> None:
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_bytes(content)
    with pytest.raises(FastledgerError) as raised:
        SigningIdentity.load(folder, "Org1MSP")
    assert str(folder / file) in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"no pem", b"-----BEGIN CERTIFICATE-----\nMII"])
def test_a_signing_certificate_without_pem(folder: Path, content: bytes) -> None:
    (folder / "signcerts" / "cert.pem").write_bytes(content)
    with pytest.raises(InputError) as raised:
        SigningIdentity.load(folder, "Org1MSP")
    assert f"no signing certificate found in directory {folder / 'signcerts'}" in str(raised.value)


def test_keys_that_are_none_are_named(folder: Path) -> None:
    key = folder / "keystore" / "priv_sk"
    right = key.read_bytes()
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    for content, reason in (
        (parameters + right, "its first PEM block, EC PARAMETERS, is no private key"),
        (b"plain", "it has no PEM block"),
        (right + b"x" * 70_000, "it has more than 65536 bytes"),
        (
            private(ec.generate_private_key(ec.SECP256R1())),
            "the key is another certificate's",
        ),
    ):
        key.write_bytes(content)
        with pytest.raises(InputError) as raised:
            SigningIdentity.load(folder, "Org1MSP")
        assert f"{key.name}: {reason}" in str(raised.value)
    key.write_bytes(right.replace(b"PRIVATE KEY", b"ANY NAME"))
    assert SigningIdentity.load(folder, "Org1MSP").sign(b"message")


@pytest.mark.parametrize(
    ("name", "value", "error", "reason"),
    [
        ("PEER_LOCALMSPTYPE", "idemix", Unsupported, "anonymous identities do not sign here"),
        ("PEER_LOCALMSPTYPE", "x509", ConfigInvalid, "unknown MSP type 'x509'"),
        ("PEER_BCCSP_DEFAULT", "PKCS11", Unsupported, "Could not find default `PKCS11` BCCSP"),
        ("PEER_BCCSP_DEFAULT", "sw", ConfigInvalid, "Could not find default `sw` BCCSP"),
        ("PEER_BCCSP_SW_HASH", "MD5", ConfigInvalid, "Hash Family not supported [MD5]"),
        ("PEER_BCCSP_SW_SECURITY", "1", ConfigInvalid, "Security level not supported [1]"),
        ("PEER_BCCSP_SW_SECURITY", "384", None, ""),
        ("PEER_BCCSP_SW_HASH", "SHA3", None, ""),
    ],
)
def test_settings_are_followed_or_refused(
    name: str,
    value: str,
    error: type[FastledgerError] | None,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FABRIC_CFG_PATH", raising=False)
    monkeypatch.setenv(f"CORE_{name}", value)
    read = config.load("core")
    if error is None:
        check_msp_settings(read, "peer")
        return
    with pytest.raises(error) as raised:
        check_msp_settings(read, "peer")
    assert reason in str(raised.value)
