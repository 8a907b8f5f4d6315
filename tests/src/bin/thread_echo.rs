//! `thread-echo`: a thread for each connection, to compare others with.
//!
//! Each thread blocks on its own socket: read, write all, again. No log, no limits, no protocol.
//!
//! It ends when its standard input does: no one who starts it can leave it behind.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process, thread,
};

use rustix::net::listen;

/// Clients that may wait to be accepted; the system has a limit of its own.
const BACKLOG: i32 = 4096;

/// The most bytes that a connection takes at once: a buffer that each of them owns.
const BUFFER: usize = 64 * 1024;

fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listen(&listener, BACKLOG)?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    thread::spawn(|| {
        // Whatever it says, and however it ends.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(0);
    });
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        // How a connection ends is its own matter.
        thread::Builder::new().spawn(move || echo(stream))?;
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..len])?;
    }
}
