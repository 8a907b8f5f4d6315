//! The names and constants of the protocols; how they behave is the server's session.

/// Where the server listens and the client connects unless told otherwise.
pub const DEFAULT_HOST: &str = "127.0.0.1";

/// The TCP port of both ends unless told otherwise.
pub const DEFAULT_PORT: u16 = 65432;

/// The message that ends a session, in any case and with any ASCII white space around it.
pub const EXIT: &str = "exit";

/// The answer to [`EXIT`], before whatever newline the exit had.
pub const GOODBYE: &str = "Goodbye!";

/// How the line begins that a server says to a peer for whom it has no room.
pub const FULL: &str = "Server is full";

/// The longest payload of a `length` frame, in bytes (16 MiB).
///
/// Frames stream through, so this costs no memory: it is there to tell a peer that speaks something
/// else (an HTTP request read as a prefix asks for 1.2 GB) from one that means it.
pub const MAX_FRAME_PAYLOAD: u32 = 16 * 1024 * 1024;

/// A `length` payload of at most this many bytes is held until it is whole, because it may be an
/// exit; a longer one cannot be, and streams through.
///
/// 1,024 is the original's message buffer: no exit that it understood was longer.
pub const MAX_EXIT_PAYLOAD: u32 = 1024;

/// The most bytes of a UDP datagram over IPv4: a packet of 65,535 (RFC 791) less the headers of both (RFC
/// 768).
pub const MAX_DATAGRAM: u16 = 65_507;

// What clients count on.
const _: () = assert!(MAX_FRAME_PAYLOAD == 16_777_216);
// A payload that is held has to be one that is allowed.
const _: () = assert!(MAX_EXIT_PAYLOAD <= MAX_FRAME_PAYLOAD);

/// How a server reads the bytes that it sends back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// Every byte comes back at once; a line that reads `exit` ends the session.
    #[default]
    Text,
    /// Every byte comes back, and there is no exit (RFC 862).
    Raw,
    /// Messages of a 4-byte big-endian length and that many bytes.
    Length,
}
