// SPDX-License-Identifier: Apache-2.0
//! The cases. Each prepares a channel and measures one block.

use fastledger_committer::Options;
use fastledger_fuzz::message::{Bytes, Number, message, repeated};
use fastledger_fuzz::network::policy::{self, role};
use fastledger_fuzz::network::setup::VALIDATION_PARAMETER;
use fastledger_fuzz::network::{CHANNEL, Network, Rules, block, signatures};
use fastledger_wire::common::BlockHeader;
use fastledger_wire::hash::data_hash;

use crate::world::{Measured, World, metadata, results, write};

/// A case and its name.
pub struct Case {
    pub name: &'static str,
    pub run: fn() -> Measured,
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => { &[$(Case { name: stringify!($name), run: $name }),*] };
}

pub const ALL: &[Case] = cases![
    good,
    good_large_writes,
    empty_entries,
    empty_entries_allowed,
    tiny_envelopes,
    tiny_transactions,
    metadata_slots,
    block_signatures,
    block_signatures_large_value,
    endorsements_empty,
    endorsements_same,
    endorsements_large_payload,
    endorsements_varied,
    identity_large,
    reads_empty,
    namespaces,
    namespaces_colliding,
    tx_ids_colliding,
    keys,
    keys_colliding,
    writes_of_a_key,
    key_policy_large,
    key_policy_deep,
    key_policy_named_long,
    key_metadata_large,
    value_large_kept,
    collection_writes,
    ranges_of_deleted,
    ranges_of_deleted_before,
    summaries_of_a_range,
    summaries_of_many_ranges,
    ranges_of_staged,
    ranges_of_long_keys,
    expiring,
    revoked_varied,
];

fn many(count: usize, make: impl FnMut(usize) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..count).map(make).collect()
}

/// 3,000 ordinary transactions.
fn good() -> Measured {
    let mut world = World::ordinary();
    let entries = many(3_000, |index| world.tx(&results("cc", &write(&format!("key{index}"), b"value"))));
    world.measure(&entries)
}

/// As few transactions as fill 10 MB with keys.
fn good_large_writes() -> Measured {
    let mut world = World::ordinary();
    let rwset: Vec<u8> = (0..10_000).flat_map(|key| write(&format!("key{key}"), &[7; 100])).collect();
    let entries = many(8, |_| world.tx(&results("cc", &rwset)));
    world.measure(&entries)
}

fn empty_entries() -> Measured {
    World::ordinary().measure(&vec![Vec::new(); 2_000_000])
}

fn empty_entries_allowed() -> Measured {
    let mut world = World::new(Rules::V2_5, Options { allow_malformed: true, ..Options::default() });
    world.measure(&vec![Vec::new(); 2_000_000])
}

fn tiny_envelopes() -> Measured {
    let mut world = World::ordinary();
    let first = world.tx(&results("cc", &write("key", b"value")));
    let mut entries = vec![message(&[Bytes(1, b"x"), Bytes(2, b"y")]); 1_000_000];
    entries[0] = first;
    world.measure(&entries)
}

/// Headers and nothing else: each has an id that is indexed.
fn tiny_transactions() -> Measured {
    let mut world = World::ordinary();
    let first = world.tx(&results("cc", &write("key", b"value")));
    let mut entries = many(100_000, |index| unsigned(&format!("id{index}")));
    entries[0] = first;
    world.measure(&entries)
}

/// A transaction of this id that is nothing else.
pub fn unsigned(tx_id: &str) -> Vec<u8> {
    let channel_header = message(&[Number(1, 3), Bytes(4, CHANNEL.as_bytes()), Bytes(5, tx_id.as_bytes())]);
    let header = message(&[Bytes(1, &channel_header), Bytes(2, &message(&[Bytes(1, b"c"), Bytes(2, b"n")]))]);
    message(&[Bytes(1, &message(&[Bytes(1, &header)])), Bytes(2, b"s")])
}

fn metadata_slots() -> Measured {
    let mut world = World::ordinary();
    let entries = [world.tx(&results("cc", &write("key", b"value")))];
    let block = world.block(&entries);
    let slots = message(&[Bytes(3, &repeated(1, vec![b""; 2_000_000]))]);
    world.measure_block(&[block, slots].concat())
}

