//! Entries of a conversation, the newest last, within bounds.

use std::collections::VecDeque;

/// Maximum number of entries.
const MAX_ENTRIES: usize = 10_000;

/// Maximum number of bytes of all entries.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Content {
    /// A message; both texts are safe for a terminal.
    Message {
        /// Name of the sender.
        name: String,
        /// Its text.
        text: String,
        /// It was sent before this member has joined.
        is_replayed: bool,
    },
    /// A notice about the room.
    Notice(String),
    /// A refusal, of the server or of this program.
    Error(String),
    /// A fault in the numbers of events, or the end of the connection.
    Fault(String),
}

/// Entry of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) struct Entry {
    /// Milliseconds since the Unix epoch.
    pub(in crate::chat) time: u64,
    /// Number of the event in its room.
    pub(in crate::chat) number: Option<u64>,
    /// What it says.
    pub(in crate::chat) content: Content,
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.content {
                Content::Message { name, text, .. } => name.len() + text.len(),
                Content::Notice(text) | Content::Error(text) | Content::Fault(text) => text.len(),
            }
    }
}

/// The entries.
#[derive(Debug, Default)]
pub(in crate::chat) struct Scrollback {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Number of entries that were dropped: the first entry has this identity.
    dropped: u64,
}

impl Scrollback {
    /// Adds an entry, and drops the oldest ones beyond the bounds; returns its identity.
    pub(super) fn push(&mut self, entry: Entry) -> u64 {
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.bytes();
            self.dropped += 1;
        }
        self.end() - 1
    }

    /// Returns the identity of the oldest entry.
    pub(in crate::chat) fn start(&self) -> u64 {
        self.dropped
    }

    /// Returns the identity of the next entry.
    pub(in crate::chat) fn end(&self) -> u64 {
        self.dropped + self.entries.len() as u64
    }

    /// Returns an entry.
    pub(in crate::chat) fn get(&self, identity: u64) -> Option<&Entry> {
        let at = usize::try_from(identity.checked_sub(self.dropped)?).ok()?;
        self.entries.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(text: String) -> Entry {
        Entry { time: 0, number: None, content: Content::Notice(text) }
    }

    #[test]
    fn the_oldest_entries_are_dropped_beyond_either_bound() {
        let mut scrollback = Scrollback::default();
        for number in 0..MAX_ENTRIES + 5 {
            scrollback.push(notice(number.to_string()));
        }
        assert_eq!((scrollback.start(), scrollback.end()), (5, MAX_ENTRIES as u64 + 5));
        assert_eq!(scrollback.get(4), None);
        assert_eq!(scrollback.get(5), Some(&notice("5".to_owned())));
        for _ in 0..40 {
            scrollback.push(notice("x".repeat(1 << 20)));
        }
        assert_eq!(scrollback.end() - scrollback.start(), 15);
        assert!(scrollback.bytes <= MAX_BYTES);
    }
}
