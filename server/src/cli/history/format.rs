//! The forms of a message: a line for people, an object of JSON, or comma-separated values.

use std::{
    fmt::{self, Display},
    io::Write as _,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::escape::Escaped;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use server::history::search::Found;

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    Json,
    Csv,
}

/// A message as JSON.
#[derive(Serialize)]
struct Object<'a> {
    id: i64,
    time: String,
    listener: &'a str,
    protocol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    peer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    direction: &'a str,
    length: u64,
    cut: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl Format {
    /// Returns what precedes the messages.
    pub(super) fn head(self) -> &'static str {
        match self {
            Self::Plain | Self::Json => "",
            Self::Csv => {
                "id,time,listener,protocol,room,sequence,peer,user,direction,length,cut,text\n"
            }
        }
    }

    /// Adds a message to `out`.
    pub(super) fn write(self, out: &mut Vec<u8>, found: &Found) {
        match self {
            Self::Plain => push(out, &Plain(found)),
            Self::Json => push(out, &json(found)),
            Self::Csv => push(out, &csv(found)),
        }
        out.push(b'\n');
    }
}

fn push(out: &mut Vec<u8>, text: &impl Display) {
    write!(out, "{text}").expect("a vector takes every byte");
}

/// A message as a line for people.
struct Plain<'a>(&'a Found);

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.0;
        let time = timestamp(found).to_zoned(TimeZone::system());
        let time = time.strftime("%Y-%m-%d %H:%M:%S%.3f");
        write!(f, "{time} {}", Escaped(found.peer.as_bytes()))?;
        if let Some(user) = &found.user {
            write!(f, " ({})", Escaped(user.as_bytes()))?;
        }
        if let Some(room) = &found.room {
            write!(f, " {}", Escaped(room.as_bytes()))?;
        }
        if let Some(sequence) = found.sequence {
            write!(f, " #{sequence}")?;
        }
        if found.direction != "received" {
            write!(f, " [{}]", found.direction)?;
        }
        write!(f, ": {}", Escaped(&found.bytes))?;
        if found.is_cut() {
            write!(f, " [the first {} of {} bytes]", found.bytes.len(), found.length)?;
        }
        Ok(())
    }
}

fn json(found: &Found) -> String {
    let text = str::from_utf8(&found.bytes).ok();
    let object = Object {
        id: found.id,
        time: utc(found),
        listener: &found.listener,
        protocol: &found.protocol,
        room: found.room.as_deref(),
        sequence: found.sequence,
        peer: &found.peer,
        user: found.user.as_deref(),
        direction: found.direction,
        length: found.length,
        cut: found.is_cut(),
        text,
        base64: text.is_none().then(|| STANDARD.encode(&found.bytes)),
    };
    serde_json::to_string(&object).expect("its keys are text")
}

fn csv(found: &Found) -> String {
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let text = |text: Option<&str>| Escaped(text.unwrap_or_default().as_bytes()).to_string();
    let columns = [
        found.id.to_string(),
        utc(found),
        text(Some(&found.listener)),
        text(Some(&found.protocol)),
        text(found.room.as_deref()),
        number(found.sequence),
        text(Some(&found.peer)),
        text(found.user.as_deref()),
        found.direction.to_owned(),
        found.length.to_string(),
        found.is_cut().to_string(),
        Escaped(&found.bytes).to_string(),
    ];
    columns.map(quoted).join(",")
}

/// Returns a value of CSV (RFC 4180), in quotes if it needs them.
fn quoted(value: String) -> String {
    if value.contains([',', '"']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}

fn timestamp(found: &Found) -> Timestamp {
    // A clock that is wrong by ten thousand years.
    Timestamp::from_microsecond(found.time).unwrap_or_default()
}

fn utc(found: &Found) -> String {
    format!("{:.6}", timestamp(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> Found {
        Found {
            id: 7,
            time: 1_764_150_000_123_456,
            listener: "tcp://[::]:7".to_owned(),
            protocol: "text".to_owned(),
            peer: "[::1]:5".to_owned(),
            user: Some("alice".to_owned()),
            room: Some("lobby".to_owned()),
            sequence: Some(42),
            direction: "received",
            length: bytes.len() as u64,
            bytes: bytes.to_vec(),
        }
    }

    fn written(format: Format, found: &Found) -> String {
        let mut out = Vec::new();
        format.write(&mut out, found);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_for_people_has_no_control_characters_and_says_what_is_missing() {
        let mut cut = found(b"a\x1b[2J\nb\xff\0");
        (cut.length, cut.direction) = (99, "relayed");
        let line = written(Format::Plain, &cut);
        let end =
            r" [::1]:5 (alice) lobby #42 [relayed]: a\x1b[2J\nb\xff\x00 [the first 9 of 99 bytes]";
        assert!(line.trim_end().ends_with(end), "{line}");
    }

    #[test]
    fn json_has_text_or_base64() {
        let line = written(Format::Json, &found("\"é\0".as_bytes()));
        assert!(line.contains(r#""time":"2025-11-26T09:40:00.123456Z""#), "{line}");
        assert!(line.contains(r#""cut":false,"text":"\"é\u0000"}"#), "{line}");
        let line = written(Format::Json, &found(b"\xff"));
        assert!(line.contains(r#""base64":"/w=="}"#) && !line.contains("\"text\":"), "{line}");
    }

    #[test]
    fn a_row_of_csv_is_one_line_with_quotes_where_they_are_needed() {
        let row = written(Format::Csv, &found(b"a,\"b\"\n"));
        let expected = "7,2025-11-26T09:40:00.123456Z,tcp://[::]:7,text,lobby,42,[::1]:5,alice,received,6,false,\"a,\"\"b\"\"\\n\"\n";
        assert_eq!(row, expected);
        assert_eq!(row.split(',').count() - 1, Format::Csv.head().split(',').count());
    }
}
