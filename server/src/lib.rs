//! An echo server with a fixed pool of worker threads, for programs that embed it.
//!
//! ```text
//! Handle ──> phase (Running -> Draining -> Stopped)
//!                │
//! listener ──> acceptor ──> dispatch queue (bounded, with wakeups)
//!                              │  the only way by which a connection changes threads
//!              ┌───────────────┼───────────────┐
//!           worker 1        worker 2   ...  worker N        (threadpool)
//!           poll + connections
//!              │ readable bytes (one read buffer per worker)
//!              ▼
//!           connection: socket, send buffer, deadlines, turn budget
//!              ▼
//!           session: the protocol, without I/O
//!              ▼
//!           telemetry: log records, counters
//! ```
//!
//! A connection belongs to exactly one worker at a time. [`Server`] has an example.
//!
//! The modules, from top to bottom; imports only point down:
//!
//! | module | owns |
//! |---|---|
//! | [`settings`] | flags, environment and file, and the configuration that they make |
//! | `server` | bind, run, drain, reload; the handle |
//! | `admin` | the listener for operators: health, metrics, connections |
//! | `listener` | from an endpoint to a listening socket, and the acceptor |
//! | `worker` | the event loop of one thread |
//! | `shared` | the state that threads share: the phase and the dispatch queue |
//! | `udp` | datagrams |
//! | `connection` | one peer's bytes, from the socket to the session and back |
//! | `sasl` | login by SASL before a session |
//! | `session` | the protocols, without I/O |
//! | `relay` | rooms that several servers share through Redis |
//! | `rooms` | rooms: messages from each member to all, in one order |
//! | `telemetry` | log lines and counters |
//! | `admission` | limits, and the refusal of what exceeds them |
//! | `login` | who may log in |
//! | `tls` | TLS, over rustls |
//! | `layer` | the trait of a layer between wire bytes and plaintext |
//! | `proxy_protocol` | the PROXY header |
//! | `fault_log` | the record of injected faults in a file |
//! | `history` | the record of all messages in a database, and its search |
//! | [`logging`] | the program's log: format, queue, writer |
//! | `config` | the configuration of a server, and every [limit](limits) |

#[cfg(feature = "admin")]
mod admin;
mod admission;
mod config;
mod connection;
mod consolidation;
mod fault_log;
mod faults;
pub mod history;
#[cfg(feature = "http")]
mod http;
mod layer;
mod listener;
pub mod logging;
#[cfg(feature = "login")]
mod login;
mod metrics;
mod proxy_protocol;
#[cfg(feature = "redis")]
mod relay;
#[cfg(feature = "rooms")]
mod rooms;
#[cfg(feature = "login")]
mod sasl;
mod server;
mod session;
#[cfg(feature = "cli")]
pub mod settings;
mod shared;
mod telemetry;
#[cfg(feature = "tls")]
mod tls;
mod udp;
#[cfg(feature = "http")]
mod websocket;
mod worker;

#[cfg(feature = "tls")]
pub use rustls;

#[cfg(feature = "admin")]
pub use self::config::Admin;
#[cfg(feature = "http")]
pub use self::config::Http;
#[cfg(feature = "redis")]
pub use self::config::RedisUrl;
#[cfg(feature = "tls")]
pub use self::config::Tls;
#[cfg(feature = "login")]
pub use self::config::{Credential, Login, User, Users};
#[cfg(feature = "rooms")]
pub use self::config::{Room, Slow};
#[cfg(feature = "cli")]
pub use self::fault_log::FaultLogError;
#[cfg(feature = "history")]
pub use self::history::HistoryStats;
#[cfg(feature = "rooms")]
pub use self::rooms::RoomStats;
pub use self::{
    config::{
        Config, Consolidate, FaultKind, FaultProfile, FaultRule, Faults, FixedSetting,
        HistoryOptions, HistoryOverflow, Jitter, Keep, Listener, ListenerOptions, LogReceipts,
        Proxy, Share, Spin, Window, history_limits, limits, rlimit,
    },
    listener::{BindError, InheritedSocket},
    metrics::Stats,
    server::{Handle, ListenerError, Liveness, ReloadError, Reloaded, RunError, Server},
    shared::{FaultsError, Phase},
};
