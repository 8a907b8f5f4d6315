use std::{
    net::{TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    thread,
};

use socket2::{Domain, SockAddr, Socket, Type};

use super::*;
use crate::load::{
    ipc::wire::Server,
    stats::counters::{FaultKind, Tally},
    worker::connection::Connection,
};

/// Serves every connection with `serve`, in threads that end with their connections.
fn server(serve: fn(&TcpStream)) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || serve(&stream.unwrap()));
        }
    });
    Server::Tcp(address)
}

fn echo(mut stream: &TcpStream) {
    let mut reader = stream;
    let _ = io::copy(&mut reader, &mut stream);
}

fn order(server: Server) -> Order {
    Order {
        server,
        sources: Vec::new(),
        process: 0,
        processes: 1,
        connections: 5,
        seed: 42,
        min_size: 1,
        max_size: 300,
        pace: Pace::Depth(4),
        stop: Stop::Messages(100),
        warmup: Duration::ZERO,
        churn: None,
        expect_restart: false,
        timeout: Duration::from_secs(20),
    }
}

/// Carries out an order; says `words` when it is ready.
fn carried_out(order: &Order, words: &[Word]) -> Vec<Report> {
    let (ours, mut parent) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    for word in words {
        parent.write_all(line(word).as_bytes()).unwrap();
    }
    let mut reports = Vec::new();
    let commands = OwnedFd::from(ours).into();
    Engine::<Connection, _>::new(order, commands, &mut reports).unwrap().run().unwrap();
    let reports = String::from_utf8(reports).unwrap();
    reports.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn done(reports: &[Report]) -> Tally {
    let mut all = Tally::default();
    for report in reports {
        match report {
            Report::Progress(tally) => all.add(tally),
            Report::Done(summary) => all.add(&summary.tally),
            Report::Ready | Report::Failed { .. } => {}
        }
    }
    assert!(matches!(reports.last(), Some(Report::Done(_))), "{reports:?}");
    all
}

#[test]
fn every_message_comes_back_and_is_counted_once() {
    let tally = done(&carried_out(&order(server(echo)), &[Word::Start]));
    assert_eq!((tally.messages, tally.lost, tally.all_errors()), (500, 0, 0));
    assert_eq!((tally.connects, tally.latency.len(), tally.connect.len()), (5, 500, 5));
    assert_eq!(tally.bytes_sent, tally.bytes_checked);
}

#[test]
fn a_unix_socket_is_a_server_like_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo.sock");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
    for churn in [None, Some(30)] {
        let order = Order { churn, ..order(Server::Unix(path.clone().into())) };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!((tally.messages, tally.lost, tally.all_errors()), (500, 0, 0));
        assert_eq!(tally.connects, if churn.is_some() { 20 } else { 5 });
    }
}

/// One in whose backlog there is room for one, asked by ten.
#[test]
fn a_full_backlog_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo.sock");
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    socket.listen(0).unwrap();
    let listener = UnixListener::from(OwnedFd::from(socket));
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            thread::spawn(move || io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
    let order = Order {
        connections: 10,
        churn: Some(1),
        stop: Stop::Messages(3),
        ..order(Server::Unix(path.into()))
    };
    let tally = done(&carried_out(&order, &[Word::Start]));
    assert_eq!((tally.messages, tally.all_errors(), tally.connects), (30, 0, 30));
}

#[test]
fn an_open_loop_sends_what_is_due() {
    let order = Order { pace: Pace::Rate(5000.0), ..order(server(echo)) };
    let tally = done(&carried_out(&order, &[Word::Start]));
    assert_eq!((tally.messages, tally.lag.len(), tally.all_errors()), (500, 500, 0));
}

