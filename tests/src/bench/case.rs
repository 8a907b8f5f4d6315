//! The cases: the load on each server.

use std::time::Duration;

/// Load of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Connections that send, wait for the echo, and repeat.
    Echo { connections: usize, size: usize, depth: usize },
    /// Connections that send on schedule, at this share of the rate that the floor reaches with `50`.
    OpenLoop { percent: u32 },
    /// Like `Echo`, in this number of processes with one connection each.
    Processes(usize),
    /// Connections that send one message, wait for the echo, and close.
    Churn { connections: usize, size: usize },
    /// Idle connections and some active ones.
    Idle,
    /// Clients that stream at full speed and some interactive ones.
    Fairness,
    /// WebSocket connections that send, wait for the echo, and repeat.
    WebSocket { connections: usize, size: usize },
    /// Idle WebSocket connections.
    WebSocketIdle,
    /// Connections that send a request, wait for the echo of its body, and repeat.
    Http { connections: usize, size: usize },
    /// Connections over TLS that send, wait for the echo, and repeat.
    TlsEcho { connections: usize, size: usize },
    /// Connections over TLS with one message each, which resume a session or not.
    TlsHandshakes { connections: usize, resume: bool },
    /// Idle connections over TLS.
    TlsIdle,
    /// Sockets that each keep this number of datagrams in flight.
    Datagrams { sockets: usize, depth: usize },
    /// Members of a room, some of which send.
    Room(Room),
    /// Connections over TLS with a fixed rate of messages, beside connections that each make a full handshake.
    TlsFlood,
}

impl Kind {
    /// Returns true if a message of one connection goes to many.
    pub(crate) fn is_room(self) -> bool {
        matches!(self, Self::Room(_))
    }

    /// Returns true if a message is a datagram.
    pub(crate) fn is_udp(self) -> bool {
        matches!(self, Self::Datagrams { .. })
    }

    /// Returns true if its load speaks TLS.
    pub(crate) fn is_tls(self) -> bool {
        match self {
            Self::Echo { .. }
            | Self::OpenLoop { .. }
            | Self::Processes(_)
            | Self::Churn { .. }
            | Self::Idle
            | Self::Fairness
            | Self::WebSocket { .. }
            | Self::WebSocketIdle
            | Self::Datagrams { .. }
            | Self::Room(_)
            | Self::Http { .. } => false,
            Self::TlsEcho { .. } | Self::TlsHandshakes { .. } | Self::TlsIdle | Self::TlsFlood => {
                true
            }
        }
    }
}

/// Load of a room: every message goes to all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Members of our server speak lines, not frames.
    pub lines: bool,
    /// Messages per second of all senders together, on schedule. `None`: each sender has [`ROOM_DEPTH`] in flight.
    pub rate: Option<usize>,
}

/// Number of members of a room.
pub(crate) const MEMBERS: usize = 1000;

/// Number of members that send.
pub(crate) const SENDERS: usize = 8;

/// Number of messages that a sender keeps in flight.
pub(crate) const ROOM_DEPTH: usize = 8;

/// Length of the text of a message in a room.
pub(crate) const ROOM_SIZE: usize = 100;

/// Messages per second of all senders together, at a fixed rate.
pub(crate) const ROOM_RATE: usize = 100;

/// One case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Name on the command line and in the JSON.
    pub name: &'static str,
    /// Name in tables.
    pub title: &'static str,
    pub kind: Kind,
    /// True if `--quick` runs it.
    pub is_quick: bool,
}

/// Number of active connections beside idle ones or streams.
pub(crate) const ACTIVE: usize = 50;

/// Size of a message of an active connection in bytes.
pub(crate) const ACTIVE_SIZE: usize = 64;

/// Size of a datagram in bytes.
pub(crate) const DATAGRAM_SIZE: usize = 64;

/// Size of a write of a stream in bytes.
pub(crate) const STREAM_SIZE: usize = 1024 * 1024;

/// Number of writes that a stream keeps in flight, so that it always has bytes to send.
pub(crate) const STREAM_DEPTH: usize = 4;

/// Messages per second of the connections beside a flood of handshakes, of all together: a tenth of what a busy core
/// can serve, so that a message waits for handshakes and not for other messages.
pub(crate) const BESIDE_FLOOD_RATE: usize = 2000;

/// Number of connections over TLS between the two measurements of memory.
pub(crate) const TLS_IDLE: usize = 2000;

/// Number of idle connections over TLS at the first measurement of memory.
pub(crate) const TLS_FEW_IDLE: usize = 500;

/// Number of WebSocket connections between the two measurements of memory.
pub(crate) const WEBSOCKET_IDLE: usize = 8000;

/// Number of idle connections at the first measurement of memory.
pub(crate) const FEW_IDLE: usize = 1000;

/// Duration of the warm-up, which is not counted.
pub(crate) const WARM_UP: Duration = Duration::from_millis(200);

const fn echo(connections: usize, size: usize, depth: usize) -> Kind {
    Kind::Echo { connections, size, depth }
}

