//! Random schedules: connections over a simulated network with a simulated clock.
//!
//! One seed determines everything: the bytes that peers send and when they arrive, how much their sockets
//! take, ends and resets of streams, stalls, the drain, migrations to another worker, the time that passes, and
//! reads that panic. The network is as difficult as a real one may be: it reports readiness once, and passes
//! any number of bytes at a time.
//!
//! Each peer speaks one of the protocols: `text`, `raw`, `length`, or HTTP with pipelined requests, upgrades and the frames of
//! a WebSocket. Some speak the layer for tests (`Scrambled`), and in a second test most speak TLS: a client of rustls, whose
//! handshake, records, key updates and `close_notify` are steps of the schedule, too. It may leave its tickets unread, send
//! bytes after its end, break the rules, or be cut off anywhere.
//!
//! The bytes that a peer must receive follow from the bytes that it sent alone ([`model`]). For HTTP and WebSocket there is a
//! second implementation of their rules, from whole requests and messages, which shares no code with the server. The
//! deadlines of their sessions have a clock of their own ([`session_clock`]). After every schedule the network settles; a peer
//! that has not received all of its bytes by then was forgotten.
//!
//! A failure names its seed. `SIMULATION_SEEDS` and, over TLS, `SIMULATION_TLS_SEEDS` are the ranges of seeds to run, as
//! `7` or `0..1000`; with a single seed a failure prints a trace. TLS takes its keys from the system, so encrypted bytes
//! differ between two runs of a seed, but their lengths do not: no step of a schedule depends on anything else of them, and
//! the certificates of [`TestCa`](crate::tls::TestCa) have fixed lengths. So a seed has the same trace every time.
//!
//! Read `schedule/` first: the steps of a schedule, then `script/`: what peers send, and `tls/`: the steps of a peer with TLS.
//! `model/` says what a peer must receive, `end.rs` how its connection ends, and `check.rs` looks at a connection after each
//! turn.

mod application;
mod check;
mod encoding;
mod end;
mod layer_end;
mod model;
mod network;
mod outcome;
mod pair;
mod schedule;
mod script;
mod session_clock;
mod tests;
mod tls;