/// Slot 0 with the same good signature 10,000 times, over a value of so many bytes.
fn many_block_signatures(value: usize) -> Measured {
    let mut world = World::ordinary();
    let entries = [world.tx(&results("cc", &write("key", b"value")))];
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    let (number, tip) = world.height();
    let header =
        BlockHeader { number, previous_hash: tip.as_ref().map_or(&[], |tip| tip), data_hash: &data_hash(&entries) };
    let value = vec![0x1a; value];
    let one = signatures(world.network, Rules::V2_5, &header, &value, &[(0, false)]);
    let head = message(&[Bytes(1, &value)]);
    let good = signatures(world.network, Rules::V2_5, &header, &value, &[(0, true)]);
    let all = [&head, &one[head.len()..].repeat(10_000), &good[head.len()..]].concat();
    let block = block(number, tip.as_ref(), &entries, &all);
    world.measure_block(&block)
}

fn block_signatures() -> Measured {
    many_block_signatures(10)
}

fn block_signatures_large_value() -> Measured {
    many_block_signatures(5_000_000)
}

/// One transaction whose endorsed action ends with these fields.
pub fn with_endorsements(world: &mut World, payload: usize, endorsements: &[u8]) -> Vec<u8> {
    let rwset = write("key", &vec![7; payload]);
    insert_endorsements(&world.tx(&results("cc", &rwset)), endorsements, world.network)
}

/// Appends to the action of a transaction, and signs it again.
fn insert_endorsements(entry: &[u8], endorsements: &[u8], network: &Network) -> Vec<u8> {
    use fastledger_wire::Message;
    use fastledger_wire::common::{Envelope, Payload};
    use fastledger_wire::peer::{ChaincodeActionPayload, Transaction};
    let payload = Payload::decode(Envelope::decode(entry).expect("an envelope").payload).expect("a payload");
    let header = payload.header.expect("a header");
    let transaction = Transaction::decode(payload.data).expect("a transaction");
    let action = &transaction.actions[0];
    let inner = ChaincodeActionPayload::decode(action.payload).expect("an action");
    let endorsed = inner.action.expect("endorsed");
    let mut fields = message(&[Bytes(1, endorsed.proposal_response_payload)]);
    for one in &endorsed.endorsements {
        fields.extend(message(&[Bytes(2, &message(&[Bytes(1, one.endorser), Bytes(2, one.signature)]))]));
    }
    fields.extend_from_slice(endorsements);
    let inner = message(&[Bytes(1, inner.chaincode_proposal_payload), Bytes(2, &fields)]);
    let data = message(&[Bytes(1, &message(&[Bytes(1, action.header), Bytes(2, &inner)]))]);
    let header = message(&[Bytes(1, header.channel_header), Bytes(2, header.signature_header)]);
    let payload = message(&[Bytes(1, &header), Bytes(2, &data)]);
    message(&[Bytes(1, &payload), Bytes(2, &network.client(0).key.sign(&[&payload]))])
}

fn endorsements_empty() -> Measured {
    let mut world = World::ordinary();
    let entry = with_endorsements(&mut world, 10, &message(&[Bytes(2, b"")]).repeat(1_000_000));
    world.measure(&[entry])
}

/// A well-formed endorsement that does not verify.
pub fn endorsement(identity: &[u8]) -> Vec<u8> {
    let signature = Network::get().peer(2).key.sign(&[b"something else"]);
    message(&[Bytes(2, &message(&[Bytes(1, identity), Bytes(2, &signature)]))])
}

fn endorsements_same() -> Measured {
    let mut world = World::ordinary();
    let endorsements = endorsement(&world.network.peer(2).serialized()).repeat(10_000);
    let entry = with_endorsements(&mut world, 10, &endorsements);
    world.measure(&[entry])
}

fn endorsements_large_payload() -> Measured {
    let mut world = World::ordinary();
    let endorsements = endorsement(&world.network.peer(2).serialized()).repeat(5_000);
    let entry = with_endorsements(&mut world, 5_000_000, &endorsements);
    world.measure(&[entry])
}

/// The same certificate in other bytes each time.
pub fn varied(identity: &[u8], number: usize) -> Vec<u8> {
    [identity, &message(&[Number(1_000, number as u64 + 1)])].concat()
}

