//! Text about a session for `--verbose`.

use std::fmt::Write as _;

use common::escape::Quoted;
use rustls::{ClientConnection, HandshakeKind, NamedGroup, ProtocolVersion, pki_types::UnixTime};

use super::certificate::{Certificate, distance, seconds, time_text};

/// Returns a line about what was negotiated, and two about each certificate of the server, its own first.
pub(super) fn summary(tls: &ClientConnection) -> String {
    let version = match tls.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "unknown version",
    };
    let suite = tls.negotiated_cipher_suite().map_or_else(
        || "unknown suite".to_owned(),
        |suite| registered(&format!("{:?}", suite.suite())),
    );
    let group = tls
        .negotiated_key_exchange_group()
        .map_or_else(String::new, |group| format!(", key exchange {}", group_name(group.name())));
    let alpn = tls.alpn_protocol().map_or_else(|| "none".to_owned(), |it| Quoted(it).to_string());
    let handshake = match tls.handshake_kind() {
        Some(HandshakeKind::Resumed) => "resumed",
        _ => "full handshake",
    };
    let mut text = format!("{version}, {suite}{group}, ALPN {alpn}, {handshake}");
    for (index, der) in tls.peer_certificates().into_iter().flatten().enumerate() {
        let Some(certificate) = Certificate::read(der) else { continue };
        let _ = write!(text, "\nCertificate {index}: {}", describe(&certificate));
    }
    text
}

/// Returns the registered name of a cipher suite, as openssl and the server show it; rustls has names of its own for those
/// of TLS 1.3.
fn registered(suite: &str) -> String {
    suite.replacen("TLS13_", "TLS_", 1)
}

fn group_name(group: NamedGroup) -> String {
    format!("{group:?}")
}

fn describe(certificate: &Certificate) -> String {
    let Certificate { subject, issuer, not_after, fingerprint, .. } = certificate;
    let names = certificate.names.join(", ");
    let names = if names.is_empty() { names } else { format!(" for {names}") };
    let now = seconds(UnixTime::now());
    let (until, distance) = (time_text(*not_after), distance(now, *not_after));
    let when = if *not_after < now { format!("{distance} ago") } else { format!("in {distance}") };
    format!(
        "{subject}{names}, issued by {issuer}, expires on {until} ({when}), SHA-256 {fingerprint}"
    )
}
