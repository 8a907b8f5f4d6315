//! Tests of the search, over the index and over what is not indexed yet.

use std::path::Path;

use proptest::prelude::*;
use rusqlite::{Connection, params};

use super::*;
use crate::history::store::open_writer;

const NONE: [i64; 0] = [];

/// Creates a history with these messages, one per second from 1970 on, from peers `192.0.2.0:1`, `192.0.2.1:1` and so on.
/// The first `indexed` of them are in the index.
fn create(path: &Path, messages: &[&[u8]], indexed: usize) {
    let mut database = open_writer(path).unwrap();
    let transaction = database.transaction().unwrap();
    for (index, &body) in (1_i64..).zip(messages) {
        let peer = format!("192.0.2.{}:1", index - 1);
        transaction
            .execute(
                "INSERT INTO origins VALUES (?1, '[::]:7', 'text', ?2, NULL)",
                params![index, peer],
            )
            .unwrap();
        let record =
            params![index, (index - 1) * 1_000_000, i64::try_from(body.len()).unwrap(), body];
        let insert = "INSERT INTO records VALUES (?1, ?2, ?1, NULL, NULL, 0, ?3, ?4)";
        transaction.execute(insert, record).unwrap();
    }
    let last = i64::try_from(messages.len()).unwrap();
    let segment = "INSERT INTO segments VALUES (1, 1, ?1, 0, (?1 - 1) * 1000000, ?1)";
    transaction.execute(segment, [last]).unwrap();
    transaction.commit().unwrap();
    crate::history::writer::index_first(&mut database, indexed);
}

fn find(path: &Path, query: Query) -> Vec<i64> {
    let mut search = Search::open(path, query.clone()).unwrap();
    let mut ids = Vec::new();
    while let Some(page) = search.next_page().unwrap() {
        ids.extend(page.into_iter().map(|found| found.id));
    }
    // The other direction finds the same.
    let mut search = Search::open(path, query).unwrap();
    let last: Vec<_> = search.last(usize::MAX).unwrap().into_iter().map(|found| found.id).collect();
    assert_eq!(last, ids);
    assert_eq!(search.next_page().unwrap(), None, "nothing comes after the last");
    ids
}

fn text(text: &[u8]) -> Query {
    Query { text: Some(text.to_vec()), ..Query::default() }
}

#[test]
fn a_text_is_found_as_it_is_typed_whether_it_is_indexed_or_not() {
    let messages: [&[u8]; 8] = [
        b"say \"hello\" AND bye",
        b"100% * wild_card?",
        b"a NUL \0 inside of it",
        b"invalid \xff\xfe bytes",
        "Grüße, \u{1f600} Welt".as_bytes(),
        b"",
        b"ab",
        b"SELECT 'x' OR (y) NEAR/2 -z: col:word ^first",
    ];
    for indexed in [0, 4, 8] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.db");
        create(&path, &messages, indexed);
        for (typed, ids) in [
            (&b"\"hello\" AND"[..], &[1][..]),
            (b"*", &[2]),
            (b"d_card?", &[2]),
            (b"w*", &[]),
            (b"NUL \0 in", &[3]),
            (b"\0", &[3]),
            (b"\xff\xfe byt", &[4]),
            (b"\xfe", &[4]),
            ("Grüße".as_bytes(), &[5]),
            (b"\xbc\xc3\x9fe, ", &[5]),
            ("\u{1f600}".as_bytes(), &[5]),
            (b"ab", &[7]),
            (b"AB", &[]),
            (b"OR (y) NEAR/2 -z: col:", &[8]),
            (b"'x'", &[8]),
            (b"", &[1, 2, 3, 4, 5, 6, 7, 8]),
        ] {
            assert_eq!(
                find(&path, text(typed)),
                ids,
                "{indexed} {:?}",
                String::from_utf8_lossy(typed)
            );
        }
        let folded = Query { ignores_case: true, ..text(b"SAY \"HELLO") };
        assert_eq!(find(&path, folded), [1]);
    }
}

#[test]
fn conditions_select_by_peer_and_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    create(&path, &[b"a", b"b", b"c", b"d"], 2);
    let peer = |peer: &str| Query { peer: Some(peer.to_owned()), ..Query::default() };
    assert_eq!(find(&path, peer("192.0.2.1")), [2]);
    assert_eq!(find(&path, peer("192.0.2.1:1")), [2]);
    assert_eq!(find(&path, peer("192.0.2")), NONE);
    let since = Query { since: Some(1_000_000), until: Some(2_000_000), ..Query::default() };
    assert_eq!(find(&path, since), [2, 3]);
    assert_eq!(find(&path, Query { since: Some(9_000_000), ..Query::default() }), NONE);
    let none = Query { until: Some(-1), ..Query::default() };
    assert_eq!(find(&path, none), NONE);
}

