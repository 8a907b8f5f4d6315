//! TLS in front of a server without it, with one fault of its own if the test needs it.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, poll};
use rustls::{ServerConfig, ServerConnection};
use socket2::SockRef;

use super::{
    test_ca::Certificate,
    tls_server::{TlsServerConfig, server_config},
};
use crate::wait::DEADLINE;

/// What is wrong with the TLS of a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFrontFault {
    /// Nothing.
    None,
    /// It sends a FIN without a `close_notify` after the first reply.
    Truncates,
    /// It sends a FIN in the middle of the record of the first reply.
    CutsRecord,
    /// It resets the connection in the middle of the record of the first reply.
    ResetsInRecord,
    /// It changes a byte of the record of the first reply.
    DamagesRecord,
    /// It sends nothing in the handshake, from the connection of this number on, counted from 0.
    StallsInHandshake(usize),
    /// It closes the connection in the handshake, from the connection of this number on.
    ClosesInHandshake(usize),
}

/// Running front. It serves for as long as the test process runs.
///
/// It connects to the server behind it when the first plaintext arrives: a client that only makes its handshake is
/// none of that server.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
}

impl TlsFront {
    /// Starts a front on a free port.
    #[must_use]
    pub fn start(certificate: &Certificate, server: SocketAddr, fault: TlsFrontFault) -> Self {
        let config = Arc::new(server_config(&TlsServerConfig::new(certificate)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        thread::spawn(move || {
            for (number, client) in listener.incoming().map_while(Result::ok).enumerate() {
                let config = Arc::clone(&config);
                // A client may close its connection at any time.
                thread::spawn(move || serve(client, number, &config, server, fault));
            }
        });
        Self { address }
    }

    /// Returns its URL with the host name.
    #[must_use]
    pub fn url(&self) -> String {
        format!("tls://localhost:{}", self.address.port())
    }
}

fn serve(
    client: TcpStream,
    number: usize,
    config: &Arc<ServerConfig>,
    server: SocketAddr,
    fault: TlsFrontFault,
) -> io::Result<()> {
    client.set_read_timeout(Some(DEADLINE))?;
    client.set_nodelay(true)?;
    match fault {
        TlsFrontFault::StallsInHandshake(from) if number >= from => return discard(&client),
        TlsFrontFault::ClosesInHandshake(from) if number >= from => {
            // Everything is read, so that the close resets nothing.
            return (&client).read(&mut [0; 16 * 1024]).map(drop);
        }
        _ => {}
    }
    let tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut front = Front { client, tls, server: None, fault, has_ended: false };
    while front.step(server)? {}
    Ok(())
}

/// Reads and discards to the end of the stream.
fn discard(mut stream: &TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// One connection.
struct Front {
    client: TcpStream,
    tls: ServerConnection,
    /// Connection to the server behind.
    server: Option<TcpStream>,
    fault: TlsFrontFault,
    /// The client has ended its direction.
    has_ended: bool,
}

impl Front {
    /// Waits for one side and passes on what it sends; returns `false` at the end.
    fn step(&mut self, server: SocketAddr) -> io::Result<bool> {
        let mut fds = Vec::with_capacity(2);
        let from_client = if self.has_ended { PollFlags::empty() } else { PollFlags::IN };
        fds.push(PollFd::new(&self.client, from_client));
        fds.extend(self.server.as_ref().map(|server| PollFd::new(server, PollFlags::IN)));
        poll(&mut fds, None)?;
        let [is_client_ready, is_server_ready] =
            [0, 1].map(|index| fds.get(index).is_some_and(|fd| !fd.revents().is_empty()));
        if is_client_ready {
            let is_open = self.pass_request(server)?;
            if !is_open {
                return Ok(false);
            }
        }
        if is_server_ready { self.pass_reply() } else { Ok(true) }
    }

    /// Passes on what the client has sent; returns `false` at the end.
    fn pass_request(&mut self, server: SocketAddr) -> io::Result<bool> {
        let is_cut = self.tls.read_tls(&mut self.client)? == 0;
        let state = self.tls.process_new_packets();
        self.flush()?;
        let state = state.map_err(io::Error::other)?;
        let mut plaintext = vec![0; state.plaintext_bytes_to_read()];
        self.tls.reader().read_exact(&mut plaintext)?;
        if !plaintext.is_empty() {
            let written = self.server(server)?.write_all(&plaintext);
            if written.is_err() {
                // The server has reset its connection, and this call has taken the error.
                return self.reset();
            }
        }
        if is_cut || state.peer_has_closed() {
            self.has_ended = true;
            if let Some(server) = &self.server {
                // A server that is gone is seen by the next read.
                let _ = server.shutdown(Shutdown::Write);
            } else {
                self.tls.send_close_notify();
                self.flush()?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn server(&mut self, address: SocketAddr) -> io::Result<&mut TcpStream> {
        Ok(match &mut self.server {
            Some(server) => server,
            none => none.insert(TcpStream::connect(address)?),
        })
    }

    /// Passes on what the server has sent; returns `false` at the end.
    fn pass_reply(&mut self) -> io::Result<bool> {
        let Some(server) = &mut self.server else { return Ok(false) };
        let mut reply = vec![0; 64 * 1024];
        // An error is a reset of the server.
        let Ok(count) = server.read(&mut reply) else { return self.reset() };
        if count == 0 {
            self.tls.send_close_notify();
            self.flush()?;
            return self.end();
        }
        self.tls.writer().write_all(&reply[..count])?;
        let mut records = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records)?;
        }
        let half = records.len() / 2;
        match self.fault {
            TlsFrontFault::CutsRecord | TlsFrontFault::ResetsInRecord => records.truncate(half),
            TlsFrontFault::DamagesRecord => records[half] ^= 1,
            _ => {}
        }
        self.client.write_all(&records)?;
        match self.fault {
            TlsFrontFault::Truncates | TlsFrontFault::CutsRecord => self.end(),
            TlsFrontFault::ResetsInRecord => self.reset(),
            _ => Ok(true),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.client)?;
        }
        Ok(())
    }

    /// Ends the stream, and reads on: closing the socket with unread input would reset the connection.
    fn end(&self) -> io::Result<bool> {
        self.client.shutdown(Shutdown::Write)?;
        discard(&self.client).map(|()| false)
    }

    fn reset(&self) -> io::Result<bool> {
        SockRef::from(&self.client).set_linger(Some(Duration::ZERO)).map(|()| false)
    }
}