fn endorsements_varied() -> Measured {
    let mut world = World::ordinary();
    let identity = world.network.peer(2).serialized();
    let endorsements: Vec<u8> = (0..10_000).flat_map(|number| endorsement(&varied(&identity, number))).collect();
    let entry = with_endorsements(&mut world, 10, &endorsements);
    world.measure(&[entry])
}

/// A certificate in a PEM text of 5 MB, mostly headers of blocks that are none.
fn identity_large() -> Measured {
    let mut world = World::ordinary();
    let mut pem = b"-----BEGIN X-----\na: b\n-----END Y-----\n".repeat(130_000);
    pem.extend_from_slice(&world.network.peer(2).pem);
    let identity = message(&[Bytes(1, b"Org3MSP"), Bytes(2, &pem)]);
    let entry = with_endorsements(&mut world, 10, &endorsement(&identity));
    world.measure(&[entry])
}

fn reads_empty() -> Measured {
    let mut world = World::ordinary();
    let entry = world.tx(&results("cc", &message(&[Bytes(1, b"")]).repeat(2_000_000)));
    world.measure(&[entry])
}

/// Namespaces of no chaincode, read only.
fn many_namespaces(names: impl Iterator<Item = String>) -> Measured {
    let mut world = World::ordinary();
    let results: Vec<u8> = names.flat_map(|name| results(&name, &[])).collect();
    let entry = world.tx(&results);
    world.measure(&[entry])
}

fn namespaces() -> Measured {
    many_namespaces((0..100_000).map(|number| format!("{number:032}")))
}

fn namespaces_colliding() -> Measured {
    many_namespaces((0..100_000).map(colliding))
}

/// Texts that `rustc_hash::FxHasher` takes for one: it multiplies by a factor that these make zero.
fn colliding(number: u64) -> String {
    collide(0x243f_6a88_85a3_08d3, number)
}

fn collide(seed: u64, number: u64) -> String {
    const KEY: u64 = 0xa409_3822_299f_31d0;
    let mix = |x: u64, y: u64| {
        let product = u128::from(x) * u128::from(y);
        product as u64 ^ (product >> 64) as u64
    };
    let digits = |number: u64| format!("{number:08}").into_bytes();
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let start = (0..).find_map(|start| {
        let tail = mix(seed ^ word(&digits(start)), KEY ^ word(b"        ")).to_le_bytes();
        tail.is_ascii().then_some((start, tail))
    });
    let (start, tail) = start.expect("one of about 256");
    let bytes = [digits(start), b"        ".to_vec(), digits(number), tail.to_vec()].concat();
    String::from_utf8(bytes).expect("ASCII")
}

fn tx_ids_colliding() -> Measured {
    let mut world = World::ordinary();
    let first = world.tx(&results("cc", &write("key", b"value")));
    // The index puts the length before the text, in four bytes.
    let mut entries = many(100_000, |index| unsigned(&colliding_behind(4, index as u64)));
    entries[0] = first;
    world.measure(&entries)
}

/// [`colliding`] texts for a table whose keys have so many other bytes before them, always the same: padded to where the
/// hasher's second seed counts.
fn colliding_behind(before: usize, number: u64) -> String {
    format!("{}{}", " ".repeat(16 - before), collide(0x1319_8a2e_0370_7344, number))
}

fn keys() -> Measured {
    many_keys((0..100_000).map(|number| format!("{number:032}")))
}

fn keys_colliding() -> Measured {
    // Behind `cc` and a zero.
    many_keys((0..100_000).map(|number| colliding_behind(3, number)))
}

fn many_keys(names: impl Iterator<Item = String>) -> Measured {
    let mut world = World::ordinary();
    let rwset: Vec<u8> = names.flat_map(|name| write(&name, b"v")).collect();
    let entry = world.tx(&results("cc", &rwset));
    world.measure(&[entry])
}

fn writes_of_a_key() -> Measured {
    let mut world = World::ordinary();
    let entry = world.tx(&results("cc", &write("k", b"v").repeat(500_001)));
    world.measure(&[entry])
}

/// A key with this policy, then a transaction that writes it so often.
fn key_policy(policy: &[u8], writes: usize) -> Measured {
    let mut world = World::ordinary();
    let rwset = [write("k", b"v"), metadata("k", VALIDATION_PARAMETER, policy)].concat();
    let entry = world.tx(&results("cc", &rwset));
    world.prepare(&[entry]);
    let entry = world.tx(&results("cc", &write("k", b"v").repeat(writes)));
    world.measure(&[entry])
}

