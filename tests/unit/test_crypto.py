# SPDX-License-Identifier: Apache-2.0
"""Batches of signatures from Python, made by another library."""

import hashlib
import os
import subprocess
import sys
from typing import get_args

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from fastledger.common.errors import InputError
from fastledger.crypto import Engine, Job, Verifier, verify_batch

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def job(key: ec.EllipticCurvePrivateKey, message: bytes) -> Job:
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    signature = encode_dss_signature(r, min(s, ORDER - s))
    return Job(point, hashlib.sha256(message).digest(), signature)


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    return [job(keys[index % 3], bytes([index])) for index in range(40)]


@pytest.mark.parametrize("engine", get_args(Engine))
def test_good_and_bad_signatures_are_told_apart(engine: Engine, jobs: list[Job]) -> None:
    verifier = Verifier(engine=engine)
    if engine not in ("auto", verifier.engine):
        pytest.skip(f"this machine lacks the instructions of the engine {engine}")
    mixed = [
        one._replace(digest=hashlib.sha256(b"other").digest()) if index % 4 == 0 else one
        for index, one in enumerate(jobs)
    ]
    expected = [index % 4 != 0 for index in range(len(jobs))]
    assert verifier.verify_batch(mixed) == expected


def test_high_s_is_refused_and_bytes_behind_the_structure_are_not(jobs: list[Job]) -> None:
    good = jobs[0]
    r, s = decode_dss_signature(good.signature)
    high = good._replace(signature=encode_dss_signature(r, ORDER - s))
    trailing = good._replace(signature=good.signature + b"\x00")
    assert verify_batch([good, high, trailing]) == [True, False, True]


def test_what_cannot_be_a_job_is_named(jobs: list[Job]) -> None:
    good = jobs[0]
    with pytest.raises(InputError, match="key of job 1"):
        verify_batch([good, good._replace(public_key=b"\x04" + bytes(64))])
    with pytest.raises(InputError, match="digest of job 0 has 31 bytes"):
        verify_batch([good._replace(digest=bytes(31))])
    with pytest.raises(InputError, match="abacus"):
        Verifier(engine="abacus")  # type: ignore[arg-type]


def program(engine: str) -> subprocess.CompletedProcess[str]:
    """Run a program that verifies, with the environment's word on the engine."""
    return subprocess.run(
        [sys.executable, "-c", "from fastledger.crypto import Verifier; print(Verifier().engine)"],
        env=os.environ | {"FASTLEDGER_CRYPTO_ENGINE": engine},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("engine", ["portable", "library"])
def test_the_environment_names_the_engine(engine: str) -> None:
    assert program(engine).stdout == f"{engine}\n"


def test_an_engine_that_the_environment_misspells_stops_the_program() -> None:
    done = program("abacus")
    assert done.returncode != 0
    assert 'FASTLEDGER_CRYPTO_ENGINE: engine "abacus" is not one of auto, ifma,' in done.stderr
