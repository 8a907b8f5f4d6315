//! The search: pages of messages, each from one short transaction.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, ToSql, params};

use super::{
    candidates::match_query,
    found::Found,
    query::{Conditions, Query},
};
use crate::{
    config::history_limits::{SCAN_IDS, SCAN_MATCHES},
    history::store::{Cause, HistoryError, INDEX_VERSION, index_table, open_reader},
};

/// A search of a history.
#[derive(Debug)]
pub struct Search {
    path: PathBuf,
    connection: Connection,
    has_index: bool,
    query: Query,
    conditions: Conditions,
    /// The query of the search index, if it can find candidates.
    match_query: Option<String>,
    /// The last id that [`next_page`](Self::next_page) has seen.
    seen: i64,
}

/// Ids from `after`, exclusive, to `to`, inclusive.
#[derive(Clone, Copy, Debug)]
struct Range {
    after: i64,
    to: i64,
}

/// Direction of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    OldestFirst,
    NewestFirst,
}

/// What one transaction has looked at.
struct Page {
    found: Vec<Found>,
    /// The ids of which all matches are found.
    range: Range,
}

/// A part of the search index, and its ids.
struct Part {
    id: i64,
    range: Range,
}

impl Search {
    /// Opens a history.
    ///
    /// # Errors
    ///
    /// If there is none at `path`, or it cannot be read.
    pub fn open(path: &Path, query: Query) -> Result<Self, HistoryError> {
        let (connection, version) = open_reader(path)?;
        let conditions = Conditions::new(&query);
        let match_query = query.text.as_deref().and_then(match_query);
        let has_index = version >= INDEX_VERSION;
        let path = path.to_owned();
        Ok(Self { path, connection, has_index, query, conditions, match_query, seen: 0 })
    }

