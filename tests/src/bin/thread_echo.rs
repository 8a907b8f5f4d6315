//! `thread-echo`: an echo server with a thread per connection, for comparison.
//!
//! Each thread reads from its socket and writes everything back. No log, no limits, no protocol.
//!
//! It exits at the end of its standard input, so it never outlives the program that started it.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process, thread,
};

use rustix::net::listen;

/// Length of the accept queue; the system may limit it further.
const BACKLOG: i32 = 4096;

/// Size of the read buffer of each connection in bytes.
const BUFFER: usize = 64 * 1024;

fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listen(&listener, BACKLOG)?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    thread::spawn(|| {
        // Input and errors do not matter: only the end of standard input does.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(0);
    });
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        // The error of a connection affects no other connection, so it is ignored.
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
