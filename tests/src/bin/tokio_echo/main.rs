//! `tokio-echo`: an echo server as in the examples of tokio, for comparison.
//!
//! The multi-thread runtime, a task per connection, a buffer per task: each task reads and writes
//! everything back, with `--udp` one task sends every datagram back, with `--cert` and `--key` over tokio-rustls, with `--websocket` on a library for WebSocket. No log, no
//! limits, no protocol.
//!
//! It exits at the end of its standard input, so it never outlives the program that started it.

mod websocket;

use std::{
    io::{self, Write as _},
    net::Ipv4Addr,
    num::NonZero,
    path::{Path, PathBuf},
    process,
    sync::Arc,
    thread,
};

use clap::Parser;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, UdpSocket},
    runtime,
};
use tokio_rustls::TlsAcceptor;
use websocket::Library;

/// Length of the accept queue; the system may limit it further.
const BACKLOG: u32 = 4096;

/// Size of the read buffer of each connection in bytes.
const BUFFER: usize = 64 * 1024;

/// Requested receive buffer of the UDP socket.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Echo server on 127.0.0.1 with tokio's multi-thread runtime, for comparison
#[derive(Debug, Parser)]
struct Args {
    /// Number of threads of the runtime
    #[arg(long, default_value = "1")]
    threads: NonZero<usize>,

    /// Serve TLS with the certificate in this PEM file
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// Private key of --cert, as a PEM file
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// Speak WebSocket, by this library
    #[arg(long, value_name = "LIBRARY", conflicts_with = "cert")]
    websocket: Option<Library>,

    /// Echo datagrams
    #[arg(long, conflicts_with_all = ["cert", "websocket"])]
    udp: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    thread::spawn(|| {
        // Input and errors do not matter: only the end of standard input does.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(0);
    });
    let acceptor = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => Some(acceptor(cert, key)?),
        _ => None,
    };
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(args.threads.get())
        .enable_io()
        .build()?;
    // A spawned task runs on the threads of the runtime, a blocked-on future does not.
    if args.udp {
        return runtime.block_on(async { tokio::spawn(echo_datagrams()).await })?;
    }
    runtime.block_on(async { tokio::spawn(listen(acceptor, args.websocket)).await })?
}

fn acceptor(cert: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // As the other servers of the benchmark have; by default rustls keeps a cache of sessions instead.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn listen(acceptor: Option<TlsAcceptor>, websocket: Option<Library>) -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // The error of a connection affects no other connection, so it is ignored.
        match (acceptor.clone(), websocket) {
            (None, Some(library)) => {
                tokio::spawn(websocket::echo(stream, library));
            }
            (None, None) => {
                tokio::spawn(echo(stream));
            }
            (Some(acceptor), _) => {
                tokio::spawn(async move { echo(acceptor.accept(stream).await?).await });
            }
        }
    }
}

async fn echo_datagrams() -> anyhow::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    // As the other servers of the benchmark have; with less, the kernel drops datagrams of a load.
    SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
    writeln!(io::stdout(), "listening on {}", socket.local_addr()?)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let (len, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..len], from).await?;
    }
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..len]).await?;
        // A TLS stream may hold encrypted bytes back; for a socket this does nothing.
        stream.flush().await?;
    }
}
