//! The last messages and the last number of each room, with which a server continues after a restart.

use std::path::Path;

use rusqlite::Connection;

use crate::{
    config::history_limits::RESTORED_BYTES,
    history::store::{Cause, HistoryError, open_reader},
};

/// What a room continues with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordedRoom {
    pub(crate) name: String,
    /// Sequence number of its last event.
    pub(crate) last: u64,
    /// Its last messages, in the order of the history.
    pub(crate) messages: Vec<RoomMessage>,
}

/// A message of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomMessage {
    pub(crate) sequence: u64,
    /// The name of the member who sent it.
    pub(crate) name: String,
    /// Time of the wall clock, in Unix microseconds.
    pub(crate) time: i64,
    pub(crate) bytes: Vec<u8>,
}

impl RecordedRoom {
    /// Returns its size in memory, in bytes.
    fn weight(&self) -> usize {
        let messages = self.messages.iter().map(RoomMessage::weight);
        size_of::<Self>() + self.name.len() + messages.sum::<usize>()
    }
}

impl RoomMessage {
    /// Returns its size in memory, in bytes.
    fn weight(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.bytes.len()
    }
}

/// Returns the rooms, first the one with the last event, each with its last messages, at most `per_room`. Rooms that would
/// exceed [`RESTORED_BYTES`] are left out. Messages that are cut, notices of the server, and those without a number or a name
/// are not among the messages; the number of the last event is that of any of them.
pub(crate) fn recorded_rooms(
    path: &Path,
    per_room: usize,
) -> Result<Vec<RecordedRoom>, HistoryError> {
    let (connection, _) = open_reader(path)?;
    read(&connection, per_room).map_err(|error| Cause::from(error).at(path))
}

fn read(connection: &Connection, per_room: usize) -> rusqlite::Result<Vec<RecordedRoom>> {
    // The numbers of a room grow with the ids, so the last one is found without a look at the others.
    let mut select_rooms = connection.prepare(
        "SELECT id, name, coalesce((SELECT sequence FROM records
                                    WHERE room = rooms.id AND sequence IS NOT NULL
                                    ORDER BY id DESC LIMIT 1), 0) FROM rooms
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
    let (mut rooms, mut bytes) = (Vec::new(), 0);
    let mut rows = select_rooms.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name, last): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let newest_first = select.query_map([id, per_room], |row| {
            Ok(RoomMessage {
                sequence: row.get::<_, i64>(0)?.cast_unsigned(),
                name: row.get(1)?,
                time: row.get(2)?,
                bytes: row.get(3)?,
            })
        })?;
        let mut messages = newest_first.collect::<rusqlite::Result<Vec<_>>>()?;
        messages.reverse();
        let room = RecordedRoom { name, last: last.cast_unsigned(), messages };
        bytes += room.weight();
        if bytes > RESTORED_BYTES {
            break;
        }
        rooms.push(room);
    }
    Ok(rooms)
}
