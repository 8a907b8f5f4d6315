//! Tests of the writer through the history: messages go in, rows come out.

use std::{path::Path, thread, time::Instant};

use rusqlite::Connection;

use super::index::table_name;
use crate::{
    config::{HistoryOptions, HistoryOverflow, Keep, history_limits},
    history::{
        Direction, History, Message, Origin, attach, detach, flush, record,
        search::{Query, Search},
    },
};

const ORIGIN: Origin<'static> = Origin {
    listener: "127.0.0.1:7",
    protocol: "text",
    peer: "127.0.0.1:50000",
    user: None,
    room: None,
};

fn start(path: &Path, keep: Keep) -> History {
    let overflow = HistoryOverflow::Block;
    let options = HistoryOptions { path: path.to_owned(), keep, overflow };
    let history = History::start(options, 4).expect("the history starts");
    attach(history.recorder());
    history
}

fn receive(origin: &Origin<'_>, bytes: &[u8]) {
    record(origin, &Message { direction: Direction::Received, sequence: None, bytes });
}

fn end(history: History) {
    detach();
    history.close();
}

fn count(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Returns everything that a search for `text` finds.
fn find(path: &Path, text: &[u8]) -> Vec<Vec<u8>> {
    let query = Query { text: Some(text.to_vec()), ..Query::default() };
    let mut search = Search::open(path, query).unwrap();
    let mut found = Vec::new();
    while let Some(page) = search.next().unwrap() {
        found.extend(page.into_iter().map(|found| found.bytes));
    }
    found
}

#[test]
fn a_message_becomes_a_row_with_its_origin_and_says_whether_it_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    let history = start(&path, Keep::default());
    let member = Origin { user: Some("bob"), room: Some("lobby"), ..ORIGIN };
    receive(&ORIGIN, b"a\0\xff");
    let message = Message { direction: Direction::Relayed, sequence: Some(42), bytes: b"hello" };
    record(&member, &message);
    receive(&ORIGIN, &vec![b'x'; history_limits::BODY + 1]);
    end(history);
    let database = Connection::open(&path).unwrap();
    let mut select = database
        .prepare("SELECT peer || '|' || coalesce(user, '-') || '|' || coalesce(room, '-') || '|' || coalesce(sequence, '-') \
                  || '|' || direction || '|' || length(bytes) || '|' || cut FROM messages ORDER BY id")
        .unwrap();
    let rows = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let rows: Vec<_> = rows.map(Result::unwrap).collect();
    assert_eq!(
        rows,
        [
            "127.0.0.1:50000|-|-|-|received|3|0",
            "127.0.0.1:50000|bob|lobby|42|relayed|5|0",
            "127.0.0.1:50000|-|-|-|received|65536|1",
        ]
    );
    let run = "SELECT received = 3 AND committed = 3 AND dropped = 0 AND lost = 0 AND end >= start FROM runs";
    assert_eq!(count(&path, run), 1);
}

/// Run it with `cargo test --release -p server --lib -- --ignored --nocapture rows_per_second`.
#[test]
#[ignore = "it measures"]
fn rows_per_second() {
    for threads in [1, 2] {
        let directory = tempfile::tempdir_in(".").unwrap();
        let path = directory.path().join("history.db");
        let history = start(&path, Keep::default());
        detach();
        let rows = 3_000_000 / threads;
        let begin = Instant::now();
        thread::scope(|scope| {
            for thread in 0..threads {
                let recorder = history.recorder();
                scope.spawn(move || {
                    attach(recorder);
                    for row in 0..rows {
                        let text = format!("{thread} {row} {:>80}", row * 7919 % 100_003);
                        receive(&ORIGIN, format!("{text:100}").as_bytes());
                        if row % 10 == 0 {
                            flush();
                        }
                    }
                    detach();
                });
            }
        });
        history.close();
        let seconds = begin.elapsed().as_secs_f64();
        let written = count(&path, "SELECT count(*) FROM records");
        println!("{threads} threads: {:.0} rows a second", written as f64 / seconds);
    }
}
