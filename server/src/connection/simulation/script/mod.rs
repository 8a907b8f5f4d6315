//! Scripts: the bytes that a peer sends.

mod echo;
mod http;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod script;
mod websocket;

pub(super) use self::{
    echo::{header, messages},
    http::requests,
    script::Script,
};
