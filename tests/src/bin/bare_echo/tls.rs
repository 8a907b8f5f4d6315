//! A connection on rustls, driven by hand.

use std::{
    io::{self, Read, Write as _},
    net::TcpStream,
    path::Path,
    sync::Arc,
};

use rustix::net::{RecvFlags, recv};
use rustls::{
    ServerConfig, ServerConnection,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::server::Connection;

pub(crate) struct TlsConnection {
    stream: TcpStream,
    /// Boxed, because the table of connections has empty slots.
    tls: Box<ServerConnection>,
}

/// Reads without waiting. Writes block, as those of a plain connection do.
struct Receiver<'s> {
    stream: &'s TcpStream,
    /// A short read has emptied the socket; later bytes cause a new event.
    is_empty: bool,
}

impl Read for Receiver<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (len, _) = recv(self.stream, &mut *buffer, RecvFlags::DONTWAIT)?;
        self.is_empty = len < buffer.len();
        Ok(len)
    }
}

/// Returns the configuration of a server with one certificate and tickets.
pub(crate) fn server_config(cert: &Path, key: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
}

impl TlsConnection {
    pub(crate) fn new(stream: TcpStream, config: &Arc<ServerConfig>) -> Self {
        let tls = ServerConnection::new(Arc::clone(config)).expect("the configuration is valid");
        Self { stream, tls: Box::new(tls) }
    }

    /// Echoes until the socket is empty. Returns whether the connection stays open.
    fn drive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let mut is_empty = false;
        while !is_empty {
            let mut receiver = Receiver { stream: &self.stream, is_empty };
            if self.tls.read_tls(&mut receiver)? == 0 {
                return Ok(false);
            }
            is_empty = receiver.is_empty;
            let state = self.tls.process_new_packets().map_err(io::Error::other)?;
            let mut left = state.plaintext_bytes_to_read();
            while left > 0 {
                let len = self.tls.reader().read(buffer)?;
                self.tls.writer().write_all(&buffer[..len])?;
                self.send()?;
                left -= len;
            }
            // The end of the stream may have come with the last bytes, without an event of its own.
            if state.peer_has_closed() {
                self.tls.send_close_notify();
                self.send()?;
                return Ok(false);
            }
            self.send()?;
        }
        Ok(true)
    }

    fn send(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }
}

impl Connection for TlsConnection {
    fn echo(&mut self, buffer: &mut [u8]) -> bool {
        match self.drive(buffer) {
            Ok(is_open) => is_open,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}
