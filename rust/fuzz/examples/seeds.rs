// SPDX-License-Identifier: Apache-2.0
//! Fills `corpus/` with inputs to begin from: pieces of the real ledgers in `tests/vectors`, and messages of the
//! network made of nothing. What is there already stays.

use std::fs;
use std::path::{Path, PathBuf};

use fastledger_fuzz::message::{Bytes, Number, map_entry, message, repeated};
use fastledger_fuzz::network::policy::{self, role};
use fastledger_fuzz::network::setup::collections;
use fastledger_fuzz::network::{
    CHANNEL, Member, Network, ORGANIZATIONS, Organization, Rules, config_block, from_pem, revocation_list,
};
use fastledger_fuzz::recipe::{plain, tx_recipe};
use fastledger_fuzz::tree::Random;
use fastledger_fuzz::views;
use fastledger_mvcc::testing::encode;
use fastledger_vectors::Corpus;
use fastledger_wire::block::encode_record;
use fastledger_wire::common::{Block, ChannelHeader, Envelope, Payload, header_type};
use fastledger_wire::hash::{hex, sha256};
use fastledger_wire::peer::{ChaincodeAction, ChaincodeActionPayload, ProposalResponsePayload, Transaction};
use fastledger_wire::rwset::TxRwSet;
use fastledger_wire::{Message, encode as wire_encode};

/// Messages nested deeper than any decoder goes along.
const DEEP: usize = 6_000;

fn main() {
    let corpora: Vec<_> =
        ["fabric-3.1/small", "fabric-3.1/bypass", "fabric-3.1/malformed", "fabric-1.4/pvt14", "fabric-1.4/v11"]
            .into_iter()
            .map(Corpus::kept)
            .collect();
    let blocks: Vec<&[u8]> = corpora.iter().flat_map(Corpus::delivered_blocks).collect();
    real_blocks(&blocks, &corpora);
    transactions(&blocks);
    identities();
    configurations();
    policies();
    numbers();
    if let Some(small) = corpora.first() {
        snapshot(small);
    }
}

fn put(target: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).expect("a folder");
    let name: PathBuf = folder.join(&hex(&sha256(&[bytes]))[..16]);
    fs::write(name, bytes).expect("a new file");
}

fn put_message(view: &str, bytes: &[u8]) {
    let place = views::place(view).unwrap_or_else(|| panic!("no view is called {view}"));
    let middle = u16::try_from(bytes.len() / 2).unwrap_or(u16::MAX).to_be_bytes();
    put("wire_messages", &[&[place], middle.as_slice(), bytes].concat());
}

/// Blocks small enough to be changed often.
const MAX_SEED_BYTES: usize = 16_000;

fn real_blocks(blocks: &[&[u8]], corpora: &[Corpus]) {
    for bytes in blocks.iter().filter(|block| block.len() < MAX_SEED_BYTES) {
        let block = Block::decode(bytes).expect("a block");
        let (Some(header), Some(data), Some(metadata)) = (block.header, block.data, block.metadata) else { continue };
        put("block_record", &encode_record(&header, &data.data, &metadata.metadata));
        put("block_record", bytes);
        put_message("common::Block", bytes);
        put_message("common::Metadata", metadata.metadata[0]);
        put("block_signatures", &[&[0, 0, 1, 2, 3, 4, 5], metadata.metadata[0]].concat());
        put("block_signatures", &[&[1, 0, 1, 2, 11, 4, 8], b"value".as_slice()].concat());
    }
    // Blocks of other heights are good data for these.
    for (choice, bytes) in (0u8..).zip(corpora.first().iter().flat_map(|corpus| corpus.delivered_blocks())) {
        if bytes.len() < MAX_SEED_BYTES {
            put("blocks", &[&[choice % 3 + 4], bytes].concat());
            put("blocks", &[&[choice % 3 + 12], bytes].concat());
        }
    }
    let stream = |blocks: &[&[u8]]| {
        let mut file = Vec::new();
        for block in blocks {
            let block = Block::decode(block).expect("a block");
            let (header, data) = (block.header.unwrap_or_default(), block.data.unwrap_or_default().data);
            wire_encode::length_prefixed(&mut file, &encode_record(&header, &data, &[]));
        }
        file
    };
    if let Some(corpus) = corpora.first() {
        let blocks = corpus.delivered_blocks();
        put("block_files", &repeated(1, [stream(&blocks[..1]), stream(&blocks[1..3])]));
        put("block_files", &repeated(1, [stream(&blocks[..3])]));
        let torn = stream(&blocks[..2]);
        put("block_files", &repeated(1, [&torn[..torn.len() - 100]]));
    }
}

