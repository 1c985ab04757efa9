# SPDX-License-Identifier: Apache-2.0
"""When identities end: the certificate is read as Go reads it (Fabric: ``crypto.ExpiresAt``)."""

import base64

import pytest

from certificates import Pair, authority
from fastledger.msp import expires_at
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.tools.cryptogen import der


def identity(pem: bytes) -> bytes:
    return SerializedIdentity(mspid="Org1MSP", id_bytes=pem).SerializeToString()


def pem(der: bytes) -> bytes:
    label = b"CERTIFICATE-----\n"
    return b"-----BEGIN " + label + base64.encodebytes(der) + b"-----END " + label


def ending(pair: Pair, end: bytes) -> bytes:
    """The DER of a certificate with another end; its signature does not hold any more."""
    signed = pair.certificate.tbs_certificate_bytes
    validity = signed.index(b"\x30\x1e\x17\x0d")
    begin = signed[validity + 2 : validity + 17]
    body = signed[:validity] + der.sequence(begin, end) + signed[validity + 32 :]
    algorithm = der.sequence(der.oid(pair.certificate.signature_algorithm_oid.dotted_string))
    # Of what is signed, its own tag and length of two bytes go.
    return der.sequence(der.sequence(body[3:]), algorithm, der.bits(pair.certificate.signature))


def test_a_certificates_end_is_its_identitys() -> None:
    pair = authority()
    assert expires_at(identity(pair.cert)) == pair.certificate.not_valid_after_utc.timestamp()


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (b"\x17\x0b0102030405Z", 981_173_100),  # no seconds
        (b"\x17\x0f0102030405+0100", 981_169_500),  # another zone
        (b"\x17\x0f0102030405+0000", None),  # a zone that Go wants to be Z
        (b"\x18\x0f20010203040506Z", 981_173_106),  # a form that is for years from 2050 on
        (b"\x18\x0f00010101000000Z", None),  # what Go takes for no time
    ],
)
def test_an_end_may_be_written_as_go_reads_it(end: bytes, expected: int | None) -> None:
    assert expires_at(identity(pem(ending(authority(), end)))) == expected


@pytest.mark.parametrize(
    "serialized",
    [b"", b"\xff", identity(b""), identity(b"no certificate"), identity(pem(b"no certificate"))],
)
def test_what_has_no_certificate_has_no_end(serialized: bytes) -> None:
    assert expires_at(serialized) is None
