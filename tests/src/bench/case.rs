//! The cases: what is asked of every server.

use std::time::Duration;

/// What a case asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Connections that send, wait for the echo, and send again.
    Echo { connections: usize, size: usize, depth: usize },
    /// As `Echo`, with one connection in each of so many processes.
    Processes(usize),
    /// Connect, send, wait for the echo, close, and again.
    Churn { connections: usize, size: usize },
    /// Connections that are silent, and some active ones beside them.
    Idle,
    /// Clients that stream as fast as they can, and some interactive ones beside them.
    Fairness,
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// What it is called on the command line and in the JSON.
    pub name: &'static str,
    /// What it is called in tables.
    pub title: &'static str,
    pub kind: Kind,
    /// Whether `--quick` runs it.
    pub quick: bool,
}

/// The connections that are active beside idle ones or streams.
pub(crate) const ACTIVE: usize = 50;

/// The bytes of a message that an active one sends.
pub(crate) const ACTIVE_SIZE: usize = 64;

/// The bytes of a write of a stream.
pub(crate) const STREAM_SIZE: usize = 1024 * 1024;

/// The writes that a stream keeps under way: never nothing to send.
pub(crate) const STREAM_DEPTH: usize = 4;

/// The idle connections that memory is first looked at with.
pub(crate) const FEW_IDLE: usize = 1000;

/// How long the same is done before it counts.
pub(crate) const WARM_UP: Duration = Duration::from_millis(200);

const fn echo(connections: usize, size: usize, depth: usize) -> Kind {
    Kind::Echo { connections, size, depth }
}

/// All of them, in the order in which they are run: the one that leaves the kernel with many closed
/// connections comes last.
pub(crate) const CASES: [Case; 11] = [
    Case { name: "1", title: "1 connection", kind: echo(1, 64, 1), quick: true },
    Case { name: "50", title: "50 connections", kind: echo(50, 64, 1), quick: true },
    Case { name: "procs", title: "50 processes", kind: Kind::Processes(50), quick: true },
    Case { name: "1000", title: "1,000 connections", kind: echo(1000, 64, 1), quick: true },
    Case { name: "10000", title: "10,000 connections", kind: echo(10_000, 64, 1), quick: false },
    Case { name: "depth32", title: "50, depth 32", kind: echo(50, 64, 32), quick: true },
    Case { name: "16k", title: "50, 16 KB", kind: echo(50, 16 * 1024, 1), quick: true },
    Case { name: "1m", title: "8, 1 MB", kind: echo(8, 1024 * 1024, 1), quick: false },
    Case { name: "fairness", title: "50 beside streams", kind: Kind::Fairness, quick: false },
    Case { name: "idle", title: "50 beside idle ones", kind: Kind::Idle, quick: false },
    Case {
        name: "churn",
        title: "churn",
        kind: Kind::Churn { connections: 50, size: 64 },
        quick: true,
    },
];

/// A case by its name.
pub(crate) fn parse(name: &str) -> Result<Case, String> {
    let found = CASES.into_iter().find(|case| case.name == name);
    found.ok_or_else(|| {
        let names = CASES.map(|case| case.name).join(", ");
        format!("there is no such case; there are {names}")
    })
}
