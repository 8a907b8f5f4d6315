//! The schema, as the steps from one version to the next. docs/HISTORY.md describes it.

use rusqlite::Connection;

/// Number in the header of the file that names the application (`application_id`): `EchH`.
pub(super) const APPLICATION_ID: i64 = 0x4563_6848;

/// The version of the schema that this program writes.
pub(super) const VERSION: i64 = STEPS.len().cast_signed() as i64;

/// The first version that has the search index.
pub(crate) const INDEX_VERSION: i64 = 2;

/// Step N leads from version N to version N + 1. A released step never changes.
const STEPS: [&str; 2] = [MESSAGES, INDEX];

const MESSAGES: &str = "
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    start INTEGER NOT NULL,
    end INTEGER,
    version TEXT NOT NULL,
    received INTEGER,
    committed INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    lost INTEGER
);
CREATE TABLE rooms (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE origins (
    id INTEGER PRIMARY KEY,
    listener TEXT NOT NULL,
    protocol TEXT NOT NULL,
    peer TEXT NOT NULL,
    user TEXT
);
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    origin INTEGER NOT NULL REFERENCES origins,
    room INTEGER REFERENCES rooms,
    sequence INTEGER,
    direction INTEGER NOT NULL,
    length INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX records_of_room ON records (room, id) WHERE room IS NOT NULL;
CREATE TABLE segments (
    id INTEGER PRIMARY KEY,
    first_record INTEGER NOT NULL,
    last_record INTEGER NOT NULL,
    first_time INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    last_origin INTEGER NOT NULL
);
CREATE VIEW messages AS
SELECT
    records.id,
    strftime('%Y-%m-%d %H:%M:%f', records.time / 1e6, 'unixepoch') AS time,
    origins.listener,
    origins.protocol,
    rooms.name AS room,
    records.sequence,
    origins.peer,
    origins.user,
    CASE records.direction WHEN 0 THEN 'received' WHEN 1 THEN 'relayed' ELSE 'sent' END AS direction,
    records.body AS bytes,
    records.length > length(records.body) AS cut
FROM records
JOIN origins ON origins.id = records.origin
LEFT JOIN rooms ON rooms.id = records.room;
";

const INDEX: &str = "
CREATE TABLE indexes (
    id INTEGER PRIMARY KEY,
    first_record INTEGER NOT NULL,
    last_record INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
";

/// Returns the name of the table of a part of the search index.
pub(crate) fn index_table(part: i64) -> String {
    format!("search_{part}")
}

/// Brings a database of ours, or an empty one, from `version` to the present one.
pub(super) fn migrate(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    migrate_to(connection, version, VERSION)
}

fn migrate_to(connection: &mut Connection, from: i64, to: i64) -> rusqlite::Result<()> {
    if from >= to {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for (_, step) in (0..to).zip(STEPS).filter(|(version, _)| *version >= from) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", to)?;
    transaction.commit()
}

/// Creates a database of an earlier version, for tests of the migration.
#[cfg(test)]
pub(crate) fn create(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    migrate_to(connection, 0, version)
}
