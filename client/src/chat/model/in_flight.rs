//! Own messages that have not returned: the room has taken one when it returns.

use std::collections::VecDeque;

/// Messages in flight, the oldest first.
#[derive(Debug, Default)]
pub(in crate::chat) struct InFlight {
    due: VecDeque<String>,
    due_bytes: usize,
    lost: u64,
}

impl InFlight {
    /// Adds a message that is sent, in the form in which it returns.
    pub(super) fn expect(&mut self, text: String) {
        self.due_bytes += text.len();
        self.due.push_back(text);
    }

    /// Takes a message under the own name. Those before it in flight are lost: the room keeps the order of a sender. A user
    /// may be in the room more than once, so a message that is not in flight is from elsewhere.
    pub(super) fn confirm(&mut self, text: &str) {
        if let Some(at) = self.due.iter().position(|due| due == text) {
            self.due_bytes -= self.due.drain(..=at).map(|due| due.len()).sum::<usize>();
            self.lost += at as u64;
        }
    }

    /// Returns the number of messages in flight.
    pub(in crate::chat) fn due(&self) -> usize {
        self.due.len()
    }

    /// Returns their length.
    pub(in crate::chat) fn due_bytes(&self) -> usize {
        self.due_bytes
    }

    /// Returns the number of messages that did not return, if those in flight do not either.
    pub(in crate::chat) fn missing(&self) -> u64 {
        self.lost + self.due.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_message_shows_that_earlier_ones_are_lost() {
        let mut in_flight = InFlight::default();
        for text in ["a", "b", "c", "a"] {
            in_flight.expect(text.to_owned());
        }
        in_flight.confirm("x");
        assert_eq!((in_flight.due(), in_flight.due_bytes(), in_flight.missing()), (4, 4, 4));
        in_flight.confirm("a");
        assert_eq!((in_flight.due(), in_flight.missing()), (3, 3));
        in_flight.confirm("c");
        assert_eq!((in_flight.due(), in_flight.missing()), (1, 2));
        in_flight.confirm("a");
        assert_eq!((in_flight.due(), in_flight.due_bytes(), in_flight.missing()), (0, 0, 1));
    }
}
