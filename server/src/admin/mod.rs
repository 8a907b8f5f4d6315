//! The admin listener: health, metrics, connections and faults for the operators of the server, over HTTP.
//!
//! Owns a thread with its own poll, its connections, and the endpoints. Its clients do not count as clients of the server:
//! they are in no limit, no counter and no log of clients. The parser of requests is that of `http/`.
//!
//! Must not wait for another thread, nor do anything on the path of a message. It reads counters, and asks workers by
//! messages. The only thing that it changes is the faults of listeners.
//!
//! Read `event_loop.rs` first, then [`endpoints`].

mod client;
mod context;
mod endpoints;
mod event_loop;
mod exposition;
mod faults;
mod health;
mod list;
mod listener;
mod negotiation;
mod rates;
mod reasons;
mod status;
mod thread;
mod version;

pub(crate) use self::{listener::AdminListener, thread::AdminThread};