fn transactions(blocks: &[&[u8]]) {
    put("transactions", &[&[2], plain(1).as_slice()].concat());
    let mut count = 0u64;
    for entry in blocks.iter().flat_map(|block| Block::decode(block).expect("a block").data.unwrap_or_default().data) {
        count += 1;
        // Many transactions are alike.
        if count.is_multiple_of(6) {
            pieces(entry, count);
        }
    }
    for (number, results) in (0u8..).zip(special_results()) {
        let tx = |nonce| tx_recipe("cc", &results, &[number, nonce]);
        for choice in [1, 2, 5, 6] {
            put("transactions", &[&[choice], repeated(1, [tx(0), tx(1)]).as_slice()].concat());
        }
        put("mvcc_rwsets", &message(&[Bytes(1, &results), Bytes(1, &results), Bytes(2, &[number; 64])]));
    }
}

/// Takes one transaction of a real ledger apart.
fn pieces(entry: &[u8], count: u64) -> Option<()> {
    let small = |bytes: &[u8]| bytes.len() < MAX_SEED_BYTES;
    put_message("common::Envelope", entry.get(..entry.len().min(MAX_SEED_BYTES))?);
    let envelope = Envelope::decode(entry).ok()?;
    put("signature_der", envelope.signature);
    let payload = Payload::decode(envelope.payload).ok()?;
    let header = payload.header?;
    put_message("common::ChannelHeader", header.channel_header);
    put_message("common::SignatureHeader", header.signature_header);
    if ChannelHeader::decode(header.channel_header).ok()?.r#type != header_type::ENDORSER_TRANSACTION {
        put_message("configtx::ConfigEnvelope", Some(payload.data).filter(|data| data.len() < 60_000)?);
        return None;
    }
    put_message("peer::Transaction", Some(payload.data).filter(|data| small(data))?);
    let action = Transaction::decode(payload.data).ok()?.actions.first()?.payload;
    put_message("peer::ChaincodeActionPayload", action);
    let action = ChaincodeActionPayload::decode(action).ok()?;
    put_message("peer::ChaincodeProposalPayload", action.chaincode_proposal_payload);
    let response = ProposalResponsePayload::decode(action.action?.proposal_response_payload).ok()?;
    let extension = response.extension;
    put_message("peer::ChaincodeAction", extension);
    let results = ChaincodeAction::decode(extension).ok()?.results;
    let mut rwset = TxRwSet::decode(results).ok().filter(|_| small(results))?;
    put_message("rwset::TxReadWriteSet", results);
    put("mvcc_rwsets", &message(&[Bytes(1, results)]));
    for (namespace, name) in rwset.namespaces.iter_mut().zip(["cc", "other", "free", "nobody", "lscc"]) {
        namespace.namespace = name;
        for (collection, name) in namespace.collections.iter_mut().zip(["coll", "own", "ref"]) {
            collection.collection = name;
        }
    }
    let tx = tx_recipe("cc", &encode::rwset(&rwset), &count.to_be_bytes());
    put("transactions", &[&[(count % 3) as u8], message(&[Bytes(1, &tx)]).as_slice()].concat());
    Some(())
}

