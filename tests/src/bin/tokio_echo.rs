//! `tokio-echo`: what tokio's own examples do, to compare others with.
//!
//! The multi-thread runtime, a task for each connection, a buffer for each task: read, write all,
//! again. No log, no limits, no protocol.
//!
//! It ends when its standard input does: no one who starts it can leave it behind.

use std::{
    io::{self, Write as _},
    net::Ipv4Addr,
    num::NonZero,
    process, thread,
};

use clap::Parser;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    runtime,
};

/// Clients that may wait to be accepted; the system has a limit of its own.
const BACKLOG: u32 = 4096;

/// The most bytes that a connection takes at once: a buffer that each of them owns.
const BUFFER: usize = 64 * 1024;

/// An echo server on 127.0.0.1 by tokio's multi-thread runtime, to compare others with
#[derive(Debug, Parser)]
struct Args {
    /// How many threads the runtime has
    #[arg(long, default_value = "1")]
    threads: NonZero<usize>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    thread::spawn(|| {
        // Whatever it says, and however it ends.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(0);
    });
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(args.threads.get())
        .enable_io()
        .build()?;
    // On the runtime's own threads: the one that blocks on it is none of them.
    runtime.block_on(async { tokio::spawn(listen()).await })?
}

async fn listen() -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // How a connection ends is its own matter.
        tokio::spawn(echo(stream));
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..len]).await?;
    }
}
