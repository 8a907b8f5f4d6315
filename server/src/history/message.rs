//! A message, as other parts hand it to the history.

/// Where a message comes from. Most messages have the same origin as the one before.
#[cfg_attr(not(feature = "history"), expect(dead_code, reason = "nothing is recorded"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// The listener, as the log names it.
    pub(crate) listener: &'a str,
    pub(crate) protocol: &'a str,
    pub(crate) peer: &'a str,
    /// The user who has logged in, or the name in the room.
    pub(crate) user: Option<&'a str>,
    pub(crate) room: Option<&'a str>,
}

/// Direction of a message.
#[cfg_attr(
    not(all(feature = "rooms", feature = "redis")),
    allow(dead_code, reason = "rooms use the others")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Direction {
    /// A peer has sent it.
    Received = 0,
    /// Another server has sent it.
    Relayed = 1,
    /// The server has sent it, as a notice.
    Sent = 2,
}

/// A message.
#[cfg_attr(not(feature = "history"), expect(dead_code, reason = "nothing is recorded"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) direction: Direction,
    /// Number in its room.
    pub(crate) sequence: Option<u64>,
    pub(crate) bytes: &'a [u8],
}
