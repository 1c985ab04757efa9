# SPDX-License-Identifier: Apache-2.0
"""Our configtxlator and Fabric's: the same JSON, the same bytes, the same updates."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from corpora import Corpus, OpenCorpus, archives
from fabric_tools import examples, fabric_tool, run
from fastledger.common.errors import InputError
from fastledger.protos.common import common_pb2
from fastledger.protos.common.configtx_pb2 import ConfigEnvelope
from fastledger.tools.configtxlator import protolator
from fastledger.tools.configtxlator.registry import message_type
from fastledger.tools.configtxlator.update import compute_update
from message_trees import changed, messages
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


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Any]]:
    """Messages of kept ledgers, as trees."""
    corpus = Corpus(archives()["v14"], tmp_path_factory.mktemp("v14"))
    found = []
    for _, kind, path in list(inputs(corpus))[:8]:
        tree = protolator.to_tree(message_type(kind).FromString(path.read_bytes()))
        found += list(messages(kind, tree))
    assert found
    return found


@given(data=st.data())
@examples()
def test_changed_messages(pool: list[tuple[str, Any]], data: st.DataObject) -> None:
    kind, text = data.draw(changed(pool))
    program = str(fabric_tool("configtxlator"))
    real = subprocess.run(
        [program, "proto_encode", "--type", kind], input=text, capture_output=True
    )
    try:
        ours = protolator.from_json(text, message_type(kind))
    except InputError:
        assert real.returncode != 0
        return
    event("taken")
    assert real.returncode == 0, real.stderr
    assert message_type(kind).FromString(real.stdout) == ours
    command = [program, "proto_decode", "--type", kind]
    shown = subprocess.run(command, input=real.stdout, capture_output=True)
    try:
        text = protolator.to_json(ours).encode()
    except InputError:
        assert shown.returncode != 0
    else:
        assert shown.stdout == text
