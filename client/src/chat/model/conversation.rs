//! What the screen shows: the conversation, what of it is unread, and the state of the connection.

use super::{
    membership::Membership,
    scrollback::{Content, Entry, Scrollback},
};
use crate::chat::event::{Event, Notice};

/// Conversation of one user.
#[derive(Debug, Default)]
pub(in crate::chat) struct Conversation {
    membership: Membership,
    scrollback: Scrollback,
    /// The user sees new entries as they arrive.
    is_attended: bool,
    /// First entry that arrived while the user did not see it.
    marker: Option<u64>,
    unread: usize,
    /// Lists of members that the program has asked for: they are not shown.
    hidden_lists: usize,
    has_ended: bool,
}

impl Conversation {
    /// Takes an event that arrived at this time, in milliseconds since the Unix epoch.
    pub(in crate::chat) fn receive(&mut self, event: &Event, now: u64) {
        let fault = self.membership.observe(event);
        if let Some(fault) = fault {
            self.push(now, None, Content::Fault(fault.to_string()));
        }
        let notice = || Notice(event).to_string();
        let content = match event {
            Event::Members { .. } if self.hidden_lists > 0 => {
                self.hidden_lists -= 1;
                return;
            }
            // The numbers are always on, and the screen shows them on request.
            Event::Numbered { .. } | Event::Goodbye => return,
            Event::Message { name, is_replayed, .. } => Content::Message {
                name: common::escape::Escaped(name.as_bytes()).to_string(),
                text: notice(),
                is_replayed: *is_replayed,
            },
            Event::Error { .. } => Content::Error(notice()),
            Event::Gap { .. } | Event::RelayGap { .. } => Content::Fault(notice()),
            _ => Content::Notice(notice()),
        };
        let time = match event {
            Event::Message { time: Some(time), .. } => *time,
            _ => now,
        };
        let is_new = matches!(event, Event::Message { is_replayed: false, name, .. } if name != self.membership.name());
        let identity = self.push(time, event.number(), content);
        if is_new && !self.is_attended {
            if self.unread == 0 {
                self.marker = Some(identity);
            }
            self.unread += 1;
        }
    }

    fn push(&mut self, time: u64, number: Option<u64>, content: Content) -> u64 {
        self.scrollback.push(Entry { time, number, content })
    }

    /// Shows a notice of this program; its text is safe for a terminal.
    pub(in crate::chat) fn notify(&mut self, text: impl Into<String>, now: u64) {
        self.push(now, None, Content::Notice(text.into()));
    }

    /// Shows a refusal of this program; its text is safe for a terminal.
    pub(in crate::chat) fn refuse(&mut self, text: impl Into<String>, now: u64) {
        self.push(now, None, Content::Error(text.into()));
    }

    /// Shows that the connection has ended, and why.
    pub(in crate::chat) fn end(&mut self, reason: &str, now: u64) {
        self.has_ended = true;
        self.push(now, None, Content::Fault(format!("The connection has ended: {reason}")));
    }

    /// Adds a message that is sent, in the form in which it returns. The user has seen what is on the screen.
    pub(in crate::chat) fn send(&mut self, text: String) {
        self.membership.expect(text);
        if self.is_attended {
            self.marker = None;
        }
    }

    /// Leaves the next list of members out: the program has asked for it.
    pub(in crate::chat) fn hide_next_list(&mut self) {
        self.hidden_lists += 1;
    }

    /// Sets whether the user sees new entries as they arrive.
    pub(in crate::chat) fn set_attended(&mut self, is_attended: bool) {
        self.is_attended = is_attended;
        if is_attended {
            self.unread = 0;
        }
    }

    /// Returns the state of the member.
    pub(in crate::chat) fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Returns the entries.
    pub(in crate::chat) fn scrollback(&self) -> &Scrollback {
        &self.scrollback
    }

    /// Returns the first entry that arrived while the user did not see it.
    pub(in crate::chat) fn marker(&self) -> Option<u64> {
        self.marker
    }

    /// Returns the number of messages that the user has not seen.
    pub(in crate::chat) fn unread(&self) -> usize {
        self.unread
    }

    /// Returns `true` if the connection has ended.
    pub(in crate::chat) fn has_ended(&self) -> bool {
        self.has_ended
    }
}
