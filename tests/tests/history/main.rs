//! The history: what is recorded, what a kill or a full disk loses, and how it is searched.

mod disk;
mod killed;
mod operation;
mod search;

use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use tests::programs::{EchoServer, Finished, Program};

/// A database in a folder of its own.
struct Database(TempDir);

impl Database {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("history.db")
    }

    fn name(&self) -> String {
        self.path().to_str().expect("the path is UTF-8").to_owned()
    }

    /// Starts a server that records in it.
    fn serve(&self, args: &[&str]) -> EchoServer {
        let name = self.name();
        let args: Vec<_> = ["--history", &name].iter().chain(args).copied().collect();
        EchoServer::start(&args)
    }

    /// Runs `echo-server history` with it.
    fn search(&self, args: &[&str]) -> Finished {
        let name = self.name();
        let args: Vec<_> = ["history", &name].iter().chain(args).copied().collect();
        Program::run_server(&args)
    }

    fn connect(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(self.path(), flags).expect("the database opens")
    }

    fn number(&self, sql: &str) -> i64 {
        self.connect().query_row(sql, [], |row| row.get(0)).expect("the query has a number")
    }

    /// Returns the texts of all messages, in their order.
    fn texts(&self) -> Vec<String> {
        let database = self.connect();
        let mut select = database
            .prepare("SELECT CAST(bytes AS TEXT) FROM messages ORDER BY id")
            .expect("there is a view");
        let texts = select.query_map([], |row| row.get(0)).expect("the query runs");
        texts.map(|text| text.expect("a message is text")).collect()
    }
}
