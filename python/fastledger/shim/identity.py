# SPDX-License-Identifier: Apache-2.0
"""Who submitted the transaction (Fabric: ``pkg/cid``)."""

import base64
import json
from functools import cached_property

from cryptography import x509
from cryptography.x509.oid import NameOID
from google.protobuf.message import DecodeError

from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.shim.errors import ChaincodeFailed
from fastledger.shim.stub import ChaincodeStub

ATTRIBUTES_OID = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")
"""The extension in which Fabric CA puts attributes, as JSON."""

# Go's order of a name's parts, and the names that it gives them; it prints them last to first.
_ORDER = (
    (NameOID.COUNTRY_NAME, "C"),
    (NameOID.STATE_OR_PROVINCE_NAME, "ST"),
    (NameOID.LOCALITY_NAME, "L"),
    (NameOID.STREET_ADDRESS, "STREET"),
    (NameOID.POSTAL_CODE, "POSTALCODE"),
    (NameOID.ORGANIZATION_NAME, "O"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "OU"),
    (NameOID.COMMON_NAME, "CN"),
    (NameOID.SERIAL_NUMBER, "SERIALNUMBER"),
)
_ONE_ONLY = ("CN", "SERIALNUMBER")
_ESCAPED = ',+"\\<>;'


class ClientIdentity:
    """The creator of a transaction."""

    def __init__(self, stub: ChaincodeStub) -> None:
        """Read the creator's identity.

        Raises:
            ValueError: It holds no certificate.
        """
        try:
            identity = SerializedIdentity.FromString(stub.get_creator())
        except DecodeError as error:
            raise ValueError(f"the creator is no serialized identity: {error}") from error
        self._mspid = identity.mspid
        self._certificate = x509.load_pem_x509_certificate(identity.id_bytes)

    @property
    def mspid(self) -> str:
        """The organization."""
        return self._mspid

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate."""
        return self._certificate

    @property
    def id(self) -> str:
        """Subject and issuer, in base64: the same after a renewal, and the same as in Go."""
        subject, issuer = _dn(self._certificate.subject), _dn(self._certificate.issuer)
        return base64.b64encode(f"x509::{subject}::{issuer}".encode()).decode()

    @cached_property
    def attributes(self) -> dict[str, str]:
        """Attributes that the certificate authority put into the certificate."""
        try:
            extension = self._certificate.extensions.get_extension_for_oid(ATTRIBUTES_OID)
        except x509.ExtensionNotFound:
            return {}
        value = extension.value
        raw = value.value if isinstance(value, x509.UnrecognizedExtension) else b""
        try:
            attributes = (json.loads(raw) or {}).get("attrs") or {}
            if not all(isinstance(found, str | None) for found in attributes.values()):
                raise ValueError("one of them is no text")
        except (ValueError, AttributeError, RecursionError) as error:
            raise ValueError(f"the certificate's attributes are no JSON object: {error}") from error
        return {name: found or "" for name, found in attributes.items()}

    def get_attribute_value(self, name: str) -> str | None:
        """The value of an attribute; None when the certificate has it not."""
        return self.attributes.get(name)

    def assert_attribute_value(self, name: str, value: str) -> None:
        """Fail the transaction unless the attribute has this value.

        Raises:
            ChaincodeFailed: It has not.
        """
        found = self.attributes.get(name)
        if found is None:
            raise ChaincodeFailed(f"attribute '{name}' was not found")
        if found != value:
            raise ChaincodeFailed(f"attribute '{name}' equals '{found}', not '{value}'")

    def has_ou(self, unit: str) -> bool:
        """Whether the subject has this organizational unit."""
        units = self._certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        return any(found.value == unit for found in units)


def _dn(name: x509.Name) -> str:
    """Print a name as Go's ``cid`` package does."""
    parts = []
    for oid, short in _ORDER:
        values = [str(attribute.value) for attribute in name.get_attributes_for_oid(oid)]
        if short in _ONE_ONLY:
            values = values[-1:]
        if values:
            parts.append("+".join(f"{short}={_escape(value)}" for value in values))
    return ",".join(reversed(parts))


def _escape(value: str) -> str:
    def one(position: int, character: str) -> str:
        edge = (position == 0 and character in " #") or (
            position == len(value) - 1 and character == " "
        )
        return f"\\{character}" if edge or character in _ESCAPED else character

    return "".join(one(position, character) for position, character in enumerate(value))