    /// Returns the next messages, the oldest first, or `None` if there are no more yet. A result may be empty.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn next_page(&mut self) -> Result<Option<Vec<Found>>, HistoryError> {
        let path = self.path.clone();
        self.try_next().map_err(|error| Cause::from(error).at(path))
    }

    /// Returns the last messages, at most `limit`, the oldest first. [`next_page`](Self::next_page) continues after them.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn last(&mut self, limit: usize) -> Result<Vec<Found>, HistoryError> {
        let path = self.path.clone();
        self.try_last(limit).map_err(|error| Cause::from(error).at(path))
    }

    fn try_next(&mut self) -> rusqlite::Result<Option<Vec<Found>>> {
        let bounds = self.bounds()?;
        let range = Range { after: self.seen.max(bounds.after), to: bounds.to };
        if range.after >= range.to {
            return Ok(None);
        }
        let page = self.page(range, Order::OldestFirst)?;
        self.seen = page.range.to;
        Ok(Some(page.found))
    }

    fn try_last(&mut self, limit: usize) -> rusqlite::Result<Vec<Found>> {
        let mut range = self.bounds()?;
        self.seen = self.seen.max(range.to);
        let mut newest_first = Vec::new();
        while range.after < range.to && newest_first.len() < limit {
            let page = self.page(range, Order::NewestFirst)?;
            newest_first.extend(page.found);
            range.to = page.range.after;
        }
        newest_first.truncate(limit);
        newest_first.reverse();
        Ok(newest_first)
    }

    /// Returns the ids between which messages of these times are.
    fn bounds(&self) -> rusqlite::Result<Range> {
        self.connection
            .prepare_cached(
                "SELECT coalesce(max((SELECT min(id) FROM records) - 1,
                                     (SELECT min(first_record) FROM segments
                                      WHERE last_time >= ?1) - 1), 9000000000000000000),
                        coalesce(min((SELECT max(id) FROM records),
                                     (SELECT max(last_record) FROM segments
                                      WHERE first_time <= ?2)), 0)",
            )?
            .query_row(
                [self.query.since.unwrap_or(i64::MIN), self.query.until.unwrap_or(i64::MAX)],
                |row| Ok(Range { after: row.get(0)?, to: row.get(1)? }),
            )
    }

    /// Finds the matches in some ids at one end of `range`.
    fn page(&self, range: Range, order: Order) -> rusqlite::Result<Page> {
        // A deletion may remove the part that this finds.
        let _transaction = self.connection.unchecked_transaction()?;
        let part = match &self.match_query {
            Some(query) if self.has_index => self.part(range, order)?.map(|part| (part, query)),
            _ => None,
        };
        match part {
            Some((part, query)) if part.covers_end(range, order) => {
                let range = Range {
                    after: range.after.max(part.range.after),
                    to: range.to.min(part.range.to),
                };
                self.ask(part.id, query, range, order)
            }
            // The rest up to the part is scanned.
            Some((part, _)) => {
                let range = match order {
                    Order::OldestFirst => Range { to: part.range.after, ..range },
                    Order::NewestFirst => Range { after: part.range.to, ..range },
                };
                self.scan(range, order)
            }
            None => self.scan(range, order),
        }
    }

    /// Returns the part of the index that is the nearest to the end of `range` at which the search is.
    fn part(&self, range: Range, order: Order) -> rusqlite::Result<Option<Part>> {
        let (sql, id) = match order {
            Order::OldestFirst => (
                "SELECT id, first_record - 1, last_record FROM indexes
                 WHERE last_record > ?1 AND last_record >= first_record ORDER BY id LIMIT 1",
                range.after,
            ),
            Order::NewestFirst => (
                "SELECT id, first_record - 1, last_record FROM indexes
                 WHERE first_record <= ?1 AND last_record >= first_record ORDER BY id DESC LIMIT 1",
                range.to,
            ),
        };
        let part = self.connection.prepare_cached(sql)?.query_row([id], |row| {
            Ok(Part { id: row.get(0)?, range: Range { after: row.get(1)?, to: row.get(2)? } })
        });
        let part = part.optional()?;
        Ok(part.filter(|part| part.range.after < range.to && part.range.to > range.after))
    }

    /// Compares all messages of the first ids.
    fn scan(&self, range: Range, order: Order) -> rusqlite::Result<Page> {
        let range = match order {
            Order::OldestFirst => {
                Range { to: range.to.min(range.after.saturating_add(SCAN_IDS)), ..range }
            }
            Order::NewestFirst => {
                Range { after: range.after.max(range.to.saturating_sub(SCAN_IDS)), ..range }
            }
        };
        let sql = format!(
            "SELECT {} FROM records JOIN origins ON origins.id = records.origin
             LEFT JOIN rooms ON rooms.id = records.room
             WHERE records.id > ? AND records.id <= ?{} ORDER BY records.id {}",
            Found::COLUMNS,
            self.conditions.sql(),
            order.sql(),
        );
        let mut select = self.connection.prepare_cached(&sql)?;
        let ids: [&dyn ToSql; 2] = [&range.after, &range.to];
        let values: Vec<_> = ids.into_iter().chain(self.conditions.values()).collect();
        let mut rows = select.query(&values[..])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if self.conditions.has_text(row.get_ref(10)?.as_blob().unwrap_or_default()) {
                found.push(Found::from_row(row)?);
            }
        }
        Ok(Page { found, range })
    }

    /// Compares the messages that a part of the index finds.
    fn ask(&self, part: i64, query: &str, range: Range, order: Order) -> rusqlite::Result<Page> {
        let table = index_table(part);
        let sql = format!(
            "SELECT rowid FROM {table} WHERE {table} MATCH ?1 AND rowid > ?2 AND rowid <= ?3
             ORDER BY rowid {} LIMIT ?4",
            order.sql()
        );
        let matches = i64::try_from(SCAN_MATCHES).unwrap_or(i64::MAX);
        let ids = self
            .connection
            .prepare_cached(&sql)?
            .query_map(params![query, range.after, range.to, matches], |row| row.get::<_, i64>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let mut found = Vec::new();
        for &id in &ids {
            let page = self.scan(Range { after: id - 1, to: id }, order)?;
            found.extend(page.found);
        }
        let range = match (ids.last(), order) {
            (Some(&last), _) if ids.len() < SCAN_MATCHES => {
                debug_assert!(last > range.after && last <= range.to, "the index has these ids");
                range
            }
            (Some(&last), Order::OldestFirst) => Range { to: last, ..range },
            (Some(&last), Order::NewestFirst) => Range { after: last - 1, ..range },
            (None, _) => range,
        };
        Ok(Page { found, range })
    }
}

impl Part {
    /// Returns whether the part has the end of `range` at which the search is.
    fn covers_end(&self, range: Range, order: Order) -> bool {
        match order {
            Order::OldestFirst => self.range.after <= range.after,
            Order::NewestFirst => self.range.to >= range.to,
        }
    }
}

impl Order {
    fn sql(self) -> &'static str {
        match self {
            Self::OldestFirst => "ASC",
            Self::NewestFirst => "DESC",
        }
    }
}
