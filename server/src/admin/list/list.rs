//! A list that is being made.

use std::{cmp::Reverse, sync::Arc};

use serde::Serialize;

use super::query::{Cursor, Query};
use crate::{
    connection::{Filter, Order, Summary},
    shared::ListPage,
};

/// A list, of which a worker at a time gives a part.
#[derive(Debug)]
pub(super) struct List {
    limit: usize,
    filter: Arc<Filter>,
    order: Option<Order>,
    /// The place at which the next request continues.
    at: Cursor,
    /// The index after that of the last worker.
    end: usize,
    /// In their order; never more than the limit.
    found: Vec<(u64, Summary)>,
}

/// The next request to a worker.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) from: usize,
    pub(super) max: usize,
    pub(super) filter: Arc<Filter>,
    /// The order, and the least rank that still belongs to the list.
    pub(super) order: Option<(Order, u64)>,
}

impl List {
    pub(super) fn new(query: Query, workers: usize) -> Self {
        let Query { limit, after, worker, filter, order } = query;
        let first = Cursor { worker: worker.unwrap_or(0), slot: 0 };
        Self {
            limit,
            filter: Arc::new(filter),
            order,
            at: after.unwrap_or(first),
            end: worker.map_or(workers, |worker| worker + 1),
            found: Vec::new(),
        }
    }

    /// Returns the index of the worker whose connections are next.
    pub(super) fn worker(&self) -> usize {
        self.at.worker
    }

    /// Returns the next request.
    pub(super) fn part(&self) -> Part {
        let is_full = self.found.len() == self.limit;
        let least = self.found.last().filter(|_| is_full).map_or(0, |&(rank, _)| rank);
        let max = if self.order.is_some() { self.limit } else { self.limit - self.found.len() };
        let order = self.order.map(|order| (order, least));
        Part { from: self.at.slot, max, filter: Arc::clone(&self.filter), order }
    }

    /// Adds the answer of a worker.
    pub(super) fn add(&mut self, page: ListPage) {
        self.found.extend(page.connections);
        if self.order.is_some() {
            self.found.sort_by_key(|&(rank, _)| Reverse(rank));
            self.found.truncate(self.limit);
        }
        self.at = match page.next {
            Some(slot) => Cursor { slot, ..self.at },
            None => Cursor { worker: self.at.worker + 1, slot: 0 },
        };
    }

    /// Returns whether the list has all of its connections.
    pub(super) fn is_complete(&self) -> bool {
        self.at.worker >= self.end || (self.order.is_none() && self.found.len() == self.limit)
    }

    /// Returns the document. `open` is the number of open connections.
    pub(super) fn to_json(&self, open: usize) -> Vec<u8> {
        let has_more = self.order.is_none() && self.at.worker < self.end;
        let document = Document {
            open,
            connections: self.found.iter().map(|(_, summary)| summary).collect(),
            next: has_more.then(|| self.at.to_text()),
        };
        // The document has no value that JSON lacks.
        let mut json = serde_json::to_vec(&document).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

#[derive(Serialize)]
struct Document<'a> {
    open: usize,
    connections: Vec<&'a Summary>,
    next: Option<String>,
}
