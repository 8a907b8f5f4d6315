//! Properties that hold for every input of plain bytes.
//!
//! | module | what it checks |
//! |---|---|
//! | [`text`], [`raw`], [`length`] | a session: the echo, its end, and the messages in the log |
//! | [`proxy`] | the meaning of a PROXY header, and its length |
//! | [`exit`] | the recognition of an exit, in one piece and in several |
//! | [`escape`] | the escaped form of a peer's bytes |
//! | [`cli`] | values on a command line |
//! | [`configuration`] | a configuration file |
//! | [`protocols`] | HTTP and WebSocket: requests and frames, in any pieces |
//! | [`tls`] | the records of a client, valid or not, in any pieces |
//!
//! Each property has a fuzz target, which `make torture` runs, and a corpus, which `make test` replays. The expected
//! results come from a second implementation, which works on whole streams and ignores speed.

pub mod cli;
pub mod configuration;
pub mod escape;
// What the included sources import.
mod config {
    pub(crate) use server::{FaultKind, FaultRule, Faults, Http, Jitter, Listener, Share, limits};
}
#[path = "../../../server/src/telemetry/connection_id.rs"]
mod connection_id;
mod exchange;
pub mod exit;
// Included as a source, since the handlers of protocols know the faults that are theirs.
#[expect(dead_code, unused_imports, reason = "only the server has listeners with faults")]
#[path = "../../../server/src/faults/mod.rs"]
mod faults;
// Included as a source for the same reason as the session below.
#[path = "../../../server/src/http/mod.rs"]
mod http;
pub mod length;
pub mod protocols;
pub mod proxy;
// Included as a source, as the TLS layer below.
#[expect(dead_code, unused_imports, reason = "only the server has connections without a layer")]
#[path = "../../../server/src/layer/mod.rs"]
mod layer;
// Included as a source for the same reason as the session below.
#[expect(unused_imports, reason = "only the server uses its errors")]
#[path = "../../../server/src/proxy_protocol/mod.rs"]
mod proxy_header;
pub mod raw;
mod reads;
// A session does not use sockets, so its source is sufficient: the server does not have to export it.
#[path = "../../../server/src/tls/mod.rs"]
mod server_tls;
#[expect(dead_code, reason = "only the server changes protocols and counts messages")]
#[path = "../../../server/src/session/mod.rs"]
mod session;
mod telemetry {
    pub(crate) use super::connection_id::ConnectionId;
}
pub mod text;
pub mod tls;
// Included as a source for the same reason as the session.
#[path = "../../../server/src/websocket/mod.rs"]
mod websocket;

/// Property, which panics if it does not hold for these bytes.
pub type Property = fn(&[u8]);

/// All properties, by the names of their targets and corpora.
pub const PROPERTIES: [(&str, Property); 11] = [
    ("cli", cli::check),
    ("configuration", configuration::check),
    ("escape", escape::check),
    ("exit", exit::check),
    ("http", protocols::check_http),
    ("length", length::check),
    ("proxy", proxy::check),
    ("raw", raw::check),
    ("text", text::check),
    ("tls", tls::check),
    ("websocket", protocols::check_websocket),
];
