//! An event as a JSON object.

use common::room::JsonEvent;

use crate::chat::event::Event;

/// Parses an object. `None`: no room sends it.
pub(super) fn parse(line: &[u8]) -> Option<Event> {
    let count = |count: usize| count as u64;
    Some(match serde_json::from_slice::<JsonEvent<'_>>(line).ok()? {
        JsonEvent::Message { seq, name, text, time, replayed } => Event::Message {
            number: Some(seq),
            name: name.into(),
            text: text.into(),
            time: Some(time).filter(|&time| time > 0),
            is_replayed: replayed,
        },
        JsonEvent::Joined { seq, name } => Event::Joined { number: Some(seq), name: name.into() },
        JsonEvent::Left { seq, name } => Event::Left { number: Some(seq), name: name.into() },
        JsonEvent::Renamed { seq, name, to } => {
            Event::Renamed { number: Some(seq), name: name.into(), to: to.into() }
        }
        JsonEvent::RelayGap { seq, server, count } => {
            Event::RelayGap { number: Some(seq), server: server.into(), count }
        }
        JsonEvent::Welcome { room, name, seq, members, recorded } => Event::Welcome {
            room: room.into(),
            name: name.into(),
            number: Some(seq),
            members: Some(count(members)),
            is_recorded: recorded,
        },
        JsonEvent::Gap { seq, count } => Event::Gap { first: Some(seq), count },
        JsonEvent::Members { room, count: all, names } => Event::Members {
            room: room.into(),
            count: count(all),
            names: names.into_iter().map(Into::into).collect(),
        },
        JsonEvent::Info { text } => Event::Info { text: text.into() },
        JsonEvent::Error { text } => Event::Error { text: text.into() },
        JsonEvent::Goodbye => Event::Goodbye,
    })
}
