//! `kill -9`: what was committed stays, and the next start knows the number of the others.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread,
};

use rustix::process::Signal;
use tests::wait::wait_until;

use crate::Database;

/// Rounds of a server that is killed while it receives.
const ROUNDS: usize = 5;

/// Echoes that the clients of a round have received when the server is killed, at least.
const ECHOES: usize = 20_000;

/// Sends lines until the connection breaks, and returns how many came back.
fn stream(stream: TcpStream, received: &AtomicUsize) {
    let mut sender = stream.try_clone().expect("a socket can be cloned");
    let sending = thread::spawn(move || {
        let lines = b"a line of a peer that does not stop\n".repeat(100);
        while sender.write_all(&lines).is_ok() {}
    });
    let (mut stream, mut buffer) = (stream, vec![0; 64 * 1024]);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        let lines = buffer[..read].split(|&byte| byte == b'\n').count() - 1;
        received.fetch_add(lines, SeqCst);
    }
    sending.join().expect("the sender ends");
}

#[test]
fn a_killed_server_keeps_what_it_has_committed_and_counts_the_rest() {
    let database = Database::new();
    for _ in 0..ROUNDS {
        let mut server = database.serve(&["--log-messages", "off", "--workers", "2"]);
        let received = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                let peer = TcpStream::connect(server.address()).expect("the server listens");
                scope.spawn(|| stream(peer, &received));
            }
            let count = || received.load(SeqCst);
            wait_until("the clients receive echoes", || count() >= ECHOES);
            server.signal(Signal::KILL);
        });
        let _ = server.wait();
        let next = database.serve(&[]);
        let run = "(SELECT max(id) - 1 FROM runs)";
        let of_run =
            |column| database.number(&format!("SELECT {column} FROM runs WHERE id = {run}"));
        let (counted, lost) = (of_run("received"), of_run("lost"));
        assert_eq!(counted, of_run("committed") + of_run("dropped") + lost);
        let echoes = received.into_inner();
        let echoes = i64::try_from(echoes).unwrap();
        assert!(counted >= echoes, "{counted} messages are known and {echoes} echoes arrived");
        if lost > 0 {
            next.wait_for_log(&format!(
                "WARNING - The last run of the server did not end by itself: {lost} messages that"
            ));
        }
        let (status, _) = next.terminate();
        assert!(status.success());
        let records = "SELECT count(*) FROM messages";
        assert_eq!(database.number(records), database.number("SELECT sum(committed) FROM runs"));
        let check: String =
            database.connect().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
}

#[test]
fn a_message_is_committed_while_its_connection_is_idle() {
    let database = Database::new();
    let mut server = database.serve(&[]);
    let mut peer = server.connect();
    peer.exchange(b"kept\n");
    wait_until("the message is committed", || database.texts() == ["kept"]);
    server.signal(Signal::KILL);
    let _ = server.wait();
    assert_eq!(database.texts(), ["kept"]);
}
