# SPDX-License-Identifier: Apache-2.0
"""What the core puts together of a client's messages, against protobuf's own encoding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastledger._core import proposal_parts, transaction_payload
from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import ChannelHeader, Header, Payload, SignatureHeader
from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeID,
    ChaincodeInput,
    ChaincodeInvocationSpec,
    ChaincodeSpec,
)
from fastledger.protos.peer.proposal_pb2 import ChaincodeHeaderExtension, ChaincodeProposalPayload
from fastledger.protos.peer.proposal_response_pb2 import Endorsement
from fastledger.protos.peer.transaction_pb2 import (
    ChaincodeActionPayload,
    ChaincodeEndorsedAction,
    Transaction,
    TransactionAction,
)

SHORT = st.binary(max_size=200)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ID = st.builds(ChaincodeID, path=TEXT, name=TEXT, version=TEXT)
INPUT = st.builds(ChaincodeInput, args=st.lists(SHORT, max_size=3))
SPEC = st.one_of(
    st.just(ChaincodeInvocationSpec()),
    st.builds(
        lambda named, given: ChaincodeInvocationSpec(
            chaincode_spec=ChaincodeSpec(type=1, chaincode_id=named, input=given)
        ),
        st.none() | ID,
        INPUT,
    ),
)


@given(
    kind=st.integers(0, 300),
    channel_id=TEXT,
    tx_id=TEXT,
    spec=SPEC,
    creator=SHORT,
    nonce=SHORT,
    time_ns=st.integers(0, 2**62),
    transient=st.dictionaries(TEXT, SHORT, max_size=3),
)
def test_proposals(kind, channel_id, tx_id, spec, creator, nonce, time_ns, transient) -> None:
    encoded = spec.SerializeToString()
    header, payload = proposal_parts(
        kind, channel_id, tx_id, encoded, creator, nonce, time_ns, transient
    )
    extension = ChaincodeHeaderExtension(chaincode_id=spec.chaincode_spec.chaincode_id)
    channel_header = ChannelHeader(
        type=kind, channel_id=channel_id, tx_id=tx_id, extension=extension.SerializeToString()
    )
    channel_header.timestamp.seconds, channel_header.timestamp.nanos = divmod(time_ns, 10**9)
    # Also a time of zero is one.
    channel_header.timestamp.SetInParent()
    signature_header = SignatureHeader(creator=creator, nonce=nonce)
    assert (
        header
        == Header(
            channel_header=channel_header.SerializeToString(),
            signature_header=signature_header.SerializeToString(),
        ).SerializeToString()
    )
    # The order of a map's entries is anybody's own.
    made = ChaincodeProposalPayload(input=encoded, TransientMap=transient)
    assert ChaincodeProposalPayload.FromString(payload) == made
    assert len(payload) == len(made.SerializeToString())


@given(
    header=SHORT,
    signature_header=SHORT,
    chaincode_input=SHORT,
    response_payload=SHORT,
    endorsements=st.lists(st.tuples(SHORT, SHORT), min_size=1, max_size=3),
)
def test_transactions(
    header, signature_header, chaincode_input, response_payload, endorsements
) -> None:
    proposed = ChaincodeProposalPayload(input=chaincode_input, TransientMap={"secret": b"value"})
    encoded_header = Header(channel_header=header).SerializeToString()
    made = transaction_payload(
        encoded_header,
        signature_header,
        proposed.SerializeToString(),
        response_payload,
        endorsements,
    )
    kept = ChaincodeProposalPayload(input=chaincode_input)
    action = ChaincodeActionPayload(
        chaincode_proposal_payload=kept.SerializeToString(),
        action=ChaincodeEndorsedAction(
            proposal_response_payload=response_payload,
            endorsements=[
                Endorsement(endorser=endorser, signature=signature)
                for endorser, signature in endorsements
            ],
        ),
    )
    tx_action = TransactionAction(header=signature_header, payload=action.SerializeToString())
    payload = Payload(
        header=Header(channel_header=header),
        data=Transaction(actions=[tx_action]).SerializeToString(),
    )
    assert made == payload.SerializeToString()


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(InputError, match="error unmarshalling ChaincodeInvocationSpec: "):
        proposal_parts(3, "c", "t", b"\xff", b"", b"", 0, {})
    with pytest.raises(InputError, match="error unmarshalling ChaincodeProposalPayload: "):
        transaction_payload(b"", b"", b"\xff", b"", [])