#[test]
fn the_messages_of_a_user_include_those_in_rooms() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    create(&path, &[b"alone", b"in a room", b"of another", b"of nobody"], 0);
    let users = "UPDATE origins SET user = CASE id WHEN 1 THEN 'alice' WHEN 2 THEN '@alice'
                 WHEN 3 THEN 'malice' END";
    Connection::open(&path).unwrap().execute_batch(users).unwrap();
    let of = |user: &str| find(&path, Query { user: Some(user.to_owned()), ..Query::default() });
    assert_eq!(of("alice"), [1, 2]);
    assert_eq!(of("@alice"), [2]);
    assert_eq!(of("lice"), NONE);
}

#[test]
fn the_last_messages_are_in_order_and_new_ones_follow() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    create(&path, &[b"one", b"two", b"three", b"four"], 3);
    let mut search = Search::open(&path, text(b"o")).unwrap();
    let last: Vec<_> = search.last(2).unwrap().into_iter().map(|found| found.id).collect();
    assert_eq!(last, [2, 4]);
    assert_eq!(search.next_page().unwrap(), None);
    let new = "INSERT INTO records VALUES (5, 9, 1, NULL, NULL, 0, 3, CAST('out' AS BLOB));
               UPDATE segments SET last_record = 5";
    Connection::open(&path).unwrap().execute_batch(new).unwrap();
    let new = search.next_page().unwrap().unwrap();
    assert_eq!((new.len(), new[0].id), (1, 5));
}

#[test]
fn the_last_messages_of_each_room_come_back_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    let database = open_writer(&path).unwrap();
    database
        .execute_batch(
            "INSERT INTO rooms VALUES (1, 'lobby'), (2, 'den'), (3, 'hall');
             INSERT INTO origins VALUES (1, 'l', 'room', 'p', 'alice'), (2, 'l', 'room', 'p', NULL);
             INSERT INTO records VALUES (1, 10, 1, 1, 1, 0, 1, x'61'), (2, 11, 1, 1, 2, 0, 1, x'62'),
                (3, 12, 1, 2, 1, 1, 1, x'63'), (4, 13, 1, 1, 3, 1, 1, x'64'), (5, 14, 2, 1, 4, 2, 1, x'65'),
                (6, 15, 1, 1, 5, 0, 9, x'66'), (7, 16, 1, NULL, NULL, 0, 1, x'67');",
        )
        .unwrap();
    drop(database);
    let rooms = recorded_rooms(&path, 2).unwrap();
    let last: Vec<_> = rooms.iter().map(|room| (&room.name[..], room.last)).collect();
    assert_eq!(last, [("lobby", 5), ("den", 1), ("hall", 0)], "every row has a number");
    let messages = rooms.iter().flat_map(|room| room.messages.iter().map(|m| (&room.name[..], m)));
    let shown: Vec<_> =
        messages.map(|(room, m)| (room, m.sequence, &m.name[..], m.time, &m.bytes[..])).collect();
    assert_eq!(
        shown,
        [
            ("lobby", 2, "alice", 11, &b"b"[..]),
            ("lobby", 3, "alice", 13, b"d"),
            ("den", 1, "alice", 12, b"c"),
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The index finds what a comparison of all bytes finds.
    #[test]
    fn any_bytes_are_found(
        messages in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'"'), Just(0), Just(0xc3), Just(0xa4), Just(b'*')], 0..12),
            1..12,
        ),
        typed in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'"'), Just(0), Just(0xc3), Just(0xa4), Just(b'*')], 0..6),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.db");
        let bodies: Vec<&[u8]> = messages.iter().map(|message| &message[..]).collect();
        create(&path, &bodies, bodies.len() / 2);
        let contains = |body: &[u8]| typed.is_empty() || body.windows(typed.len()).any(|part| part == typed);
        let expected: Vec<i64> = (1..).zip(&bodies).filter(|(_, body)| contains(body)).map(|(id, _)| id).collect();
        prop_assert_eq!(find(&path, text(&typed)), expected);
    }
}
