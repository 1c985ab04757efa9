# SPDX-License-Identifier: Apache-2.0
"""Policies of a configuration, spelt out; the core's verdict on the original is the judge."""

from itertools import combinations

import pytest

from corpora import OpenCorpus
from fastledger.channelconfig.conversion import signature_policy
from fastledger.common.errors import InputError, NotFound, PolicyUnsatisfied
from fastledger.policies import SignedData
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.protos.common.policies_pb2 import Policy
from gossiping import Cast

PEOPLE = [(1, "peer0"), (1, "User1"), (1, "Admin"), (2, "peer0"), (2, "Admin")]
PATHS = [
    f"/Channel{group}/{name}"
    for group in ("", "/Application", "/Application/Org1MSP")
    for name in ("Readers", "Writers", "Admins")
]


@pytest.fixture(scope="module")
def cast(open_corpus: OpenCorpus) -> Cast:
    return Cast(open_corpus("v14").folder)


@pytest.mark.parametrize("path", PATHS)
def test_a_policy_and_its_spelling_ask_for_the_same(cast: Cast, path: str) -> None:
    root = Config.FromString(cast.bundle.config).channel_group
    if not cast.bundle.has_policy(path):
        pytest.skip("the channel has no such policy")
    spelt = signature_policy(root, path).SerializeToString()
    signers = [cast.signer(*person) for person in PEOPLE]
    message = b"message"
    signed = [SignedData(message, one.serialized, one.sign(message)) for one in signers]
    for count in range(1, 4):
        for some in combinations(signed, count):
            verdicts = []
            for ask in (
                lambda some=some: cast.bundle.evaluate(path, some),
                lambda some=some: cast.bundle.evaluate_envelope(spelt, some),
            ):
                try:
                    ask()
                    verdicts.append(True)
                except PolicyUnsatisfied:
                    verdicts.append(False)
            assert verdicts[0] == verdicts[1]


def test_relative_paths_are_of_the_application(cast: Cast) -> None:
    root = Config.FromString(cast.bundle.config).channel_group
    whole = signature_policy(root, "/Channel/Application/Writers")
    assert signature_policy(root, "Writers") == whole


def test_what_is_no_policy(cast: Cast) -> None:
    root = Config.FromString(cast.bundle.config).channel_group
    for path in ("/Channel/Application/None", "/Channel/Nowhere/Writers", "", "/", "/Channel"):
        with pytest.raises(NotFound):
            signature_policy(root, path)
    root.groups["Application"].policies["Odd"].policy.CopyFrom(Policy(type=Policy.MSP))
    with pytest.raises(InputError):
        signature_policy(root, "Odd")
    root.groups["Application"].policies["Odd"].policy.CopyFrom(Policy(type=1, value=b"\xff"))
    with pytest.raises(InputError):
        signature_policy(root, "Odd")
