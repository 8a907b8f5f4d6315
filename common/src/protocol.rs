//! Names, defaults and limits of the protocols. The server's sessions implement their behaviour.

/// Default host of both programs: the server listens on it, the client connects to it.
pub const DEFAULT_HOST: &str = "127.0.0.1";

/// Default port of both programs.
pub const DEFAULT_PORT: u16 = 65432;

/// Message that ends a session, in any case and with any ASCII white space around it.
pub const EXIT: &str = "exit";

/// Answer to [`EXIT`]. The newline of the exit, if it had one, follows.
pub const GOODBYE: &str = "Goodbye!";

/// Start of the line that the server sends to a peer over a connection limit, before it closes.
pub const FULL: &str = "Server is full";

/// Maximum payload of a `length` frame, in bytes (16 MiB).
///
/// The server streams frames, so the limit does not protect memory. It detects peers that speak another
/// protocol: the first bytes of an HTTP request, read as a prefix, announce 1.2 GB.
pub const MAX_FRAME_PAYLOAD: u32 = 16 * 1024 * 1024;

/// Maximum payload of a `length` frame that can be an exit, in bytes.
///
/// The server buffers such a payload until it is complete, and streams a longer one. 1,024 is the message
/// buffer of the Python echo server that this project re-implements: it understood no longer exit.
pub const MAX_EXIT_PAYLOAD: u32 = 1024;

/// Maximum payload of a UDP datagram over IPv4, in bytes: a packet of 65,535 (RFC 791) without the IP and
/// UDP headers (RFC 768).
pub const MAX_DATAGRAM: u16 = 65_507;

// Clients depend on this value.
const _: () = assert!(MAX_FRAME_PAYLOAD == 16_777_216);
// A buffered payload must be an allowed one.
const _: () = assert!(MAX_EXIT_PAYLOAD <= MAX_FRAME_PAYLOAD);

/// Protocol of a listener: how the server interprets the bytes that it echoes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Protocol {
    /// Echo every byte immediately; a line that reads `exit` ends the session.
    #[default]
    Text,
    /// Echo every byte; there is no exit (RFC 862).
    Raw,
    /// Echo frames: a 4-byte big-endian length and a payload of that length.
    Length,
}
