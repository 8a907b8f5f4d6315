//! The configurations of TLS in a simulation, and a session to resume.

use std::sync::{Arc, LazyLock};

use fastrand::Rng;
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion,
    client::Resumption,
    crypto::{
        SupportedKxGroup,
        aws_lc_rs::{self, Ticketer, kx_group},
    },
    version::{TLS12, TLS13},
};

use crate::tls::TestCa;

/// The parameters of a client.
pub(super) struct Parameters {
    version: &'static SupportedProtocolVersion,
    groups: Vec<&'static dyn SupportedKxGroup>,
    has_certificate: bool,
    /// It resumes an earlier session.
    pub(super) is_resumed: bool,
}

static SERVER: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let mut config = TestCa::get().server(&[&TLS12, &TLS13]);
    // A ticket has the whole session, so connections of other schedules cannot displace it.
    config.ticketer = Ticketer::new().expect("the system has random bytes");
    Arc::new(config)
});

/// Returns the configuration of the server.
pub(in crate::connection::simulation) fn server() -> Arc<ServerConfig> {
    Arc::clone(&SERVER)
}

impl Parameters {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let groups: &[&'static dyn SupportedKxGroup] = match rng.u8(0..8) {
            // A long hello, with a key share that resists quantum computers.
            0 => &[kx_group::X25519MLKEM768, kx_group::X25519],
            // The server has no such group, and asks for another hello.
            1 => &[kx_group::MLKEM768, kx_group::X25519],
            _ => &[kx_group::X25519],
        };
        Self {
            version: if rng.u8(0..3) == 0 { &TLS12 } else { &TLS13 },
            groups: groups.to_vec(),
            has_certificate: rng.u8(0..4) == 0,
            is_resumed: rng.u8(0..3) == 0,
        }
    }

    /// Returns the configuration of the client.
    pub(super) fn client(&self) -> ClientConfig {
        let mut provider = aws_lc_rs::default_provider();
        provider.kx_groups.clone_from(&self.groups);
        let name = self.has_certificate.then_some("alice");
        let mut config = TestCa::get().client_of(Arc::new(provider), &[self.version], name);
        config.resumption = Resumption::disabled();
        if self.is_resumed {
            config.resumption = Resumption::in_memory_sessions(4);
            open_session(&Arc::new(config.clone()));
        }
        config
    }
}

/// Makes a connection, so that the client has a ticket for the next one.
fn open_session(config: &Arc<ClientConfig>) {
    let name = "localhost".try_into().expect("a name");
    let client = ClientConnection::new(Arc::clone(config), name);
    let mut client = client.expect("the configuration is complete");
    let mut server = ServerConnection::new(server()).expect("the configuration is complete");
    while client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).expect("a vector takes everything");
        }
        let mut rest = &wire[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).expect("a slice can be read");
            server.process_new_packets().expect("the client keeps the rules");
        }
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).expect("a vector takes everything");
        }
        let mut rest = &wire[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).expect("a slice can be read");
            client.process_new_packets().expect("the server keeps the rules");
        }
    }
}
