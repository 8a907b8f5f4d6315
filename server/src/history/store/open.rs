//! Opens a database for the writer or for a search, and refuses those that are not ours.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{
    error::{Cause, HistoryError},
    schema::{APPLICATION_ID, VERSION, migrate},
};
use crate::config::history_limits::{BUSY_TIMEOUT, JOURNAL, LOCK_TIMEOUT};

/// Opens the database for the writer, creates or migrates it, and returns whether it was new.
///
/// # Errors
///
/// If it is not ours, or cannot be written.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, HistoryError> {
    try_open_writer(path).map_err(|cause| cause.at(path))
}

/// Opens the database for a search, and returns the version of its schema.
///
/// # Errors
///
/// If it is not ours, or cannot be read.
pub(crate) fn open_reader(path: &Path) -> Result<(Connection, i64), HistoryError> {
    try_open_reader(path).map_err(|cause| cause.at(path))
}

fn try_open_writer(path: &Path) -> Result<Connection, Cause> {
    // Others may not read what peers have sent. SQLite gives its journal the same permissions.
    let created = OpenOptions::new().write(true).create_new(true).mode(0o640).open(path);
    drop(created);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file_name(path), flags)?;
    connection.busy_timeout(LOCK_TIMEOUT)?;
    let version = check(&connection)?;
    if version == 0 {
        // Before the first table: it lets the file shrink without a copy.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", i64::try_from(JOURNAL).unwrap_or(-1))?;
    connection.pragma_update(None, "cache_size", -32_000)?;
    migrate(&mut connection, version)?;
    // A lock of another program shows here and not at the first message.
    connection.transaction_with_behavior(TransactionBehavior::Immediate)?.rollback()?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn try_open_reader(path: &Path) -> Result<(Connection, i64), Cause> {
    if !path.exists() {
        return Err(Cause::Missing);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file_name(path), flags)?;
    connection.busy_timeout(LOCK_TIMEOUT)?;
    match check(&connection)? {
        // A server creates the tables in the same moment as the file.
        0 => Err(Cause::Missing),
        version => Ok((connection, version)),
    }
}

/// Returns the version of a database of ours, or 0 if it is empty.
fn check(connection: &Connection) -> Result<i64, Cause> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    if number("SELECT count(*) FROM sqlite_schema")? == 0 {
        return Ok(0);
    }
    if number("PRAGMA application_id")? != APPLICATION_ID {
        return Err(Cause::Foreign);
    }
    match number("PRAGMA user_version")? {
        version if version > VERSION => Err(Cause::Newer(version)),
        version if version < 1 => Err(Cause::Foreign),
        version => Ok(version),
    }
}

/// Returns a path that SQLite takes for a file: not for a database in memory (`:memory:`) or a URI (`file:`).
fn file_name(path: &Path) -> PathBuf {
    Path::new(".").join(path)
}

/// Returns the path of the journal (the write-ahead log).
pub(crate) fn journal_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    path.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::history::store::schema::create;

    fn refusal(path: &Path) -> String {
        let error = open_writer(path).expect_err("the database is refused");
        assert!(open_reader(path).is_err(), "a search refuses it as well: {error}");
        error.to_string()
    }

    #[test]
    fn the_bundled_sqlite_has_the_fix_of_lost_commits() {
        assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
    }

    #[test]
    fn a_new_database_has_our_identity_and_is_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.db");
        for _ in 0..2 {
            let connection = open_writer(&path).unwrap();
            assert_eq!(check(&connection).unwrap(), VERSION);
        }
        assert_eq!(open_reader(&path).unwrap().1, VERSION);
    }

    #[test]
    fn files_that_are_not_ours_are_refused_with_a_reason_and_stay_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("other");
        fs::write(&path, "a text of more than sixteen bytes\n".repeat(100)).unwrap();
        assert!(refusal(&path).ends_with("it is not a database of SQLite; name another file"));

        let path = directory.path().join("foreign.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (id)").unwrap();
        let before = fs::read(&path).unwrap();
        assert!(refusal(&path).contains("another application"));
        assert_eq!(fs::read(&path).unwrap(), before);

        let path = directory.path().join("newer.db");
        open_writer(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(refusal(&path).contains("version 99, and this echo-server knows"));
    }

    #[test]
    fn a_name_is_that_of_a_file_also_if_it_means_something_else_to_sqlite() {
        for name in [":memory:", "file:history.db?mode=memory", ""] {
            assert_eq!(file_name(Path::new(name)).to_str(), Some(&*format!("./{name}")));
        }
        assert_eq!(file_name(Path::new("/a/b")), Path::new("/a/b"));
    }

    #[test]
    fn a_database_that_another_program_has_locked_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.db");
        drop(open_writer(&path).unwrap());
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = open_writer(&path).expect_err("it is locked").to_string();
        assert!(error.contains("another program has locked it"), "{error}");
    }

    #[test]
    fn a_database_of_the_first_version_is_migrated_with_its_rows() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.db");
        let mut old = Connection::open(&path).unwrap();
        create(&mut old, 1).unwrap();
        old.execute_batch("INSERT INTO rooms (name) VALUES ('lobby')").unwrap();
        assert_eq!(check(&old).unwrap(), 1);
        drop(old);
        assert_eq!(open_reader(&path).unwrap().1, 1, "a search reads the old version");
        let new = open_writer(&path).unwrap();
        assert_eq!(check(&new).unwrap(), VERSION);
        let count = |table| {
            new.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
        };
        assert_eq!((count("rooms").unwrap(), count("indexes").unwrap()), (1, 0));
    }
}
