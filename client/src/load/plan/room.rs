//! Arguments of a load of a room, and what they mean together.

use clap::{Args, ValueEnum};
use common::room::{MAX_TEXT, is_room_name};

use super::size_range::SizeRange;
use crate::load::{
    ipc::worker_config::{Framing, RoomConfig},
    worker::room::{MAX_SENDERS, MIN_TEXT},
};

/// Maximum number of senders times members of a process: each member has a counter for each sender.
const MAX_COUNTERS: u64 = 1 << 24;

/// Sizes that texts of messages may have.
const TEXT_SIZES: SizeRange = SizeRange { min: MIN_TEXT, max: 8192 };

const _: () = assert!(TEXT_SIZES.max as usize == MAX_TEXT);

/// Load of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Load of a room")]
pub(crate) struct RoomArgs {
    /// Load a room: each connection is a member, and every delivery to every member is checked
    ///
    /// The listener needs protocol=room, over tcp, tls and unix also framing=length. A message is a text of --size bytes, 48 to
    /// 8192. Its latency counts from the send, in an open loop from the due time, to the arrival at each member. Events that are
    /// missing, duplicate or out of order, and wrong texts, fail the load; losses of which the server tells are counted. With
    /// --room=NAME the members join that room, which the listener has to allow.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    #[arg(value_parser = room_name)]
    pub(crate) room: Option<String>,

    /// Number of members that send, of all processes together [default: 1]
    ///
    /// All members receive. --rate is the rate of all senders together, --pipeline the number of messages of each sender that
    /// have not returned to it, --messages the number of messages of each sender.
    #[arg(long, value_name = "N", requires = "room")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SENDERS)))]
    pub(crate) senders: Option<u32>,

    /// Framing of a room over tcp, tls and unix: 'length' for a listener with framing=length, 'text' for one without
    /// [default: length]
    #[arg(long, value_name = "length|text", requires = "room", hide_possible_values = true)]
    pub(crate) framing: Option<FramingName>,
}

/// Names of the framings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FramingName {
    /// Frames.
    Length,
    /// Lines.
    Text,
}

/// Contradiction between the arguments of a load of a room.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Contradiction {
    /// An option of echo connections is used.
    #[error("the argument '{0}' cannot be used with '--room': {1}")]
    WithRoom(&'static str, &'static str),
    /// A text cannot have this size.
    #[error(
        "the argument '--size <BYTES|MIN-MAX>' is {} to {}, and a text of '--room' has {} to {} bytes",
        .0.min, .0.max, TEXT_SIZES.min, TEXT_SIZES.max
    )]
    TextSize(SizeRange),
    /// There are fewer members than senders.
    #[error(
        "'--senders <N>' is {senders}, and the room has {members} members: use fewer senders, or more '--connections <N>'"
    )]
    TooManySenders {
        /// Number of senders.
        senders: u32,
        /// Number of members.
        members: u64,
    },
    /// The counters would take too much memory.
    #[error(
        "'--senders <N>' times '--connections <N>' is {0}; the maximum is {MAX_COUNTERS}: use fewer senders, or more '--processes <N>' with fewer connections each"
    )]
    TooManyCounters(u64),
    /// The framing of a WebSocket is given.
    #[error(
        "the argument '--framing <length|text>' cannot be used over WebSocket: there the messages of a room are JSON objects"
    )]
    FramingOverWebSocket,
}

/// What the other arguments say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Others {
    pub(super) processes: u32,
    pub(super) connections: u32,
    pub(super) sizes: SizeRange,
    pub(super) has_churn: bool,
    pub(super) expects_restart: bool,
    pub(super) sends_texts: bool,
}

impl RoomArgs {
    /// Resolves the arguments; `None` for a load of an echo server.
    pub(super) fn resolve(&self, others: &Others) -> Result<Option<RoomConfig>, Contradiction> {
        let Some(name) = &self.room else { return Ok(None) };
        let restart = "the numbers of a room begin again when its server restarts";
        for (is_used, argument, reason) in [
            (others.has_churn, "--churn <MESSAGES>", "the members stay until the end"),
            (others.expects_restart, "--expect-restart", restart),
            (others.sends_texts, "--ws-text", "the messages are always texts"),
        ] {
            if is_used {
                return Err(Contradiction::WithRoom(argument, reason));
            }
        }
        let SizeRange { min, max } = others.sizes;
        if min < TEXT_SIZES.min || TEXT_SIZES.max < max {
            return Err(Contradiction::TextSize(others.sizes));
        }
        let senders = self.senders.unwrap_or(1);
        let members = u64::from(others.processes) * u64::from(others.connections);
        if u64::from(senders) > members {
            return Err(Contradiction::TooManySenders { senders, members });
        }
        let counters = u64::from(senders) * u64::from(others.connections);
        if counters > MAX_COUNTERS {
            return Err(Contradiction::TooManyCounters(counters));
        }
        let framing = match self.framing {
            Some(FramingName::Text) => Framing::Text,
            Some(FramingName::Length) | None => Framing::Length,
        };
        let name = (!name.is_empty()).then(|| name.clone());
        Ok(Some(RoomConfig { senders, framing, name }))
    }

    /// Returns `true` if the connections are members of a room; over WebSocket, after a check of the arguments.
    ///
    /// # Errors
    ///
    /// A framing is given, which a WebSocket has not.
    pub(crate) fn check_websocket(&self) -> Result<bool, Contradiction> {
        match self.framing {
            Some(_) => Err(Contradiction::FramingOverWebSocket),
            None => Ok(self.room.is_some()),
        }
    }
}

fn room_name(typed: &str) -> Result<String, String> {
    if typed.is_empty() || is_room_name(typed) {
        return Ok(typed.to_owned());
    }
    Err("expected 1 to 64 letters, digits, '.', '_' or '-', of which the first is a letter or a digit".to_owned())
}
