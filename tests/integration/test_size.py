# SPDX-License-Identifier: Apache-2.0
"""A long ledger opens quickly, and replaying takes no more memory the longer it gets."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fastledger
from corpora import Corpus
from fastledger.protos.common.common_pb2 import (
    Block,
    BlockHeader,
    ChannelHeader,
    Envelope,
    Header,
    HeaderType,
    Payload,
)
from fastledger.protoutil.hashes import header_hash

BLOCKS = 10_000
MAX_OPEN_S = 1.0
MAX_MEMORY_MB = 500


def transaction(number: int) -> bytes:
    """Make a transaction without a creator."""
    channel_header = ChannelHeader(
        type=HeaderType.ENDORSER_TRANSACTION, channel_id="small", tx_id=f"{number:064x}"
    )
    payload = Payload(header=Header(channel_header=channel_header.SerializeToString()))
    return Envelope(payload=payload.SerializeToString(), signature=b"-").SerializeToString()


def chain(genesis: bytes) -> Iterator[bytes]:
    """Go on after a genesis block, with unsigned blocks of one invalid transaction each."""
    yield genesis
    previous = Block.FromString(genesis).header
    for number in range(1, BLOCKS):
        entry = transaction(number)
        header = BlockHeader(
            number=number,
            previous_hash=header_hash(previous),
            data_hash=hashlib.sha256(entry).digest(),
        )
        block = Block(header=header)
        block.data.data.append(entry)
        block.metadata.metadata.extend([b""] * 5)
        yield block.SerializeToString()
        previous = header


def test_ten_thousand_blocks_open_in_under_a_second(small: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    genesis = small.blocks("orderer")[0]
    with fastledger.open(path, durable=False, verify_block_signatures=False) as ledger:
        codes = {code for commit in ledger.commit_all(chain(genesis)) for code in commit.filter}
        last = ledger.last_commit_hash
    assert codes == {
        fastledger.TxValidationCode.VALID,
        fastledger.TxValidationCode.BAD_COMMON_HEADER,
    }
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        with fastledger.open(path, verify_block_signatures=False) as ledger:
            seconds.append(time.perf_counter() - start)
            assert (ledger.height, ledger.last_commit_hash) == (BLOCKS, last)
    assert min(seconds) < MAX_OPEN_S


REPLAY = """
import sys, fastledger
from fastledger.bench import memory
from fastledger.ledger import sources
with sources.open(sys.argv[2]) as source, fastledger.open(sys.argv[1]) as ledger:
    for _ in ledger.commit_all(source):
        pass
print(memory.peak_mb())
"""


def test_a_replay_stays_in_its_memory(small: Corpus, tmp_path: Path) -> None:
    command = [sys.executable, "-c", REPLAY, str(tmp_path / "ledger"), str(small.folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(done.stdout) < MAX_MEMORY_MB
