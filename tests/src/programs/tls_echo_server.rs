//! A running `echo-server` with TLS, whose certificate has a CA of its own.

use std::ops::Deref;

use super::echo_server::{EchoServer, Launch};
use crate::net::{Certificate, TestCa};

/// Running server with one TLS listener on a free port of 127.0.0.1. Dropping this kills it.
#[derive(Debug)]
pub struct TlsEchoServer {
    /// The CA of its certificate.
    pub ca: TestCa,
    /// Its certificate, for `localhost` and 127.0.0.1.
    pub certificate: Certificate,
    server: EchoServer,
}

impl TlsEchoServer {
    /// Starts a server with these further arguments. `parameters` are those of the listener: `&tls-min=1.3`.
    #[must_use]
    pub fn start(parameters: &str, args: &[&str]) -> Self {
        Self::launch(parameters, args, Launch::start)
    }

    /// Like [`TlsEchoServer::start`], with options for the start.
    #[must_use]
    pub fn launch(
        parameters: &str,
        args: &[&str],
        start: impl FnOnce(Launch) -> EchoServer,
    ) -> Self {
        let ca = TestCa::new();
        let certificate = ca.localhost();
        let listen = listen_url(&certificate, 0, parameters);
        let args = [&["--listen", &listen], args].concat();
        let server = start(Launch::new(&args).without_port());
        Self { ca, certificate, server }
    }

    /// Starts another server on its port, with its certificate.
    #[must_use]
    pub fn start_again(&self, args: &[&str]) -> EchoServer {
        let listen = listen_url(&self.certificate, self.port(), "");
        Launch::new(&[&["--listen", &listen], args].concat()).without_port().start()
    }

    /// Returns its host and port: `127.0.0.1:40000`.
    #[must_use]
    pub fn host_port(&self) -> &str {
        self.addresses()[0].strip_prefix("tls://").expect("it has a TLS listener")
    }

    /// Returns its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        let port = self.host_port().rsplit(':').next();
        port.and_then(|port| port.parse().ok()).expect("an address has a port")
    }

    /// Returns its URL with the host name.
    #[must_use]
    pub fn url(&self) -> String {
        format!("tls://localhost:{}", self.port())
    }
}

impl Deref for TlsEchoServer {
    type Target = EchoServer;

    fn deref(&self) -> &EchoServer {
        &self.server
    }
}

fn listen_url(certificate: &Certificate, port: u16, parameters: &str) -> String {
    let Certificate { certificate_file, key_file, .. } = certificate;
    let (cert, key) = (certificate_file.display(), key_file.display());
    format!("tls://127.0.0.1:{port}?cert={cert}&key={key}{parameters}")
}
