# SPDX-License-Identifier: Apache-2.0
"""What capabilities bring, held against Fabric's own lists of 3.1.

Fabric: ``common/capabilities/{application,orderer}.go``, which name for each question the
capabilities that answer it with yes.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastledger.channelconfig import ApplicationCapabilities, OrdererCapabilities
from fastledger.common.errors import Unsupported

APPLICATION = {
    "private_channel_data": "V1_1_PVTDATA_EXPERIMENTAL V1_2 V1_3 V1_4_2 V2_0 V2_5",
    "lifecycle_v2_0": "V2_0 V2_5",
    "key_level_endorsement": "V1_3 V1_4_2 V2_0 V2_5",
    "store_pvt_data_of_invalid_tx": "V1_4_2 V2_0 V2_5",
    "purge_pvt_data": "V2_5",
}
APPLICATION_NAMES = {
    "V1_1",
    "V1_1_PVTDATA_EXPERIMENTAL",
    "V1_1_RESOURCETREE_EXPERIMENTAL",
    "V1_2",
    "V1_3",
    "V1_4_2",
    "V2_0",
    "V2_5",
}

ORDERER = {
    "expiration_check": "V1_1 V1_4_2 V2_0",
    "consensus_type_migration": "V1_4_2 V2_0",
}
ORDERER_NAMES = {"V1_1", "V1_4_2", "V2_0"}

NAMES = st.sets(st.sampled_from([*sorted(APPLICATION_NAMES), "V1_4_3", "V3_0", "V9_9", ""]))


@given(NAMES)
def test_peers_are_asked_what_fabrics_are(names: set[str]) -> None:
    asked = ApplicationCapabilities(names)
    assert asked.names == names
    for question, answers in APPLICATION.items():
        assert getattr(asked, question) == (not names.isdisjoint(answers.split())), question


@given(NAMES)
def test_orderers_are_asked_what_fabrics_are(names: set[str]) -> None:
    asked = OrdererCapabilities(names)
    assert asked.names == names
    for question, answers in ORDERER.items():
        assert getattr(asked, question) == (not names.isdisjoint(answers.split())), question


@given(NAMES)
def test_each_kind_of_node_refuses_what_its_own_does_not_know(names: set[str]) -> None:
    for group, kind, known in (
        ("Application", ApplicationCapabilities, APPLICATION_NAMES),
        ("Orderer", OrdererCapabilities, ORDERER_NAMES),
    ):
        unknown = sorted(names - known)
        if not unknown:
            kind(names).check_supported()
            continue
        with pytest.raises(Unsupported) as raised:
            kind(names).check_supported()
        assert str(raised.value) == (
            f"{group} capability {unknown[0]} is required but not supported"
        )