/// Read-write sets of every kind, over the keys that the network's channel has.
fn special_results() -> Vec<Vec<u8>> {
    let results =
        |name: &str, rwset: Vec<u8>| message(&[Bytes(2, &message(&[Bytes(1, name.as_bytes()), Bytes(2, &rwset)]))]);
    let write = |key: &str, value: &[u8]| message(&[Bytes(3, &message(&[Bytes(1, key.as_bytes()), Bytes(3, value)]))]);
    let version = message(&[Number(1, 2)]);
    let read = |key: &str| message(&[Bytes(1, &message(&[Bytes(1, key.as_bytes()), Bytes(2, &version)]))]);
    let seen = ["a", "b", "c"].map(|key| message(&[Bytes(1, key.as_bytes()), Bytes(2, &version)]));
    let range = message(&[Bytes(1, b"a"), Bytes(2, b"d"), Number(3, 1), Bytes(4, &repeated(1, seen))]);
    let entry = message(&[Bytes(1, b"VALIDATION_PARAMETER"), Bytes(2, &policy::n_of_msps(1, &ORGANIZATIONS, 3))]);
    let metadata = message(&[Bytes(4, &message(&[Bytes(1, b"a"), Bytes(2, &entry)]))]);
    let hashed = |collection: &str| {
        let write = message(&[Bytes(2, &message(&[Bytes(1, &[7; 32]), Bytes(3, &[8; 32])]))]);
        let hashed = message(&[Bytes(3, &message(&[Bytes(1, collection.as_bytes()), Bytes(2, &write)]))]);
        message(&[Bytes(2, &[message(&[Bytes(1, b"cc")]), hashed].concat())])
    };
    vec![
        results("cc", [read("a"), write("a", b"new")].concat()),
        results("cc", message(&[Bytes(2, &range)])),
        results("cc", metadata),
        results("cc", write("guarded", b"x")),
        results("cc", write("open", b"x").repeat(2)),
        results("other", write("k", b"v")),
        results("_lifecycle", write("namespaces/fields/cc/Collections", &message(&[Bytes(2, &collections())]))),
        results("lscc", write("cc", b"no record")),
        hashed("coll"),
        hashed("own"),
        hashed("ref"),
        hashed("_implicit_org_Org1MSP"),
        Vec::new(),
    ]
}

fn identities() {
    let network = Network::get();
    for member in network.members() {
        put("certificate", &member.pem);
        put("certificate", &from_pem(&member.pem));
        put_message("msp::SerializedIdentity", &member.serialized());
    }
    let Organization { authority, members, .. } = &network.organizations[0];
    let der = |member: &Member| from_pem(&member.pem);
    let crl = from_pem(&revocation_list(authority, &[5]));
    let unit = |number, name: &str| message(&[Bytes(number, &message(&[Bytes(2, name.as_bytes())]))]);
    let units = [message(&[Number(1, 1)]), unit(2, "client"), unit(3, "peer"), unit(4, "admin")].concat();
    let identities: Vec<_> = members.iter().map(der).collect();
    for (version, signed) in [(0, 0), (1, 0), (2, 31), (3, 0), (3, 31), (4, 16)] {
        let input = [
            message(&[
                Number(1, version),
                Bytes(2, &der(authority)),
                Bytes(4, &identities[2]),
                Bytes(5, &crl),
                Bytes(6, &message(&[Bytes(11, &units)])),
                Number(8, signed),
                Bytes(9, &members[0].pem),
            ]),
            repeated(7, &identities[..4]),
        ];
        put("msp", &input.concat());
    }
    put_message(
        "msp::FabricMspConfig",
        &fastledger_fuzz::network::msp_definition(&network.organizations[0], Rules::V2_5),
    );
}

fn configurations() {
    for (choice, rules) in (0u8..).zip(Rules::ALL) {
        let (entry, envelope) = config_block(Network::get(), rules);
        put("channel_config", &[&[choice], envelope.as_slice()].concat());
        put_message("common::Envelope", &entry);
        let size = message(&[Number(1, 10), Number(2, 10 << 20), Number(3, 1 << 20)]);
        let value = message(&[Number(1, 1), Bytes(2, &size), Bytes(3, b"Admins")]);
        let inner = |field, content: &[u8]| {
            let group = map_entry(2, "Orderer", content);
            message(&[Bytes(field, &group)])
        };
        let update =
            [message(&[Bytes(1, CHANNEL.as_bytes())]), inner(2, &[]), inner(3, &map_entry(3, "BatchSize", &value))]
                .concat();
        put_message("configtx::ConfigUpdate", &update);
        let update_envelope = message(&[Bytes(1, &update)]);
        let header = message(&[Bytes(1, &message(&[Number(1, 2), Bytes(4, CHANNEL.as_bytes())]))]);
        let payload = message(&[Bytes(1, &header), Bytes(2, &update_envelope)]);
        let input = [envelope, message(&[Bytes(2, &message(&[Bytes(1, &payload)]))])].concat();
        put("channel_config", &[&[choice | 12], input.as_slice()].concat());
    }
}

