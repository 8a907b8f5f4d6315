use std::{
    io::Read as _,
    net::{TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    thread,
};

use socket2::{Domain, SockAddr, Socket, Type};

use super::*;
use crate::load::{
    ipc::{
        message::Command,
        wire::encode,
        worker_config::{Pace, Server, Stop},
    },
    stats::fault::FaultKind,
    worker::{
        connection::Connection,
        io::wire::PlainWire,
        testing::{self, run_on, stats},
    },
};

/// Starts a server that runs `serve` for each connection, in a thread of its own.
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

fn config(server: Server) -> WorkerConfig {
    WorkerConfig {
        server,
        tls: None,
        login: None,
        websocket: None,
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
        expects_faults: false,
        expects_receipt: false,
        timeout: Duration::from_secs(20),
        room: None,
    }
}

/// Runs a worker that receives `commands`; returns its messages.
fn run(config: &WorkerConfig, commands: &[Command]) -> Vec<WorkerMessage> {
    testing::run::<Connection<PlainWire>>(config, commands)
}

#[test]
fn counts_every_message_once() {
    let stats = stats(&run(&config(server(echo)), &[Command::Start]));
    assert_eq!((stats.messages, stats.lost, stats.error_count()), (500, 0, 0));
    assert_eq!((stats.connects, stats.latency.len(), stats.connect.len()), (5, 500, 5));
    assert_eq!(stats.bytes_sent, stats.bytes_checked);
}

#[test]
fn loads_a_unix_socket() {
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
        let config = WorkerConfig { churn, ..config(Server::Unix(path.clone().into())) };
        let stats = stats(&run(&config, &[Command::Start]));
        assert_eq!((stats.messages, stats.lost, stats.error_count()), (500, 0, 0));
        assert_eq!(stats.connects, if churn.is_some() { 20 } else { 5 });
    }
}

/// Ten connections to a server whose backlog has room for one.
#[test]
fn waits_for_room_in_a_full_backlog() {
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
    let config = WorkerConfig {
        connections: 10,
        churn: Some(1),
        stop: Stop::Messages(3),
        ..config(Server::Unix(path.into()))
    };
    let stats = stats(&run(&config, &[Command::Start]));
    assert_eq!((stats.messages, stats.error_count(), stats.connects), (30, 0, 30));
}

#[test]
fn an_open_loop_sends_what_is_due() {
    let config = WorkerConfig { pace: Pace::Rate(5000.0), ..config(server(echo)) };
    let stats = stats(&run(&config, &[Command::Start]));
    assert_eq!((stats.messages, stats.lag.len(), stats.error_count()), (500, 500, 0));
}

/// The warm-up used the messages up, and the load measured none.
#[test]
fn a_number_of_messages_applies_after_the_warm_up() {
    for pace in [Pace::Depth(4), Pace::Rate(2000.0)] {
        for churn in [None, Some(7)] {
            let warmup = Duration::from_millis(50);
            let config = WorkerConfig { pace, warmup, churn, ..config(server(echo)) };
            let stats = stats(&run(&config, &[Command::Start]));
            assert_eq!((stats.messages, stats.latency.len()), (500, 500), "{pace:?} {churn:?}");
            assert_eq!((stats.lost, stats.unsent, stats.error_count()), (0, 0, 0));
        }
    }
}

/// A client that is far behind kept the time of every message that was due, and sent them all.
#[test]
fn gives_up_what_it_cannot_send_in_time() {
    let config = WorkerConfig {
        pace: Pace::Rate(1e9),
        stop: Stop::After(Duration::from_millis(50)),
        min_size: 64,
        max_size: 64,
        timeout: Duration::from_millis(300),
        ..config(server(echo))
    };
    let stats = stats(&run(&config, &[Command::Start]));
    assert_eq!((stats.lost, stats.error_count()), (0, 0), "{stats:?}");
    assert_eq!(stats.messages + stats.unsent, 50_000_000);
    assert!(
        stats.messages > 0 && stats.lag.quantile(0.99) > Duration::from_millis(100),
        "{stats:?}"
    );
}

