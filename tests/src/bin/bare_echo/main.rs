//! `bare-echo`: a minimal echo server, the floor of the benchmarks.
//!
//! An epoll loop with `recv` and `send`, or on rustls with `--cert` and `--key`. No log, no limits, no protocol and no
//! write buffer: a `send` to a full socket blocks the whole thread. This does not happen with clients that keep less in
//! flight than a socket buffer holds. It is a baseline for measurements, not a usable server.
//!
//! It exits at the end of its standard input, so it never outlives the program that started it.
//!
//! | module | what it owns |
//! |---|---|
//! | [`server`] | the threads, the epoll loops, the distribution of the connections |
//! | [`plain`] | a connection with the bytes of the wire |
//! | [`tls`] | a connection on rustls |
//! | [`http`] | a connection that echoes the bodies of requests |
//! | [`websocket`] | a connection that removes the masks of frames |
//! | [`fan_out`] | a loop that sends what it reads to all connections |
//! | [`udp`] | loops that echo datagrams |

mod fan_out;
mod http;
mod plain;
mod server;
mod tls;
mod udp;
mod websocket;

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, TcpListener},
    num::NonZero,
    path::PathBuf,
    process, thread,
};

use anyhow::Context as _;
use clap::Parser;
use rustix::net::listen;

use self::{
    http::HttpConnection, plain::PlainConnection, server::Server, tls::TlsConnection,
    websocket::WebSocketConnection,
};

/// Length of the accept queue; the system may limit it further.
const BACKLOG: i32 = 4096;

/// Minimal epoll echo server on 127.0.0.1, for comparison
#[derive(Debug, Parser)]
struct Args {
    /// Port to listen on; 0 selects a free port
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Number of threads, each with its own epoll loop and connections
    #[arg(long, default_value = "1")]
    threads: NonZero<usize>,

    /// Serve TLS with the certificate in this PEM file
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// Private key of --cert, as a PEM file
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// Speak WebSocket
    #[arg(long, conflicts_with = "cert")]
    websocket: bool,

    /// Speak HTTP
    #[arg(long, conflicts_with_all = ["cert", "websocket"])]
    http: bool,

    /// Send what a client sends to all clients, on one thread
    #[arg(long, conflicts_with_all = ["cert", "websocket", "http"])]
    fan_out: bool,

    /// Echo datagrams of up to 2 KiB, by these system calls
    #[arg(long, value_name = "CALLS", conflicts_with_all = ["cert", "websocket", "http", "fan_out"])]
    udp: Option<udp::Calls>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    thread::spawn(|| {
        // Input and errors do not matter: only the end of standard input does.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(0);
    });
    if let Some(calls) = args.udp {
        return udp::serve(args.port, args.threads, calls);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))
        .with_context(|| format!("cannot listen on port {}", args.port))?;
    // Several threads wake for one client; the ones that do not get it must not block in `accept`.
    listener.set_nonblocking(true)?;
    // Thousands of clients connect at the same time; a full queue delays a client by a second.
    listen(&listener, BACKLOG)?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    if args.fan_out {
        return fan_out::serve(&listener);
    }
    let server = Server::new(listener, args.threads.get())?;
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        let config = tls::server_config(cert, key)?;
        server.serve(&|stream| TlsConnection::new(stream, &config))
    } else if args.websocket {
        server.serve(&WebSocketConnection::new)
    } else if args.http {
        server.serve(&HttpConnection::new)
    } else {
        server.serve(&PlainConnection)
    }
}
