//! The listeners of the settings: their URLs, and the parameters of each.
//!
//! Must not know where a URL was set, nor the files that it names. Read `url.rs` first.

mod http;
mod login;
mod room;
mod url;

pub(super) use self::url::ListenerUrl;
