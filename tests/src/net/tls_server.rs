//! A TLS echo server, with one fault if the test needs it.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};

use super::test_ca::{Certificate, TestCa};
use crate::wait::DEADLINE;

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// Nothing.
    None,
    /// It ends its stream without a `close_notify` after its first echo.
    Truncates,
    /// It closes cleanly after its first echo.
    Closes,
    /// It sends a byte that nobody asked for after its first echo.
    Speaks,
    /// It changes the first byte of each echo.
    Lies,
}

/// Configuration of a server.
#[derive(Debug)]
pub struct TlsServerConfig<'c> {
    /// Its certificate.
    pub certificate: &'c Certificate,
    /// CA from which it requires a client certificate.
    pub client_ca: Option<&'c TestCa>,
    /// It supports TLS 1.2 only.
    pub is_old: bool,
    /// Its fault.
    pub fault: TlsFault,
}

impl<'c> TlsServerConfig<'c> {
    /// Returns the configuration of a server without a fault.
    #[must_use]
    pub fn new(certificate: &'c Certificate) -> Self {
        Self { certificate, client_ca: None, is_old: false, fault: TlsFault::None }
    }
}

/// A running server, which serves as long as the test process runs.
#[derive(Debug)]
pub struct TlsServer {
    /// Its address.
    pub address: SocketAddr,
}

impl TlsServer {
    /// Starts a server on a free port.
    #[must_use]
    pub fn start(config: &TlsServerConfig<'_>) -> Self {
        let fault = config.fault;
        let config = Arc::new(server_config(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                stream.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
                let tls =
                    ServerConnection::new(Arc::clone(&config)).expect("a valid configuration");
                // A client may leave at any time, and some tests provoke a failed handshake.
                thread::spawn(move || serve(StreamOwned::new(tls, stream), fault));
            }
        });
        Self { address }
    }

    /// Starts a server without a fault.
    #[must_use]
    pub fn with(certificate: &Certificate) -> Self {
        Self::start(&TlsServerConfig::new(certificate))
    }

    /// Returns its URL with the host name.
    #[must_use]
    pub fn url(&self) -> String {
        format!("tls://localhost:{}", self.address.port())
    }
}

pub(super) fn server_config(config: &TlsServerConfig<'_>) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions: &[&'static SupportedProtocolVersion] =
        if config.is_old { &[&TLS12] } else { &[&TLS13, &TLS12] };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .expect("the provider supports them");
    let builder = match config.client_ca {
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(ca.der()).expect("a valid CA");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a CA"))
        }
        None => builder.with_no_client_auth(),
    };
    let Certificate { der, key, .. } = config.certificate;
    builder.with_single_cert(vec![der.clone()], key.clone_key()).expect("the key is valid")
}

fn serve(mut stream: StreamOwned<ServerConnection, TcpStream>, fault: TlsFault) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        if fault == TlsFault::Lies {
            buffer[0] ^= 1;
        }
        stream.write_all(&buffer[..count])?;
        match fault {
            TlsFault::None | TlsFault::Lies => {}
            TlsFault::Truncates => {
                // A close with unread bytes of the client would be a reset, and no end of the stream.
                stream.sock.shutdown(Shutdown::Write)?;
                return io::copy(&mut stream.sock, &mut io::sink()).map(|_| ());
            }
            TlsFault::Closes => break,
            TlsFault::Speaks => stream.write_all(b"!")?,
        }
    }
    stream.conn.send_close_notify();
    stream.flush()
}