fn key_policy_large() -> Measured {
    let principals = vec![policy::role_of("Org1MSP", role::PEER); 100_000];
    key_policy(&policy::envelope(&policy::n_out_of(0, &[policy::signed_by(0)]), &principals), 5_001)
}

fn key_policy_deep() -> Measured {
    let mut rule = policy::signed_by(0);
    for _ in 0..4_900 {
        rule = policy::n_out_of(1, &[rule]);
    }
    key_policy(&policy::envelope(&rule, &[policy::role_of("Org1MSP", role::PEER)]), 5_001)
}

/// A policy nobody satisfies, with a long name in it, and transactions that are told so.
fn key_policy_named_long() -> Measured {
    let mut world = World::ordinary();
    let long = policy::role_of(&"x".repeat(1_000_000), role::PEER);
    let policy = policy::envelope(&policy::signed_by(0), &[long]);
    let rwset = [write("k", b"v"), metadata("k", VALIDATION_PARAMETER, &policy)].concat();
    let entry = world.tx(&results("cc", &rwset));
    world.prepare(&[entry]);
    let entries = many(500, |_| world.tx(&results("cc", &write("k", b"v"))));
    world.measure(&entries)
}

/// A key with 5 MB of metadata that mean nothing, and transactions that write it.
fn key_metadata_large() -> Measured {
    let mut world = World::ordinary();
    let rwset = [write("k", b"v"), metadata("k", "nothing", &vec![7; 5_000_000])].concat();
    let entry = world.tx(&results("cc", &rwset));
    world.prepare(&[entry]);
    let entries = many(500, |_| world.tx(&results("cc", &write("k", b"v"))));
    world.measure(&entries)
}

/// A key with a value of 5 MB, and transactions that write it twice each, which keeps it.
fn value_large_kept() -> Measured {
    let mut world = World::ordinary();
    let entry = world.tx(&results("cc", &write("k", &vec![7; 5_000_000])));
    world.prepare(&[entry]);
    let entries = many(500, |_| world.tx(&results("cc", &write("k", b"v").repeat(2))));
    world.measure(&entries)
}

/// Hashed writes of one collection among 300.
fn collection_writes() -> Measured {
    let mut world = World::ordinary();
    prepare_collections(&mut world, 300);
    let writes: Vec<u8> = (0..20_000u32)
        .flat_map(|key| message(&[Bytes(2, &message(&[Bytes(1, &key.to_be_bytes()), Bytes(3, b"v")]))]))
        .collect();
    let entry = world.tx(&hashed("collection7", &writes));
    world.measure(&[entry])
}

/// Encoded `TxReadWriteSet` with this `HashedRWSet` of one collection.
pub fn hashed(collection: &str, rwset: &[u8]) -> Vec<u8> {
    let collection = message(&[Bytes(3, &message(&[Bytes(1, collection.as_bytes()), Bytes(2, rwset)]))]);
    message(&[Bytes(2, &[message(&[Bytes(1, b"cc")]), collection].concat())])
}

/// Gives `cc` so many collections, whose keys live for two blocks.
fn prepare_collections(world: &mut World, count: usize) {
    let entries = define_collections(world, count);
    world.prepare(&entries);
}

/// The transaction that does so.
pub fn define_collections(world: &mut World, count: usize) -> Vec<Vec<u8>> {
    let collections = (0..count).map(|number| {
        let name = format!("collection{number}");
        message(&[Bytes(1, &message(&[Bytes(1, name.as_bytes()), Number(4, 1), Number(5, 2)]))])
    });
    let value = message(&[Bytes(2, &repeated(1, collections))]);
    let endorsers: Vec<_> = (0..3).map(|index| (world.network.peer(index), true)).collect();
    let rwset = write("namespaces/fields/cc/Collections", &value);
    vec![world.tx_of("_lifecycle", &results("_lifecycle", &rwset), &endorsers)]
}

/// Deletions of 20,000 keys that never were, and 2,000 queries of the range in which they are not.
fn deletes_and_ranges(world: &mut World) -> [Vec<u8>; 2] {
    let deletes: Vec<u8> = (0..20_000)
        .flat_map(|key| message(&[Bytes(3, &message(&[Bytes(1, format!("z{key}").as_bytes()), Number(2, 1)]))]))
        .collect();
    let range = message(&[Bytes(2, &message(&[Bytes(1, b"z"), Number(3, 1)]))]);
    [world.tx(&results("cc", &deletes)), world.tx(&results("cc", &range.repeat(2_000)))]
}