fn policies() {
    let input = |envelope: &[u8], signers: &[u8]| put("policy", &message(&[Bytes(1, envelope), Bytes(2, signers)]));
    for role in [role::MEMBER, role::ADMIN, role::CLIENT, role::PEER, role::ORDERER] {
        input(&policy::n_of_msps(2, &ORGANIZATIONS, role), &[0, 6, 12, 1, 7]);
    }
    let both = policy::n_out_of(1, &[policy::signed_by(0), policy::signed_by(1)]);
    let nested = policy::n_out_of(2, &[both.clone(), policy::n_out_of(1, &[both]), policy::signed_by(2)]);
    let principals = ORGANIZATIONS.map(|mspid| policy::role_of(mspid, role::MEMBER));
    input(&policy::envelope(&nested, &principals), &[0, 1, 2, 6, 7]);
    let certifier = sha256(&[&from_pem(&Network::get().organizations[0].authority.pem)]);
    let unit = message(&[Bytes(1, b"Org1MSP"), Bytes(2, b"peer"), Bytes(3, &certifier)]);
    let unit = message(&[Number(1, 1), Bytes(2, &unit)]);
    let identity = message(&[Number(1, 2), Bytes(2, &Network::get().peer(1).serialized())]);
    let nominal = message(&[Number(1, 3)]);
    let combined = message(&[Number(1, 4), Bytes(2, &repeated(1, [&unit, &principals[0]]))]);
    for principal in [unit, identity, nominal, combined] {
        input(&policy::envelope(&policy::signed_by(0), &[principal]), &[0, 3, 6, 18]);
    }
    let mut deep = policy::signed_by(0);
    for _ in 0..DEEP {
        deep = policy::n_out_of(1, &[deep]);
    }
    let deep = policy::envelope(&deep, &principals);
    input(&deep, &[0]);
    put_message("policies::SignaturePolicyEnvelope", &deep);
    put_message("policies::ApplicationPolicy", &policy::application(&deep));
    put_message("peer::CollectionConfigPackage", &collections());
}

/// Inputs that are only numbers to choose by.
fn numbers() {
    let mut random = Random::new(1);
    for target in ["mvcc", "p256"] {
        for _ in 0..30 {
            let length = 100 + random.below(1_000);
            let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
            put(target, &bytes);
        }
    }
}

fn snapshot(corpus: &Corpus) {
    let names = [
        "public_state.data",
        "public_state.metadata",
        "private_state_hashes.data",
        "private_state_hashes.metadata",
        "txids.data",
        "txids.metadata",
        "confighistory.data",
        "confighistory.metadata",
    ];
    let mut input = Vec::new();
    for (number, name) in (1..).zip(names) {
        let Some(content) = corpus.files.get(&format!("snapshot/{name}")) else { continue };
        input.extend(message(&[Bytes(number, content)]));
    }
    input.extend(message(&[
        Number(9, 83),
        Bytes(10, "11".repeat(32).as_bytes()),
        Bytes(11, "22".repeat(32).as_bytes()),
    ]));
    put("snapshot", &input);
    // A small one, which is changed faster.
    let state = |namespace: &[u8], record: &[u8]| {
        let data = [&[1, record.len() as u8], record].concat();
        let metadata = [&[1, 1, namespace.len() as u8], namespace, &[1]].concat();
        (data, metadata)
    };
    let record = message(&[Bytes(1, b"key"), Bytes(2, b"value"), Bytes(4, &[1, 5, 1, 2])]);
    let (public, counted) = state(b"cc", &record);
    let (hashes, counted_hashes) = state(b"cc$$hcoll", &record);
    let key = [b"slscc\0cc~collection".as_slice(), &(u64::MAX - 3).to_be_bytes()].concat();
    let mut history = vec![1];
    wire_encode::length_prefixed(&mut history, &key);
    wire_encode::length_prefixed(&mut history, &collections());
    let txids = [&[1, 4], b"abcd".as_slice(), &[64], "0f".repeat(32).as_bytes()].concat();
    put(
        "snapshot",
        &message(&[
            Bytes(1, &public),
            Bytes(2, &counted),
            Bytes(3, &hashes),
            Bytes(4, &counted_hashes),
            Bytes(5, &txids),
            Bytes(6, &[1, 2]),
            Bytes(7, &history),
            Bytes(8, &[1, 1]),
            Number(9, 9),
        ]),
    );
}