const fn open_loop(name: &'static str, title: &'static str, percent: u32) -> Case {
    Case { name, title, kind: Kind::OpenLoop { percent }, is_quick: false }
}

const fn websocket(connections: usize, size: usize) -> Kind {
    Kind::WebSocket { connections, size }
}

const fn tls_echo(size: usize) -> Kind {
    Kind::TlsEcho { connections: 50, size }
}

const fn handshakes(resume: bool) -> Kind {
    Kind::TlsHandshakes { connections: 50, resume }
}

const fn udp(name: &'static str, title: &'static str, sockets: usize, depth: usize) -> Case {
    Case { name, title, kind: Kind::Datagrams { sockets, depth }, is_quick: sockets == 8 }
}

const fn room(name: &'static str, title: &'static str, rate: Option<usize>, lines: bool) -> Case {
    Case { name, title, kind: Kind::Room(Room { lines, rate }), is_quick: false }
}

/// All cases in the order of their execution. Those that open many connections come last, because they leave many closed
/// ones in the kernel. `--quick` runs none over TLS, since it has to end within three minutes.
pub(crate) const CASES: [Case; 31] = [
    Case { name: "1", title: "1 connection", kind: echo(1, 64, 1), is_quick: true },
    SATURATED,
    Case { name: "procs", title: "50 processes", kind: Kind::Processes(50), is_quick: true },
    Case { name: "1000", title: "1,000 connections", kind: echo(1000, 64, 1), is_quick: true },
    Case { name: "10000", title: "10,000 connections", kind: echo(10_000, 64, 1), is_quick: false },
    Case { name: "depth32", title: "50, depth 32", kind: echo(50, 64, 32), is_quick: true },
    Case { name: "16k", title: "50, 16 KB", kind: echo(50, 16 * 1024, 1), is_quick: true },
    open_loop("open-30", "50 at 30 %", 30),
    open_loop("open-60", "50 at 60 %", 60),
    open_loop("open-90", "50 at 90 %", 90),
    Case { name: "1m", title: "8, 1 MB", kind: echo(8, 1024 * 1024, 1), is_quick: false },
    Case { name: "ws-50", title: "WebSocket, 50", kind: websocket(50, 64), is_quick: false },
    Case {
        name: "ws-1m",
        title: "WebSocket, 8, 1 MB",
        kind: websocket(8, 1024 * 1024),
        is_quick: false,
    },
    Case {
        name: "http-50",
        title: "HTTP, 50",
        kind: Kind::Http { connections: 50, size: 64 },
        is_quick: false,
    },
    udp("udp-1", "UDP, 1 socket", 1, 1),
    udp("udp-8", "UDP, 8 sockets", 8, 16),
    udp("udp-32", "UDP, 32 sockets", 32, 32),
    Case { name: "fairness", title: "50 beside streams", kind: Kind::Fairness, is_quick: false },
    Case { name: "idle", title: "50 beside idle ones", kind: Kind::Idle, is_quick: false },
    room("room", "Room, 1,000", None, false),
    room("room-lines", "Room, 1,000, lines", None, true),
    room("room-rate", "Room, 1,000, fixed rate", Some(ROOM_RATE), false),
    Case { name: "ws-idle", title: "WebSocket, idle", kind: Kind::WebSocketIdle, is_quick: false },
    Case { name: "tls-50", title: "TLS, 50", kind: tls_echo(64), is_quick: false },
    Case { name: "tls-16k", title: "TLS, 50, 16 KB", kind: tls_echo(16 * 1024), is_quick: false },
    Case { name: "tls-1m", title: "TLS, 50, 1 MB", kind: tls_echo(1024 * 1024), is_quick: false },
    Case { name: "tls-idle", title: "TLS, idle", kind: Kind::TlsIdle, is_quick: false },
    Case {
        name: "tls-flood",
        title: "TLS, 50 beside a flood",
        kind: Kind::TlsFlood,
        is_quick: false,
    },
    Case {
        name: "tls-full",
        title: "TLS, full handshakes",
        kind: handshakes(false),
        is_quick: false,
    },
    Case {
        name: "tls-resumed",
        title: "TLS, resumed handshakes",
        kind: handshakes(true),
        is_quick: false,
    },
    Case {
        name: "churn",
        title: "churn",
        kind: Kind::Churn { connections: 50, size: 64 },
        is_quick: true,
    },
];

/// Load of the connections at whose rate the floor is saturated.
pub(crate) const SATURATED: Case = Case {
    name: "50",
    title: "50 connections",
    kind: echo(ACTIVE, ACTIVE_SIZE, 1),
    is_quick: true,
};

/// Returns a case by its name.
pub(crate) fn parse(name: &str) -> Result<Case, String> {
    let found = CASES.into_iter().find(|case| case.name == name);
    found.ok_or_else(|| {
        let names = CASES.map(|case| case.name).join(", ");
        format!("expected one of {names}")
    })
}
