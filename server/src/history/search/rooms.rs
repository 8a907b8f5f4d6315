//! The last messages of each room, with which a server continues after a restart.

use std::path::Path;

use rusqlite::Connection;

use crate::{
    config::history_limits::RESTORED_BYTES,
    history::store::{Cause, HistoryError, open_reader},
};

/// A message of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomMessage {
    pub(crate) room: String,
    pub(crate) sequence: u64,
    /// The name of the member who sent it.
    pub(crate) name: String,
    /// Time of the wall clock, in Unix microseconds.
    pub(crate) time: i64,
    pub(crate) bytes: Vec<u8>,
}

impl RoomMessage {
    /// Returns its size in memory, in bytes.
    fn weight(&self) -> usize {
        size_of::<Self>() + self.room.len() + self.name.len() + self.bytes.len()
    }
}

/// Returns the last messages of each room, at most `per_room` of each: room by room, each in the order of the history, first
/// the room with the last message. Rooms that would exceed [`RESTORED_BYTES`] are left out. Messages that are cut, notices of the server, and those without a number or a name are not among them.
pub(crate) fn room_messages(
    path: &Path,
    per_room: usize,
) -> Result<Vec<RoomMessage>, HistoryError> {
    let (connection, _) = open_reader(path)?;
    read(&connection, per_room).map_err(|error| Cause::from(error).at(path))
}

fn read(connection: &Connection, per_room: usize) -> rusqlite::Result<Vec<RoomMessage>> {
    let mut rooms = connection.prepare(
        "SELECT id, name FROM rooms
         ORDER BY (SELECT max(id) FROM records WHERE room = rooms.id) DESC",
    )?;
    let mut select = connection.prepare(
        "SELECT records.sequence, origins.user, records.time, records.body FROM records
         JOIN origins ON origins.id = records.origin
         WHERE records.room = ?1 AND records.direction < 2 AND records.sequence IS NOT NULL
           AND origins.user IS NOT NULL AND records.length = length(records.body)
         ORDER BY records.id DESC LIMIT ?2",
    )?;
    let per_room = i64::try_from(per_room).unwrap_or(i64::MAX);
    let (mut messages, mut bytes) = (Vec::new(), 0);
    let mut rooms = rooms.query([])?;
    while let Some(room) = rooms.next()? {
        let (id, name): (i64, String) = (room.get(0)?, room.get(1)?);
        let newest_first = select.query_map([id, per_room], |row| {
            Ok(RoomMessage {
                room: name.clone(),
                sequence: row.get::<_, i64>(0)?.cast_unsigned(),
                name: row.get(1)?,
                time: row.get(2)?,
                bytes: row.get(3)?,
            })
        })?;
        let newest_first = newest_first.collect::<rusqlite::Result<Vec<_>>>()?;
        bytes += newest_first.iter().map(RoomMessage::weight).sum::<usize>();
        if bytes > RESTORED_BYTES {
            break;
        }
        messages.extend(newest_first.into_iter().rev());
    }
    Ok(messages)
}
