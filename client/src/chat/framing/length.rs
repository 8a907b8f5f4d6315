//! An event as the payload of a frame.

use common::{
    protocol::GOODBYE,
    room::{Frame, Kind},
};

use super::kind::lossless;
use crate::chat::event::Event;

/// Parses a payload. `None`: no room sends it.
pub(super) fn parse(payload: &[u8]) -> Option<Event> {
    if payload == GOODBYE.as_bytes() {
        return Some(Event::Goodbye);
    }
    let Frame { kind, number, name, text } = Frame::parse(payload)?;
    let (name, text) = (name.to_owned(), lossless(text));
    let number = Some(number);
    Some(match kind {
        Kind::Message | Kind::Replayed => {
            let is_replayed = kind == Kind::Replayed;
            Event::Message { number, name, text, time: None, is_replayed }
        }
        Kind::Joined => Event::Joined { number, name },
        Kind::Left => Event::Left { number, name },
        Kind::Renamed => Event::Renamed { number, name, to: text },
        Kind::RelayGap => Event::RelayGap { number, server: name, count: text.parse().ok()? },
        Kind::Welcome => {
            Event::Welcome { room: text, name, number, members: None, is_recorded: false }
        }
        Kind::Gap => Event::Gap { first: number, count: text.parse().ok()? },
        Kind::Members => {
            let (count, names) = text.split_once('\n')?;
            let names = names.split('\n').map(ToOwned::to_owned).collect();
            Event::Members { room: name, count: count.parse().ok()?, names }
        }
        Kind::Info => Event::Info { text },
        Kind::Error => Event::Error { text },
    })
}
