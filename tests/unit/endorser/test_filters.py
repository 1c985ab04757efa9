# SPDX-License-Identifier: Apache-2.0
"""Proposals that never reach the endorser."""

import time

import pytest

from certificates import authority
from fastledger.common.errors import InputError
from fastledger.endorser.filters import AuthFilter, filters
from fastledger.endorser.proposal import ProposalInvalid
from fastledger.protos.common.common_pb2 import ChannelHeader, Header, SignatureHeader
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.peer.proposal_pb2 import Proposal, SignedProposal
from fastledger.protoutil.unpacked import UnpackedProposal

WINDOW_S = 900
DAY_S = 86_400
ALL = [AuthFilter(name) for name in ("DefaultAuth", "ExpirationCheck", "TimeWindowCheck")]


def proposal(age_s: float = 0, pem: bytes = b"") -> SignedProposal:
    channel = ChannelHeader()
    channel.timestamp.seconds = int(time.time() - age_s)
    creator = SerializedIdentity(mspid="Org1MSP", id_bytes=pem).SerializeToString()
    header = Header(
        channel_header=channel.SerializeToString(),
        signature_header=SignatureHeader(creator=creator).SerializeToString(),
    )
    encoded = Proposal(header=header.SerializeToString()).SerializeToString()
    return SignedProposal(proposal_bytes=encoded)


def check(signed: SignedProposal, entries=ALL) -> None:
    filters(entries, WINDOW_S).check(UnpackedProposal(signed.SerializeToString()))


@pytest.mark.parametrize("age_s", [WINDOW_S + 60, -WINDOW_S - 60])
def test_a_proposal_of_another_time_is_refused(age_s: float) -> None:
    check(proposal(age_s), ALL[:2])
    with pytest.raises(ProposalInvalid, match=r"incorrect timestamp .*timewindow 15m0s$"):
        check(proposal(age_s))
    check(proposal(age_s / 2))


def test_an_expired_client_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    signed = proposal(pem=authority().cert)
    check(signed)
    later = time.time() + 2 * DAY_S
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(ProposalInvalid, match=r"^proposal client identity expired$"):
        check(signed)
    check(signed, ALL[:1])


def test_what_is_no_proposal_is_refused() -> None:
    with pytest.raises(ProposalInvalid, match=r"^failed parsing proposal: "):
        check(SignedProposal(proposal_bytes=b"\xff"))


@pytest.mark.parametrize("entry", [AuthFilter("Other"), AuthFilter("DefaultAuth", "a.so")])
def test_a_filter_that_is_not_known_is_named(entry: AuthFilter) -> None:
    with pytest.raises(InputError, match=entry.name):
        filters([entry], WINDOW_S)
