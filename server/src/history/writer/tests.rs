//! Tests of the writer through the history: messages go in, rows come out.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use crate::{
    config::{HistoryOptions, HistoryOverflow, Keep, history_limits},
    history::{
        Direction, History, HistoryStats, Message, Origin, attach,
        batch::flush,
        detach, record,
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
    while let Some(page) = search.next_page().unwrap() {
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
    let stats = history.stats_reader();
    end(history);
    assert_eq!(stats.stats(), HistoryStats { recorded: 3, dropped: 0, waiting: 0 });
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
        println!(
            "{threads} threads: {:.0} rows a second",
            f64::from(u32::try_from(written).unwrap()) / seconds
        );
    }
}

#[test]
fn what_a_killed_server_has_lost_is_known_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    let history = start(&path, Keep::default());
    receive(&ORIGIN, b"committed");
    end(history);
    // The writer of a killed server has not ended its run, and its threads have counted more than it has committed.
    let database = Connection::open(&path).unwrap();
    database.execute_batch("UPDATE runs SET end = NULL, lost = NULL").unwrap();
    let run_file = directory.path().join("history.db-run");
    let mut counters = std::fs::read(&run_file).unwrap();
    counters[64..72].copy_from_slice(&5_u64.to_ne_bytes());
    std::fs::write(&run_file, counters).unwrap();
    end(start(&path, Keep::default()));
    let lost = "SELECT received = 5 AND committed = 1 AND lost = 4 AND end IS NOT NULL FROM runs WHERE id = 1";
    assert_eq!(count(&path, lost), 1);

    database.execute_batch("UPDATE runs SET end = NULL, lost = NULL WHERE id = 2").unwrap();
    std::fs::remove_file(&run_file).unwrap();
    end(start(&path, Keep::default()));
    assert_eq!(
        count(&path, "SELECT count(*) FROM runs WHERE id = 2 AND end IS NOT NULL AND lost IS NULL"),
        1
    );
}

#[test]
fn the_oldest_messages_are_deleted_when_the_database_is_too_large() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    let keep = Keep { bytes: Some(1024 * 1024), ..Keep::default() };
    for part in 0..3 {
        let history = start(&path, keep);
        for row in 0..5_000 {
            let peer = format!("127.0.0.1:{}", row % 100);
            receive(
                &Origin { peer: &peer, ..ORIGIN },
                format!("{:>100}.", part * 5_000 + row).as_bytes(),
            );
        }
        flush();
        // Messages become too many when they are committed; the index makes them more. Deletion follows in steps.
        wait_until(|| {
            count(&path, "SELECT coalesce(max(last_record), 0) FROM indexes") == (part + 1) * 5_000
                && used_bytes(&path) <= 1024 * 1024
        });
        end(history);
    }
    let (first, last) =
        (count(&path, "SELECT min(id) FROM records"), count(&path, "SELECT max(id) FROM records"));
    assert!(first > 6_000 && last == 15_000, "{first}..{last}");
    assert_eq!(count(&path, "SELECT count(*) FROM records"), last - first + 1, "there is no gap");
    let unused = "SELECT count(*) FROM origins WHERE id NOT IN (SELECT origin FROM records)";
    assert!(count(&path, unused) <= 200, "{} origins are not used", count(&path, unused));
    assert_eq!(count(&path, "SELECT count(*) FROM messages"), last - first + 1);
    assert!(find(&path, b" 14999.").len() == 1 && find(&path, b" 99.").is_empty());
    let parts = count(&path, "SELECT count(*) FROM indexes");
    let tables = "SELECT count(*) FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE%'";
    assert_eq!(count(&path, tables), parts, "the index of deleted messages is deleted");
}

#[test]
fn messages_older_than_the_limit_are_deleted_and_the_ids_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    let history = start(&path, Keep::default());
    receive(&ORIGIN, b"old");
    end(history);
    let hour = 3_600_000_000_i64;
    let age = format!(
        "UPDATE records SET time = time - {hour}; UPDATE segments SET first_time = first_time - {hour}, last_time = last_time - {hour}"
    );
    Connection::open(&path).unwrap().execute_batch(&age).unwrap();
    let keep = Keep { age: Some(Duration::from_mins(30)), ..Keep::default() };
    let history = start(&path, keep);
    receive(&ORIGIN, b"new");
    flush();
    wait_until(|| {
        count(&path, "SELECT count(*) FROM records WHERE id = 1") == 0
            && count(&path, "SELECT count(*) FROM records") == 1
    });
    end(history);
    assert_eq!(count(&path, "SELECT id = 2 AND origin = 2 FROM records"), 1);
    assert_eq!(count(&path, "SELECT count(*) FROM origins"), 1);
}

#[test]
fn a_lock_of_another_program_delays_messages_and_loses_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    let history = start(&path, Keep::default());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    receive(&ORIGIN, b"delayed");
    flush();
    // The queue says when an attempt has failed.
    wait_until(|| history.is_failing());
    other.execute_batch("COMMIT").unwrap();
    end(history);
    assert_eq!(count(&path, "SELECT count(*) FROM records"), 1);
    assert_eq!(count(&path, "SELECT dropped FROM runs"), 0);
}

#[test]
fn a_reader_that_never_ends_does_not_delay_commits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    let history = start(&path, Keep { bytes: Some(8 * 1024 * 1024), ..Keep::default() });
    receive(&ORIGIN, b"first");
    flush();
    wait_until(|| count(&path, "SELECT count(*) FROM records") == 1);
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM records").unwrap();
    let long = vec![b'x'; 60_000];
    for _ in 0..100 {
        receive(&ORIGIN, &long);
    }
    flush();
    wait_until(|| count(&path, "SELECT count(*) FROM records") == 101);
    drop(reader);
    end(history);
}

fn used_bytes(path: &Path) -> i64 {
    let pragma = |name| count(path, &format!("PRAGMA {name}"));
    (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")
}

/// Waits for what the writer does by itself.
fn wait_until(mut is_done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is_done() {
        assert!(Instant::now() < deadline, "the writer does not do it");
        thread::yield_now();
    }
}