/// Echoes 1,000 bytes, and then ends the connection as a server does that is restarted.
fn echo_and_drain(mut stream: &TcpStream) {
    let (mut left, mut some) = (1000, [0; 64]);
    while left > 0 {
        let Ok(read @ 1..) = stream.read(&mut some[..64.min(left)]) else { return };
        let _ = stream.write_all(&some[..read]);
        left -= read;
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    // Reads what crosses the end, because a reset would discard the echo.
    let _ = io::copy(&mut stream, &mut io::sink());
}

#[test]
fn an_expected_restart_loses_nothing() {
    let config = WorkerConfig { expect_restart: true, ..config(server(echo_and_drain)) };
    let stats = stats(&run(&config, &[Command::Start]));
    assert_eq!((stats.messages, stats.lost, stats.bytes_lost), (500, 0, 0));
    assert_eq!(stats.error_count(), 0);
    assert!(stats.drains > 20 && stats.resent > 0, "{stats:?}");
    assert_eq!(stats.connects, 5 + stats.drains);
}

/// The server ends every connection immediately, so nothing returns.
#[test]
fn gives_up_a_server_that_ends_every_connection() {
    let config = WorkerConfig {
        expect_restart: true,
        expects_receipt: false,
        timeout: Duration::from_millis(300),
        ..config(server(|_| {}))
    };
    let stats = stats(&run(&config, &[Command::Start]));
    assert_eq!((stats.messages, stats.error_count()), (0, 5));
    assert_eq!(stats.lost, 5 * 4, "{stats:?}");
}

#[test]
fn churn_replaces_connections() {
    for pace in [Pace::Depth(4), Pace::Rate(5000.0)] {
        let config = WorkerConfig { churn: Some(30), pace, ..config(server(echo)) };
        let stats = stats(&run(&config, &[Command::Start]));
        assert_eq!((stats.messages, stats.connects, stats.error_count()), (500, 20, 0));
    }
}

/// Echoes 100 lines and sends more bytes, then ends the connection.
fn echo_and(mut stream: &TcpStream, more: &[u8]) {
    let mut all = vec![0; 64 * 100];
    if stream.read_exact(&mut all).is_ok() {
        let _ = stream.write_all(&[&all, more].concat());
    }
}

#[test]
fn a_server_may_end_the_connection_when_every_byte_has_returned() {
    let address = server(|stream| echo_and(stream, b""));
    let config =
        WorkerConfig { pace: Pace::Depth(100), min_size: 64, max_size: 64, ..config(address) };
    for churn in [None, Some(100)] {
        let config = WorkerConfig { churn, ..config.clone() };
        let stats = stats(&run(&config, &[Command::Start]));
        assert_eq!((stats.messages, stats.lost, stats.error_count()), (500, 0, 0));
    }
}

#[test]
fn a_byte_after_the_last_echo_is_wrong() {
    let address = server(|stream| echo_and(stream, b"!"));
    let config =
        WorkerConfig { pace: Pace::Depth(100), min_size: 64, max_size: 64, ..config(address) };
    let stats = stats(&run(&config, &[Command::Start]));
    assert_eq!((stats.messages, stats.errors[&ErrorKind::WrongBytes]), (500, 5));
    assert_eq!(stats.faults[0].offset, 6400);
}

#[test]
fn a_connection_that_never_idles_does_not_delay_the_end() {
    let config = WorkerConfig {
        pace: Pace::Depth(20_000),
        stop: Stop::After(Duration::from_millis(50)),
        min_size: 64,
        max_size: 64,
        ..config(server(echo))
    };
    let stats = stats(&run(&config, &[Command::Start]));
    assert_eq!((stats.lost, stats.error_count()), (0, 0));
    assert!(stats.messages > 0);
}

#[test]
fn stops_on_command() {
    let config = WorkerConfig { stop: Stop::After(Duration::MAX / 2), ..config(server(echo)) };
    let stats = stats(&run(&config, &[Command::Start, Command::Stop]));
    assert_eq!((stats.lost, stats.error_count()), (0, 0));
}

#[test]
fn reports_a_refused_connection_before_the_start() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let messages = run(&config(Server::Tcp(closed)), &[]);
    assert!(
        matches!(
            messages[..],
            [WorkerMessage::Failed { kind: ErrorKind::Connect, errno: Some(111), .. }]
        ),
        "{messages:?}"
    );
}

