# SPDX-License-Identifier: Apache-2.0
"""Whose values a peer keeps: as a collection was defined when its block came."""

from types import SimpleNamespace

from fastledger.common.errors import PolicyUnsatisfied
from fastledger.endorser.collectionconfigs import PeerRules
from fastledger.policies import from_string
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.peer.collection_pb2 import CollectionConfigPackage


def package(member: str) -> bytes:
    made = CollectionConfigPackage()
    one = made.config.add().static_collection_config
    one.name = "c"
    one.member_orgs_policy.signature_policy.CopyFrom(from_string(f"OR('{member}.member')"))
    return made.SerializeToString()


class Ledger:
    """Defines a collection in block 2 for the peer's organization, in block 5 for another one."""

    height = 9

    def collections_before(self, chaincode: str, block: int) -> bytes | None:
        if chaincode != "cc" or block <= 2:
            return None
        return package("Org1MSP" if block <= 5 else "Org2MSP")


class Bundle:
    """Takes whoever signs for a member of Org1MSP, and counts the questions."""

    asked = 0

    def evaluate_envelope(self, policy: bytes, _signed: object) -> None:
        self.asked += 1
        if b"Org1MSP" not in policy:
            raise PolicyUnsatisfied("not a member", "")


class Signer:
    serialized = SerializedIdentity(mspid="Org1MSP").SerializeToString()

    def sign(self, message: bytes) -> bytes:
        return message


def test_a_member_is_one_by_the_definition_before_the_block() -> None:
    bundle = Bundle()
    rules = PeerRules(SimpleNamespace(ledger=Ledger(), bundle=bundle), Signer())
    members = {block: rules.is_member("cc", "c", block) for block in (3, 4, 5, 6, 9)}
    assert members == {3: True, 4: True, 5: True, 6: False, 9: False}
    # Older ones than are known: as it is now.
    assert not rules.is_member("cc", "c", 1)
    assert not rules.is_member("cc", "unknown", 9)
    assert rules.is_member("cc", "_implicit_org_Org1MSP", 1)
    assert not rules.is_member("cc", "_implicit_org_Org2MSP", 1)


def test_a_block_asks_once_for_all_its_transactions() -> None:
    bundle = Bundle()
    rules = PeerRules(SimpleNamespace(ledger=Ledger(), bundle=bundle), Signer())
    assert all(rules.is_member("cc", "c", 4) for _ in range(10))
    assert bundle.asked == 1
