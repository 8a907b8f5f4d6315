//! The conditions of a search.

use memchr::memmem;
use rusqlite::{ToSql, types::Value};

/// Conditions, all of which a message has to meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The peer, or its address without the port.
    pub peer: Option<String>,
    /// The user, or the name in the room. `alice` is also the user `@alice` of a room.
    pub user: Option<String>,
    /// The room.
    pub room: Option<String>,
    /// First time, in Unix microseconds.
    pub since: Option<i64>,
    /// Last time, in Unix microseconds.
    pub until: Option<i64>,
    /// Bytes that the message contains. They have no syntax.
    pub text: Option<Vec<u8>>,
    /// The text matches ASCII letters of either case.
    pub ignores_case: bool,
}

/// A query in the form in which rows are compared with it.
#[derive(Debug)]
pub(super) struct Conditions {
    /// Conditions of SQL, each with its value.
    sql: Vec<(&'static str, Value)>,
    text: Option<memmem::Finder<'static>>,
    ignores_case: bool,
}

impl Conditions {
    pub(super) fn new(query: &Query) -> Self {
        let Query { peer, user, room, since, until, text, ignores_case } = query.clone();
        let peer_is = "? IN (origins.peer, rtrim(rtrim(origins.peer, '0123456789'), ':'), \
                       trim(rtrim(rtrim(origins.peer, '0123456789'), ':'), '[]'))";
        // A room marks who has logged in by an `@`.
        let user_is = "? IN (origins.user, CASE WHEN origins.user LIKE '@%' \
                       THEN substr(origins.user, 2) END)";
        let sql = [
            peer.map(|peer| (peer_is, peer.into())),
            user.map(|user| (user_is, user.into())),
            room.map(|room| ("records.room = (SELECT id FROM rooms WHERE name = ?)", room.into())),
            since.map(|since| ("records.time >= ?", since.into())),
            until.map(|until| ("records.time <= ?", until.into())),
        ];
        let text = text.map(|text| if ignores_case { text.to_ascii_lowercase() } else { text });
        Self {
            sql: sql.into_iter().flatten().collect(),
            text: text.map(|text| memmem::Finder::new(&text).into_owned()),
            ignores_case,
        }
    }

    /// Returns the conditions of SQL, behind others.
    pub(super) fn sql(&self) -> String {
        self.sql.iter().flat_map(|(sql, _)| [" AND ", sql]).collect()
    }

    /// Returns the values of these conditions, in their order.
    pub(super) fn values(&self) -> impl Iterator<Item = &dyn ToSql> {
        self.sql.iter().map(|(_, value)| value as &dyn ToSql)
    }

    /// Returns whether a message has the text.
    pub(super) fn has_text(&self, bytes: &[u8]) -> bool {
        let Some(text) = &self.text else { return true };
        if self.ignores_case {
            text.find(&bytes.to_ascii_lowercase()).is_some()
        } else {
            text.find(bytes).is_some()
        }
    }
}