/// Echoes so much, and then ends as a server that is restarted.
fn echo_a_while(mut stream: &TcpStream) {
    let (mut left, mut some) = (1000, [0; 64]);
    while left > 0 {
        let Ok(read @ 1..) = stream.read(&mut some[..64.min(left)]) else { return };
        let _ = stream.write_all(&some[..read]);
        left -= read;
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    // Whatever crosses the end is not echoed, and no reset eats what was.
    let _ = io::copy(&mut stream, &mut io::sink());
}

#[test]
fn a_server_that_ends_connections_cleanly_costs_nothing_where_that_is_expected() {
    let order = Order { expect_restart: true, ..order(server(echo_a_while)) };
    let tally = done(&carried_out(&order, &[Word::Start]));
    assert_eq!((tally.messages, tally.lost, tally.bytes_lost), (500, 0, 0));
    assert_eq!(tally.all_errors(), 0);
    assert!(tally.drains > 20 && tally.resent > 0, "{tally:?}");
    assert_eq!(tally.connects, 5 + tally.drains);
}

/// Nothing comes back from one that ends every connection at once.
#[test]
fn a_server_that_only_ends_connections_is_given_up() {
    let order = Order {
        expect_restart: true,
        timeout: Duration::from_millis(300),
        ..order(server(|_| {}))
    };
    let tally = done(&carried_out(&order, &[Word::Start]));
    assert_eq!((tally.messages, tally.all_errors()), (0, 5));
    assert_eq!(tally.lost, 5 * 4, "{tally:?}");
}

#[test]
fn churn_connects_anew() {
    for pace in [Pace::Depth(4), Pace::Rate(5000.0)] {
        let order = Order { churn: Some(30), pace, ..order(server(echo)) };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!((tally.messages, tally.connects, tally.all_errors()), (500, 20, 0));
    }
}

/// Serves one connection, then says something more, and ends.
fn echo_and(mut stream: &TcpStream, more: &[u8]) {
    let mut all = vec![0; 64 * 100];
    if stream.read_exact(&mut all).is_ok() {
        let _ = stream.write_all(&[&all, more].concat());
    }
}

#[test]
fn a_server_that_ends_when_all_is_back_has_done_nothing_wrong() {
    let address = server(|stream| echo_and(stream, b""));
    let order = Order { pace: Pace::Depth(100), min_size: 64, max_size: 64, ..order(address) };
    for churn in [None, Some(100)] {
        let order = Order { churn, ..order.clone() };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!((tally.messages, tally.lost, tally.all_errors()), (500, 0, 0));
    }
}

#[test]
fn a_byte_too_many_behind_the_last_is_wrong() {
    let address = server(|stream| echo_and(stream, b"!"));
    let order = Order { pace: Pace::Depth(100), min_size: 64, max_size: 64, ..order(address) };
    let tally = done(&carried_out(&order, &[Word::Start]));
    assert_eq!((tally.messages, tally.errors[&ErrorKind::WrongBytes]), (500, 5));
    assert_eq!(tally.faults[0].offset, 6400);
}

#[test]
fn a_connection_without_end_does_not_keep_the_clock_from_being_seen() {
    let order = Order {
        pace: Pace::Depth(20_000),
        stop: Stop::After(Duration::from_millis(50)),
        min_size: 64,
        max_size: 64,
        ..order(server(echo))
    };
    let tally = done(&carried_out(&order, &[Word::Start]));
    assert_eq!((tally.lost, tally.all_errors()), (0, 0));
    assert!(tally.messages > 0);
}

#[test]
fn it_stops_when_it_is_told_to() {
    let order = Order { stop: Stop::After(Duration::MAX / 2), ..order(server(echo)) };
    let tally = done(&carried_out(&order, &[Word::Start, Word::Stop]));
    assert_eq!((tally.lost, tally.all_errors()), (0, 0));
}

#[test]
fn nobody_there_is_said_before_anything_is_started() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let reports = carried_out(&order(Server::Tcp(gone)), &[]);
    assert!(
        matches!(reports[..], [Report::Failed { kind: ErrorKind::Connect, errno: Some(111), .. }]),
        "{reports:?}"
    );
}

#[test]
fn a_server_that_leaves_early_loses_what_was_under_way() {
    let address = server(|mut stream| {
        let mut some = [0; 10];
        stream.read_exact(&mut some).unwrap();
        stream.write_all(&some).unwrap();
    });
    let order = Order { connections: 1, min_size: 100, ..order(address) };
    let tally = done(&carried_out(&order, &[Word::Start]));
    assert_eq!((tally.messages, tally.lost, tally.all_errors()), (0, 4, 1));
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let address = server(|mut stream| {
        // Until the client has gone.
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    let order = Order { timeout: Duration::from_millis(20), ..order(address) };
    let tally = done(&carried_out(&order, &[Word::Start]));
    assert_eq!(tally.errors[&ErrorKind::Timeout], 5);
}

#[test]
fn a_wrong_byte_is_explained() {
    let address = server(|mut stream| {
        let mut line = [0; 64];
        while stream.read_exact(&mut line).is_ok() {
            line[13] ^= 1;
            let _ = stream.write_all(&line);
        }
    });
    let order = Order { connections: 1, min_size: 64, max_size: 64, ..order(address) };
    let tally = done(&carried_out(&order, &[Word::Start]));
    assert_eq!(tally.errors[&ErrorKind::WrongBytes], 1);
    let fault = &tally.faults[0];
    assert_eq!((fault.kind, fault.connection, fault.offset), (FaultKind::Damaged, 0, 13));
}
