//! A message that a search has found.

use rusqlite::Row;

/// A message of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Number of the message, in the order in which the messages were recorded.
    pub id: i64,
    /// Time of the wall clock, in Unix microseconds.
    pub time: i64,
    /// The listener, as the log names it.
    pub listener: String,
    /// The protocol of the connection.
    pub protocol: String,
    /// The peer, as the log names it.
    pub peer: String,
    /// The user who had logged in, or the name in the room.
    pub user: Option<String>,
    /// The room.
    pub room: Option<String>,
    /// Number of the message in its room.
    pub sequence: Option<u64>,
    /// `received`, `relayed` or `sent`.
    pub direction: &'static str,
    /// Length of the message.
    pub length: u64,
    /// The message, or its first bytes.
    pub bytes: Vec<u8>,
}

impl Found {
    /// Columns from which [`from_row`](Self::from_row) makes it.
    pub(super) const COLUMNS: &'static str = "records.id, records.time, origins.listener, origins.protocol, origins.peer, \
         origins.user, rooms.name, records.sequence, records.direction, records.length, records.body";

    /// Returns whether the history has the first bytes only.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.length > self.bytes.len() as u64
    }

    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            time: row.get(1)?,
            listener: row.get(2)?,
            protocol: row.get(3)?,
            peer: row.get(4)?,
            user: row.get(5)?,
            room: row.get(6)?,
            sequence: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
            direction: match row.get(8)? {
                0_i64 => "received",
                1 => "relayed",
                _ => "sent",
            },
            length: row.get::<_, i64>(9)?.cast_unsigned(),
            bytes: row.get(10)?,
        })
    }
}
