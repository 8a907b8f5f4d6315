//! An event as a line of text, with its number in front or without.

use common::protocol::GOODBYE;

use super::kind::lossless;
use crate::chat::event::Event;

/// Parser of lines.
#[derive(Debug, Default)]
pub(super) struct TextParser {
    /// Number of messages from the history that are still to come.
    replayed: u64,
}

impl TextParser {
    /// Parses a line without its newline. `None`: no room sends it.
    pub(super) fn parse(&mut self, line: &[u8]) -> Option<Event> {
        let line = lossless(line.strip_suffix(b"\r").unwrap_or(line));
        if line == GOODBYE {
            return Some(Event::Goodbye);
        }
        if let Some(text) = line.strip_prefix("! ") {
            return Some(Event::Error { text: text.to_owned() });
        }
        let (number, rest) = split_number(&line);
        if let Some(notice) = rest.strip_prefix("* ") {
            return self.parse_notice(number, notice);
        }
        let (name, text) = rest.split_once(": ")?;
        if name.is_empty() || name.contains(' ') {
            return None;
        }
        let is_replayed = self.replayed > 0;
        self.replayed = self.replayed.saturating_sub(1);
        let (name, text) = (name.to_owned(), text.to_owned());
        Some(Event::Message { number, name, text, time: None, is_replayed })
    }

    fn parse_notice(&mut self, number: Option<u64>, notice: &str) -> Option<Event> {
        if let Some(event) = parse_numbered(number, notice) {
            return Some(event);
        }
        // An event of the room that this version does not know would look like a gap.
        if number.is_some() {
            return None;
        }
        if let Some(count) = replayed(notice) {
            self.replayed = count;
        }
        let event = parse_welcome(notice)
            .or_else(|| parse_numbers(notice))
            .or_else(|| parse_gap(notice))
            .or_else(|| parse_members(notice));
        Some(event.unwrap_or_else(|| Event::Info { text: notice.to_owned() }))
    }
}

fn split_number(line: &str) -> (Option<u64>, &str) {
    let split = line.split_once(' ').and_then(|(number, rest)| {
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        Some((number.parse().ok().filter(|_| is_number)?, rest))
    });
    split.map_or((None, line), |(number, rest)| (Some(number), rest))
}

/// Parses `bob joined`, `bob left`, `bob is now carol`, `12 messages of server a1b2c3 were lost`.
fn parse_numbered(number: Option<u64>, notice: &str) -> Option<Event> {
    let words: Vec<&str> = notice.split(' ').collect();
    Some(match words[..] {
        [name, "joined"] => Event::Joined { number, name: name.to_owned() },
        [name, "left"] => Event::Left { number, name: name.to_owned() },
        [name, "is", "now", to] => {
            Event::Renamed { number, name: name.to_owned(), to: to.to_owned() }
        }
        [count, "message" | "messages", "of", "server", server, "was" | "were", "lost"] => {
            Event::RelayGap { number, server: server.to_owned(), count: count.parse().ok()? }
        }
        _ => return None,
    })
}

/// Parses `The last 3 messages:`; returns the number.
fn replayed(notice: &str) -> Option<u64> {
    match notice.strip_prefix("The last ")? {
        "message:" => Some(1),
        rest => {
            let (count, "message:" | "messages:") = rest.split_once(' ')? else { return None };
            count.parse().ok()
        }
    }
}

/// Parses `You are bob in lobby, with 2 others`.
fn parse_welcome(notice: &str) -> Option<Event> {
    let (name, rest) = notice.strip_prefix("You are ")?.split_once(" in ")?;
    let (room, others) = rest.split_once(", with ")?;
    let others = match others {
        "nobody else" => 0,
        others => others.split(' ').next()?.parse::<u64>().ok()?,
    };
    Some(Event::Welcome {
        room: room.to_owned(),
        name: name.to_owned(),
        number: None,
        members: Some(others.saturating_add(1)),
        is_recorded: false,
    })
}

/// Parses `Sequence numbers are on; the last one is 41`.
fn parse_numbers(notice: &str) -> Option<Event> {
    let last = notice.strip_prefix("Sequence numbers are on; the last one is ")?;
    Some(Event::Numbered { last: last.parse().ok()? })
}

/// Parses `12 messages were lost (44-55): this connection is too slow`, also without the range.
fn parse_gap(notice: &str) -> Option<Event> {
    let rest = notice.strip_suffix(": this connection is too slow")?;
    let (count, rest) = rest.split_once(' ')?;
    let count = count.parse().ok()?;
    let range = rest
        .strip_prefix("messages were lost")
        .or_else(|| rest.strip_prefix("message was lost"))?;
    let first = match range.strip_prefix(" (") {
        Some(range) => Some(range.split('-').next()?.parse().ok()?),
        None => None,
    };
    Some(Event::Gap { first, count })
}

/// Parses `In lobby (3): alice, bob, @carol`, also with `, and 40 more` at the end.
fn parse_members(notice: &str) -> Option<Event> {
    let (room, rest) = notice.strip_prefix("In ")?.split_once(" (")?;
    let (count, names) = rest.split_once("): ")?;
    let names = names.split_once(", and ").map_or(names, |(names, _)| names);
    Some(Event::Members {
        room: room.to_owned(),
        count: count.parse().ok()?,
        names: names.split(", ").map(ToOwned::to_owned).collect(),
    })
}
