# SPDX-License-Identifier: Apache-2.0
"""The MSP of a folder, set up; what is wrong is told with the file that has it."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from fastledger.common.errors import InputError
from fastledger.common.gopem import first_block
from fastledger.msp.folder import load_msp_config, pem_paths
from fastledger.msp.provider import Msp

_CERTIFICATES = ("cacerts", "intermediatecerts", "admincerts")


def load_msp(folder: Path | str, mspid: str) -> Msp:
    """Read an MSP's folder and set the MSP up.

    Args:
        folder: As for :func:`~fastledger.msp.load_msp_config`.
        mspid: The MSP's name.

    Raises:
        InputError: The folder cannot be used; the text names the file, if one alone is wrong.
    """
    folder = Path(folder)
    config = load_msp_config(folder, mspid)
    try:
        return Msp(config.SerializeToString())
    except InputError as error:
        wrong = [f"{path} {problem}" for path, problem in _unreadable(folder)]
        where = f": {'; '.join(wrong)}" if wrong else ""
        raise InputError(f"{error} (read from {folder}{where})") from error


def _unreadable(folder: Path) -> list[tuple[Path, str]]:
    """Files whose first PEM block is not what the folder that they are in says."""
    found = []
    for name in _CERTIFICATES:
        for path, content in (pem_paths(folder / name) or {}).items():
            try:
                x509.load_der_x509_certificate(_data(content)).public_key()
            except (ValueError, UnsupportedAlgorithm) as error:
                found.append((path, f"is no certificate that can be read: {error}"))
    for path, content in (pem_paths(folder / "crls") or {}).items():
        try:
            x509.load_der_x509_crl(_data(content))
        except ValueError as error:
            found.append((path, f"is no revocation list that can be read: {error}"))
    return found


def _data(content: bytes) -> bytes:
    block = first_block(content)
    return b"" if block is None else block.data
