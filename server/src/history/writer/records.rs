//! The rows of messages, and of what many of them share: origins, rooms, segments.
//!
//! A segment is a range of rows. The writer keeps the origins of the present segment in memory, and gives each a new row in
//! the next segment. So the origins of a segment can be deleted with it, and no message needs an index on its origin.

use std::{collections::HashMap, time::Duration};

use rusqlite::{Connection, params};

use super::runs::Runs;
use crate::{
    config::{Keep, history_limits},
    history::encoding::{Record, decode, decode_origin},
};

/// Messages of a job that are not committed yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending<'a> {
    pub(super) bytes: &'a [u8],
    /// Encoded origin of the message before.
    origin: &'a [u8],
}

impl<'a> Pending<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, origin: &[] }
    }
}

/// Limits of a segment.
#[derive(Clone, Copy, Debug)]
struct SegmentLimits {
    origins: usize,
    /// Microseconds.
    age: i64,
}

/// A range of rows.
#[derive(Clone, Copy, Debug)]
struct Segment {
    id: i64,
    first: i64,
    first_time: i64,
    last_time: i64,
}

/// Rows of the dimension tables to which a message refers.
#[derive(Clone, Copy, Debug)]
struct Origin {
    id: i64,
    room: Option<i64>,
}

/// Writes rows, and knows the present segment.
#[derive(Debug)]
pub(super) struct Records {
    limits: SegmentLimits,
    last_record: i64,
    last_origin: i64,
    last_segment: i64,
    segment: Option<Segment>,
    origins: HashMap<Box<[u8]>, Origin>,
}

impl Records {
    /// Continues after what the database has, with a new segment.
    pub(super) fn load(connection: &Connection, keep: Keep) -> rusqlite::Result<Self> {
        let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok(Self {
            limits: SegmentLimits::new(keep),
            last_record: number(
                "SELECT max(coalesce((SELECT max(id) FROM records), 0),
                            coalesce((SELECT max(last_record) FROM segments), 0),
                            coalesce((SELECT max(last_record) FROM indexes), 0))",
            )?,
            last_origin: number(
                "SELECT max(coalesce((SELECT max(id) FROM origins), 0),
                            coalesce((SELECT max(last_origin) FROM segments), 0))",
            )?,
            last_segment: number("SELECT coalesce(max(id), 0) FROM segments")?,
            segment: None,
            origins: HashMap::new(),
        })
    }

    /// Returns the id of the last row.
    pub(super) fn last(&self) -> i64 {
        self.last_record
    }

    /// Ends the present segment; the next message begins another.
    pub(super) fn end_segment(&mut self) {
        self.segment = None;
        self.origins.clear();
    }

    /// Commits the first messages, at most `max_rows`, and advances `pending` past them. Returns their number. After an error the state must be
    /// loaded again.
    pub(super) fn commit(
        &mut self,
        connection: &mut Connection,
        pending: &mut Pending<'_>,
        runs: &mut Runs,
        max_rows: u64,
    ) -> rusqlite::Result<u64> {
        let transaction = connection.transaction()?;
        let mut next = *pending;
        let mut rows = 0;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO records (id, time, origin, room, sequence, direction, length, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            while rows < max_rows
                && let Some(record) = decode(&mut next.bytes)
            {
                if let Some(origin) = record.origin {
                    next.origin = origin;
                }
                self.enter_segment(&transaction, record.time)?;
                let origin = self.origin(&transaction, next.origin)?;
                self.last_record += 1;
                let Record { time, direction, sequence, length, body, .. } = record;
                let sequence = sequence.map(u64::cast_signed);
                let length = length.cast_signed();
                insert.execute(params![
                    self.last_record,
                    time,
                    origin.id,
                    origin.room,
                    sequence,
                    direction,
                    length,
                    body
                ])?;
                rows += 1;
            }
        }
        self.write_segment(&transaction)?;
        runs.update(&transaction, rows)?;
        transaction.commit()?;
        runs.committed += rows;
        *pending = next;
        Ok(rows)
    }

    /// Makes the present segment that of the next message.
    fn enter_segment(&mut self, connection: &Connection, time: i64) -> rusqlite::Result<()> {
        if let Some(segment) = &mut self.segment {
            let (first, last) = (segment.first_time.min(time), segment.last_time.max(time));
            let rows = self.last_record + 1 - segment.first;
            if rows < history_limits::SEGMENT_ROWS
                && self.origins.len() < self.limits.origins
                && last.saturating_sub(first) <= self.limits.age
            {
                (segment.first_time, segment.last_time) = (first, last);
                return Ok(());
            }
            self.write_segment(connection)?;
            self.end_segment();
        }
        self.last_segment += 1;
        self.segment = Some(Segment {
            id: self.last_segment,
            first: self.last_record + 1,
            first_time: time,
            last_time: time,
        });
        Ok(())
    }

    fn write_segment(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(segment) = &self.segment else { return Ok(()) };
        let Segment { id, first, first_time, last_time } = *segment;
        let sql = "INSERT OR REPLACE INTO segments VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let last = params![id, first, self.last_record, first_time, last_time, self.last_origin];
        connection.prepare_cached(sql)?.execute(last).map(drop)
    }

    /// Returns the rows of an encoded origin, which are written if the segment does not have them.
    fn origin(&mut self, connection: &Connection, encoded: &[u8]) -> rusqlite::Result<Origin> {
        if let Some(&origin) = self.origins.get(encoded) {
            return Ok(origin);
        }
        let [listener, protocol, peer, user, room] = decode_origin(encoded);
        let room = room.map(|name| room_id(connection, name)).transpose()?;
        self.last_origin += 1;
        connection
            .prepare_cached("INSERT INTO origins VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![self.last_origin, listener, protocol, peer, user])?;
        let origin = Origin { id: self.last_origin, room };
        self.origins.insert(encoded.into(), origin);
        Ok(origin)
    }
}

impl SegmentLimits {
    fn new(keep: Keep) -> Self {
        let age = keep.age.map_or(Duration::MAX, |age| age / 10).min(history_limits::SEGMENT_AGE);
        let max = history_limits::SEGMENT_ORIGINS;
        let origins = keep.bytes.map_or(max, |bytes| usize::try_from(bytes / 2048).unwrap_or(max));
        Self {
            origins: origins.clamp(64, max),
            age: age.as_micros().try_into().unwrap_or(i64::MAX),
        }
    }
}

fn room_id(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let insert = "INSERT INTO rooms (name) VALUES (?1) ON CONFLICT DO NOTHING";
    connection.prepare_cached(insert)?.execute([name])?;
    let select = "SELECT id FROM rooms WHERE name = ?1";
    connection.prepare_cached(select)?.query_row([name], |row| row.get(0))
}
