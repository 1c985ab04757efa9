// SPDX-License-Identifier: Apache-2.0
//! Each rule on collections.

use super::*;

#[test]
fn collections_need_their_capability() {
    let new = package(&[simple("c", 0)]);
    let written = Some(new.as_slice());
    Case::deploy().with_second_write(written).with_rules(v1_1()).fails("2 keys instead of one");
    Case::deploy().with_collections(&new, written).with_rules(v1_1_private()).passes();
    Case::deploy().with_collections(&new, written).with_rules(v1_2()).passes();
    Case::upgrade().with_collections(&new, written).with_rules(v1_1_private()).fails("2 keys instead of one");
    Case::upgrade().with_collections(&new, None).with_rules(v1_1_private()).passes();
    Case::upgrade().with_collections(&new, written).with_rules(v1_2()).passes();
}

#[test]
fn written_collections_are_the_argument() {
    let new = package(&[simple("c", 0)]);
    let other = package(&[simple("d", 0)]);
    for case in [Case::deploy, Case::upgrade] {
        case().with_collections(&new, Some(&other)).fails("other collections");
        case().with_collections(&new, None).fails("other collections");
        case().with_second_write(Some(&new)).fails("other collections");
        // No argument equals a write of nothing, and an empty argument no write.
        case().with_second_write(Some(&[])).passes();
        case().with_collections(&[], None).passes();
        let record = kv_write("cc", &record("cc", "1", "new"));
        case().with_writes(&[record.clone(), kv_write("cc~x", &new)]).fails("\"cc~x\" instead of cc~collection");
        case().with_writes(&[record.clone(), record.clone(), record]).fails("3 keys instead of one or two");
        case().with_collections(&[0xff], Some(&[0xff])).fails("collections of chaincode cc do not decode");
    }
}

#[test]
fn deploying_finds_no_earlier_collections() {
    Case::deploy().with_state("cc~collection", package(&[])).fails("has collections before");
    Case::deploy().with_state("cc~collection", package(&[])).with_rules(v1_1()).passes();
}

#[test]
fn upgrading_keeps_committed_collections_and_their_lifetimes() {
    let upgrade_to = |collections: &[Vec<u8>]| {
        let new = package(collections);
        let committed = package(&[simple("a", 2), simple("b", 0)]);
        Case::upgrade().with_collections(&new, Some(&new)).with_state("cc~collection", committed)
    };
    upgrade_to(&[simple("b", 0), simple("c", 9), simple("a", 2)]).passes();
    upgrade_to(&[simple("a", 2)]).fails("collection \"b\" is missing");
    upgrade_to(&[simple("a", 3), simple("b", 0)]).fails("\"a\" changes blockToLive from 2 to 3");
    upgrade_to(&[]).fails("is missing");
    upgrade_to(&[simple("a", 2), simple("b", 0)])
        .with_state("cc~collection", package(&[vec![]]))
        .fails("no known kind");
    // Without the argument the committed collections stay as they are.
    Case::upgrade().with_state("cc~collection", package(&[simple("a", 2)])).passes();
    // An empty argument is a configuration without them.
    let emptied = Case::upgrade().with_collections(&[], None);
    emptied.with_state("cc~collection", package(&[simple("a", 2)])).fails("is missing");
}

#[test]
fn collections_are_well_formed_from_v1_2() {
    let any = out_of(1, &[]);
    let one = |collection: Vec<u8>| vec![collection];
    let nested = out_of(1, &[out_of(1, &[]), out_of(1, &[out_of(2, &[])])]);
    for (collections, reason) in [
        (one(vec![]), "no known kind"),
        (one(simple("", 0)), "\"\" is no collection name"),
        (one(simple("a.b", 0)), "\"a.b\" is no collection name"),
        (one(simple("ä", 0)), "is no collection name"),
        (vec![simple("a", 0), simple("b", 0), simple("a", 1)], "collection a is configured twice"),
        (one(collection("a", 0, 2, 1, Some(&any))), "maximum peer count 1 is below the required 2"),
        (one(collection("a", 0, -1, 1, Some(&any))), "required peer count -1 is negative"),
        (one(collection("a", 0, 0, -1, Some(&any))), "maximum peer count -1"),
        (one(collection("a", 0, 0, 1, None)), "collection a has no member policy"),
        (one(collection("a", 0, 0, 1, Some(&out_of(2, &[])))), "asks for 2 of its rules"),
        (one(collection("a", 0, 0, 1, Some(&out_of(0, &[])))), "asks for 0 of its rules"),
        (one(collection("a", 0, 0, 1, Some(&nested))), "asks for 2 of its rules"),
    ] {
        let new = package(&collections);
        Case::deploy().with_collections(&new, Some(&new)).fails(reason);
        Case::upgrade().with_collections(&new, Some(&new)).fails(reason);
        Case::deploy().with_collections(&new, Some(&new)).with_rules(v1_1_private()).passes();
    }
}

#[test]
fn member_policies_are_alternatives_however_nested() {
    let mut deep = out_of(1, &[]);
    for _ in 0..100 {
        deep = out_of(1, &[deep]);
    }
    let signed_by = [0x08, 0x00];
    let no_rule = [];
    let collections = [
        simple("_-9", 0),
        collection("same", 0, 3, 3, Some(&deep)),
        collection("one", 0, 0, 0, Some(&signed_by)),
        collection("none", 0, 0, 0, Some(&no_rule)),
    ];
    let new = package(&collections);
    Case::deploy().with_collections(&new, Some(&new)).passes();
    // A signature policy that is there and empty passes, one that is not there does not.
    let empty_policy = message(&[(1, &message(&[(1, b"e"), (2, &message(&[(1, &[])]))]))]);
    let new = package(&[empty_policy]);
    Case::deploy().with_collections(&new, Some(&new)).passes();
    let unset_policy = message(&[(1, &message(&[(1, b"e"), (2, &[])]))]);
    let new = package(&[unset_policy]);
    Case::deploy().with_collections(&new, Some(&new)).fails("no member policy");
}
