//! `tokio-echo`: an echo server as in the examples of tokio, for comparison.
//!
//! The multi-thread runtime, a task per connection, a buffer per task: each task reads and writes
//! everything back. No log, no limits, no protocol.
//!
//! It exits at the end of its standard input, so it never outlives the program that started it.

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

/// Length of the accept queue; the system may limit it further.
const BACKLOG: u32 = 4096;

/// Size of the read buffer of each connection in bytes.
const BUFFER: usize = 64 * 1024;

/// Echo server on 127.0.0.1 with tokio's multi-thread runtime, for comparison
#[derive(Debug, Parser)]
struct Args {
    /// Number of threads of the runtime
    #[arg(long, default_value = "1")]
    threads: NonZero<usize>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    thread::spawn(|| {
        // Input and errors do not matter: only the end of standard input does.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(0);
    });
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(args.threads.get())
        .enable_io()
        .build()?;
    // A spawned task runs on the threads of the runtime, a blocked-on future does not.
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
        // The error of a connection affects no other connection, so it is ignored.
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
