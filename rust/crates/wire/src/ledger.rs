// SPDX-License-Identifier: Apache-2.0
//! Views of messages that live in ledgers only.

use crate::messages;

messages! {
    /// `common.BlockchainInfo`.
    BlockchainInfo<'a> {
        1 => height: u64,
        2 => current_block_hash: &'a [u8],
        3 => previous_block_hash: &'a [u8],
    }
}
