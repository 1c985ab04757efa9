// SPDX-License-Identifier: Apache-2.0
//! The judge against the product, over contention, block sizes and kinds of transactions.

fn main() {}
