//! Who is in the room, as far as it is known.

use std::collections::BTreeMap;

/// Maximum number of names that are kept.
const MAX_NAMES: usize = 1024;

/// Members of a room.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// Names, and how often each is in the room: a user may be there more than once.
    names: BTreeMap<String, u64>,
    count: Option<u64>,
}

impl Members {
    /// Starts with a room of this many members, without their names.
    pub(super) fn start(&mut self, count: Option<u64>) {
        self.names.clear();
        self.count = count;
    }

    /// Takes the list of the members.
    pub(super) fn list(&mut self, count: u64, names: &[String]) {
        self.start(Some(count));
        for name in names {
            self.add(name);
        }
    }

    /// Takes a join.
    pub(super) fn join(&mut self, name: &str) {
        self.add(name);
        self.count = self.count.map(|count| count.saturating_add(1));
    }

    fn add(&mut self, name: &str) {
        if self.names.len() < MAX_NAMES || self.names.contains_key(name) {
            *self.names.entry(name.to_owned()).or_default() += 1;
        }
    }

    /// Takes a leave.
    pub(super) fn leave(&mut self, name: &str) {
        self.remove(name);
        self.count = self.count.map(|count| count.saturating_sub(1));
    }

    fn remove(&mut self, name: &str) {
        if let Some(times) = self.names.get_mut(name) {
            *times -= 1;
            if *times == 0 {
                self.names.remove(name);
            }
        }
    }

    /// Takes a new name.
    pub(super) fn rename(&mut self, name: &str, to: &str) {
        self.remove(name);
        self.add(to);
    }

    /// Returns the number of members, if it is known.
    pub(super) fn count(&self) -> Option<u64> {
        self.count
    }

    /// Returns the known names in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }
}