#[test]
fn a_server_that_closes_early_loses_the_messages_in_flight() {
    let address = server(|mut stream| {
        let mut some = [0; 10];
        stream.read_exact(&mut some).unwrap();
        stream.write_all(&some).unwrap();
    });
    let config = WorkerConfig { connections: 1, min_size: 100, ..config(address) };
    let stats = stats(&run(&config, &[Command::Start]));
    assert_eq!((stats.messages, stats.lost, stats.error_count()), (0, 4, 1));
}

#[test]
fn counts_the_connections_that_the_server_ends_before_the_start() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config(Server::Tcp(listener.local_addr().unwrap()));
    let (commands, mut coordinator) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        let mut streams: Vec<_> = listener.incoming().take(5).map(Result::unwrap).collect();
        let kept = streams.pop().unwrap();
        drop(streams);
        coordinator.write_all(encode(&Command::Start).as_bytes()).unwrap();
        echo(&kept);
        // The worker ends after the connection, and fails if the coordinator is gone before.
        coordinator
    });
    let stats = stats(&run_on::<Connection<PlainWire>>(&config, commands));
    drop(server.join().unwrap());
    assert_eq!((stats.ended_early, stats.error_count(), stats.messages), (4, 4, 100));
}

#[test]
fn gives_up_a_silent_server() {
    let address = server(|mut stream| {
        // Until the client closes.
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    let config = WorkerConfig { timeout: Duration::from_millis(20), ..config(address) };
    let stats = stats(&run(&config, &[Command::Start]));
    assert_eq!(stats.errors[&ErrorKind::Timeout], 5);
}

#[test]
fn explains_a_wrong_byte() {
    let address = server(|mut stream| {
        let mut line = [0; 64];
        while stream.read_exact(&mut line).is_ok() {
            line[13] ^= 1;
            let _ = stream.write_all(&line);
        }
    });
    let config = WorkerConfig { connections: 1, min_size: 64, max_size: 64, ..config(address) };
    let stats = stats(&run(&config, &[Command::Start]));
    assert_eq!(stats.errors[&ErrorKind::WrongBytes], 1);
    let fault = &stats.faults[0];
    assert_eq!((fault.kind, fault.connection, fault.offset), (FaultKind::Damaged, 0, 13));
}

/// A worker that is stopped after a poll has not received what arrives during the stop.
#[test]
fn a_stop_after_a_poll_makes_no_connection_late() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let timeout = Duration::from_secs(1);
    let config = WorkerConfig {
        connections: 1,
        pace: Pace::Depth(1),
        stop: Stop::Messages(2),
        timeout,
        ..config(Server::Tcp(listener.local_addr().unwrap()))
    };
    let (commands, mut coordinator) = UnixStream::pair().unwrap();
    coordinator.write_all(encode(&Command::Start).as_bytes()).unwrap();
    let stop = commands.try_clone().unwrap();
    let worker = thread::spawn(move || run_on::<Connection<PlainWire>>(&config, commands));
    let (mut stream, _) = listener.accept().unwrap();
    let mut message = [0; 300];
    let length = stream.read(&mut message).unwrap();

    // A read of commands that blocks stands for the stop. It follows the poll that has found a byte of a command.
    stop.set_nonblocking(false).unwrap();
    coordinator.write_all(b" ").unwrap();
    while rustix::io::ioctl_fionread(&stop).unwrap() > 0 {
        thread::yield_now();
    }
    stream.write_all(&message[..length]).unwrap();
    coordinator.set_read_timeout(Some(2 * timeout)).unwrap();
    let silence = coordinator.read(&mut [0]).unwrap_err();
    assert_eq!(silence.kind(), Io::WouldBlock);
    stop.set_nonblocking(true).unwrap();
    coordinator.write_all(b" ").unwrap();

    echo(&stream);
    let stats = stats(&worker.join().unwrap());
    assert_eq!((stats.messages, stats.lost, stats.error_count()), (2, 0, 0), "{stats:?}");
}
