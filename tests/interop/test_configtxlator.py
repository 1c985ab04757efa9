# SPDX-License-Identifier: Apache-2.0
"""Our configtxlator and Fabric's: the same JSON, the same bytes, the same updates."""

import hashlib
from pathlib import Path

import pytest

from corpora import OpenCorpus
from fabric_tools import run
from fastledger.protos.common import common_pb2
from fastledger.protos.common.configtx_pb2 import ConfigEnvelope
from fastledger.tools.configtxlator import protolator
from fastledger.tools.configtxlator.registry import message_type
from fastledger.tools.configtxlator.update import compute_update
from tool_inputs import CORPORA, digests, inputs


@pytest.mark.parametrize("name", CORPORA)
def test_messages(name: str, open_corpus: OpenCorpus) -> None:
    expected = digests()
    for key, kind, path in inputs(open_corpus(name)):
        if expected[key] is None:
            continue
        text = run("configtxlator", "proto_decode", "--type", kind, "--input", path)
        assert hashlib.sha256(text).hexdigest() == expected[key]
        message = message_type(kind).FromString(path.read_bytes())
        assert protolator.to_json(message).encode() == text, key
        encoded = run("configtxlator", "proto_encode", "--type", kind, input=text)
        ours = protolator.from_json(text, message_type(kind))
        assert ours.SerializeToString(deterministic=True) == encoded, key


def test_updates(open_corpus: OpenCorpus, tmp_path: Path) -> None:
    configs = []
    for number, block in enumerate(open_corpus("v14").blocks("peer")[:3]):
        entry = common_pb2.Block.FromString(block).data.data[0]
        payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(entry).payload)
        configs.append(ConfigEnvelope.FromString(payload.data).config)
        (tmp_path / f"{number}.pb").write_bytes(configs[-1].SerializeToString())
    for before in range(3):
        for after in {0, 1, 2} - {before}:
            computed = compute_update("mychannel", configs[before], configs[after])
            real = run(
                "configtxlator",
                "compute_update",
                "--channel_id=mychannel",
                f"--original={tmp_path / f'{before}.pb'}",
                f"--updated={tmp_path / f'{after}.pb'}",
            )
            assert type(computed).FromString(real) == computed