fn ranges_of_deleted() -> Measured {
    let mut world = World::ordinary();
    let entries = deletes_and_ranges(&mut world);
    world.measure(&entries)
}

/// The same, where the block before deleted the keys.
fn ranges_of_deleted_before() -> Measured {
    let mut world = World::ordinary();
    let [deletes, ranges] = deletes_and_ranges(&mut world);
    world.prepare(&[deletes]);
    world.measure(&[ranges])
}

/// 20,000 keys in the block before, and so many transactions that each claim a wrong summary of all keys from one on.
fn summaries(starts: usize, each: usize) -> Measured {
    let mut world = World::ordinary();
    let keys: Vec<u8> = (0..20_000).flat_map(|key| write(&format!("z{key:05}"), b"v")).collect();
    let entry = world.tx(&results("cc", &keys));
    world.prepare(&[entry]);
    let summary = message(&[Number(1, 50), Number(2, 9), Bytes(3, &[0; 32])]);
    let entries = many(starts, |start| {
        let start = format!("z{start:05}");
        let range = message(&[Bytes(2, &message(&[Bytes(1, start.as_bytes()), Number(3, 1), Bytes(5, &summary)]))]);
        world.tx(&results("cc", &range.repeat(each)))
    });
    world.measure(&entries)
}

fn summaries_of_a_range() -> Measured {
    summaries(1, 1_000)
}

fn summaries_of_many_ranges() -> Measured {
    summaries(500, 1)
}

/// 100,000 keys in the block before, and transactions that each ask for all of them and expect none.
fn ranges_of_staged() -> Measured {
    let mut world = World::ordinary();
    let keys: Vec<u8> = (0..100_000).flat_map(|key| write(&format!("z{key}"), b"v")).collect();
    let entry = world.tx(&results("cc", &keys));
    world.prepare(&[entry]);
    let range = message(&[Bytes(2, &message(&[Bytes(1, b"z"), Number(3, 1)]))]);
    let entries = many(500, |_| world.tx(&results("cc", &range)));
    world.measure(&entries)
}

/// 30,000 long keys that begin alike, and transactions that each ask for all of them and expect none.
fn ranges_of_long_keys() -> Measured {
    let mut world = World::ordinary();
    let prefix = "z".repeat(460);
    let keys: Vec<u8> = (0..30_000).flat_map(|key| write(&format!("{prefix}{key}"), b"v")).collect();
    let entry = world.tx(&results("cc", &keys));
    world.prepare(&[entry]);
    // Out of memory and into the store.
    for _ in 0..20 {
        let entry = world.tx(&results("cc", &write("k", b"v")));
        world.prepare(&[entry]);
    }
    let range = message(&[Bytes(2, &message(&[Bytes(1, b"z"), Number(3, 1)]))]);
    let entries = many(500, |_| world.tx(&results("cc", &range)));
    world.measure(&entries)
}

/// 20,000 hashed keys expire with a block that writes 20,000 others.
fn expiring() -> Measured {
    let mut world = World::ordinary();
    prepare_collections(&mut world, 1);
    let keys = |from: u32| -> Vec<u8> {
        let write = |key: u32| message(&[Bytes(2, &message(&[Bytes(1, &key.to_be_bytes()), Bytes(3, b"v")]))]);
        (from..from + 20_000).flat_map(write).collect()
    };
    let entry = world.tx(&hashed("collection0", &keys(0)));
    world.prepare(&[entry]);
    for _ in 0..2 {
        let entry = world.tx(&results("cc", &write("k", b"v")));
        world.prepare(&[entry]);
    }
    let entry = world.tx(&hashed("collection0", &keys(100_000)));
    world.measure(&[entry])
}

/// Identities that a list revokes, in other bytes each time.
fn revoked_varied() -> Measured {
    let mut world = World::ordinary();
    let identity = world.network.organizations[2].members[3].serialized();
    let endorsements: Vec<u8> = (0..10_000).flat_map(|number| endorsement(&varied(&identity, number))).collect();
    let entry = with_endorsements(&mut world, 10, &endorsements);
    world.measure(&[entry])
}
