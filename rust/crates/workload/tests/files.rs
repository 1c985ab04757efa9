// SPDX-License-Identifier: Apache-2.0
//! Channels on disk.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::fs;

use fastledger_workload::{GeneratedBlock, Spec, Workload, files};

fn blocks() -> Vec<GeneratedBlock> {
    Workload::new(&Spec { transactions: 7, block_transactions: 3, keys: 10, ..Spec::default() }).unwrap().collect()
}

#[test]
fn a_folder_holds_a_file_for_each_block() {
    let dir = tempfile::tempdir().unwrap();
    let blocks = blocks();
    files::write_folder(&dir.path().join("new/folder"), blocks.iter().cloned()).unwrap();
    for block in &blocks {
        let file = dir.path().join(format!("new/folder/{:06}.block", block.number));
        assert_eq!(fs::read(file).unwrap(), block.bytes);
    }
    let predicted = fs::read_to_string(dir.path().join("new/folder/predicted.jsonl")).unwrap();
    let lines: Vec<_> = predicted.lines().collect();
    assert_eq!(lines.len(), blocks.len());
    assert_eq!(lines[0], r#"{"number":0,"is_measured":false,"predicted":"00"}"#);
    assert!(lines[lines.len() - 1].starts_with(r#"{"number":7,"is_measured":true,"predicted":"0"#));
}

#[test]
fn a_stream_gives_back_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("channel.blocks");
    let blocks = blocks();
    files::write_stream(&path, blocks.iter().cloned()).unwrap();
    let read: Vec<_> = files::read_stream(&path).unwrap().map(Result::unwrap).collect();
    assert!(read.iter().eq(blocks.iter().map(|block| &block.bytes)));
    assert!(dir.path().join("channel.blocks.predicted.jsonl").exists());
}

#[test]
fn a_torn_stream_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("channel.blocks");
    files::write_stream(&path, blocks().into_iter()).unwrap();
    let whole = fs::read(&path).unwrap();
    let last = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        files::read_stream(&path).unwrap().find_map(Result::err).unwrap().to_string()
    };
    let torn = last(&whole[..whole.len() - 1]);
    assert!(torn.contains("channel.blocks: the file ends inside a block"), "{torn}");
    let huge = last(&[0xff, 0xff, 0xff, 0xff, 0x7f]);
    assert!(huge.contains("more than the 104857600"), "{huge}");
    let endless = last(&[0xff; 12]);
    assert!(endless.contains("more than 64 bits"), "{endless}");
    let missing = files::read_stream(&dir.path().join("missing")).err().unwrap().to_string();
    assert!(missing.contains("missing: "), "{missing}");
}
