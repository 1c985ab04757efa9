// SPDX-License-Identifier: Apache-2.0
//! Blocks as an orderer keeps them: each names the one before, and they are durable when their file was synced.

use bytes::Bytes;

/// A block without what is in it: an identity that a client chose, and so much padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) number: u64,
    pub(crate) previous: u64,
    pub(crate) content: u64,
}

impl Block {
    pub(crate) fn hash(self) -> u64 {
        // FNV-1a over the three numbers; nobody here looks for collisions.
        let bytes = [self.number, self.previous, self.content].into_iter().flat_map(u64::to_le_bytes);
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    }

    pub(crate) fn encode(self, padding: usize) -> Bytes {
        let mut bytes = [self.number, self.previous, self.content].map(u64::to_le_bytes).concat();
        bytes.resize(bytes.len() + padding, 0xee);
        bytes.into()
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for the data of another entry.
    pub(crate) fn decode(data: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(data.get(at..at + 8)?.try_into().ok()?));
        Some(Self { number: number(0)?, previous: number(8)?, content: number(16)? })
    }
}

/// One member's block files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain {
    blocks: Vec<(Block, u64)>,
    /// How many of them were synced.
    durable: usize,
}

impl Chain {
    pub(crate) fn height(&self) -> u64 {
        self.blocks.len() as u64
    }

    pub(crate) fn tip_hash(&self) -> u64 {
        self.blocks.last().map_or(0, |(block, _)| block.hash())
    }

    pub(crate) fn block(&self, number: u64) -> Option<Block> {
        self.blocks.get(usize::try_from(number).ok()?).map(|(block, _)| *block)
    }

    /// Writes a block that came out of the log at `index`; `Err` for one that does not continue the chain.
    pub(crate) fn write(&mut self, block: Block, index: u64) -> Result<(), &'static str> {
        if block.number < self.height() {
            let same = self.block(block.number) == Some(block);
            return if same { Ok(()) } else { Err("another block has this number") };
        }
        if block.number > self.height() {
            return Err("a block is missing before it");
        }
        if block.previous != self.tip_hash() {
            return Err("it does not name the block before");
        }
        self.blocks.push((block, index));
        Ok(())
    }

    pub(crate) fn sync(&mut self) {
        self.durable = self.blocks.len();
    }

    /// The last entry whose block is durable, and the block.
    pub(crate) fn durable_tip(&self) -> Option<(Block, u64)> {
        self.blocks[..self.durable].last().copied()
    }

    /// Loses what was not synced, from some block on.
    pub(crate) fn crash(&mut self, kept: u64) {
        let unsynced = self.blocks.len() - self.durable;
        let kept = usize::try_from(kept).unwrap_or_default().min(unsynced);
        self.blocks.truncate(self.durable + kept);
        self.durable = self.blocks.len();
    }

    pub(crate) fn unsynced(&self) -> u64 {
        (self.blocks.len() - self.durable) as u64
    }
}
