//! What holds for every input, as properties of plain bytes.
//!
//! | module | what it checks |
//! |---|---|
//! | [`text`], [`raw`], [`length`] | a conversation: what goes back, how it ends, which messages the log has |
//! | [`proxy`] | what a PROXY header says, and where it ends |
//! | [`exit`] | what reads as an exit, whole and in pieces |
//! | [`escape`] | what is shown of a peer's bytes |
//! | [`cli`] | what is typed on a command line |
//! | [`configuration`] | a configuration file |
//!
//! Each has a fuzz target, which `make torture` runs, and a corpus, which `make test` replays. What
//! is right is said a second time here, of whole streams and without a thought of speed.

pub mod cli;
pub mod configuration;
mod conversation;
pub mod escape;
pub mod exit;
pub mod length;
pub mod proxy;
// As the session below: all that it knows is bytes.
#[expect(unused_imports, reason = "only the server names its errors")]
#[path = "../../../server/src/proxy_protocol/mod.rs"]
mod proxy_header;
pub mod raw;
mod reads;
// A session knows no socket, so its source is enough: the server need not show its sessions to anyone
// else.
#[path = "../../../server/src/session/mod.rs"]
mod session;
pub mod text;

/// A property: panics if it does not hold for these bytes.
pub type Property = fn(&[u8]);

/// All of them, by the names of their targets and corpora.
pub const PROPERTIES: [(&str, Property); 8] = [
    ("cli", cli::check),
    ("configuration", configuration::check),
    ("escape", escape::check),
    ("exit", exit::check),
    ("length", length::check),
    ("proxy", proxy::check),
    ("raw", raw::check),
    ("text", text::check),
];
