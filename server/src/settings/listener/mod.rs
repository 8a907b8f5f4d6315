//! The listeners of the settings: their URLs, and the parameters of each.
//!
//! Must not know where a URL was set, nor the files that it names. Read `url.rs` first.

mod admin;
mod faults;
mod http;
mod login;
mod receipt;
mod room;
mod url;

pub(super) use self::{admin::AdminUrl, receipt::NOT_RAW, url::ListenerUrl};
