//! Events in a stream of bytes.

use common::frame::{PREFIX_LEN, payload_len};

use super::{
    error::NotAnEvent,
    json,
    kind::{Framing, MAX_EVENT},
    length,
    lines::{Lines, TooLong},
    text::TextParser,
};
use crate::chat::event::Event;

/// Parser of what a server sends. A received byte is kept only until its event is complete.
#[derive(Debug)]
pub(in crate::chat) struct Parser {
    framing: Framing,
    lines: Lines,
    text: TextParser,
    /// Frames that are not complete.
    frames: Vec<u8>,
    /// No event has been received.
    is_first: bool,
}

impl Parser {
    /// Creates the parser of a framing.
    pub(in crate::chat) fn new(framing: Framing) -> Self {
        let (lines, text) = (Lines::default(), TextParser::default());
        Self { framing, lines, text, frames: Vec::new(), is_first: true }
    }

    /// Takes bytes, and adds the events that they complete.
    ///
    /// # Errors
    ///
    /// The bytes are no events. The events before them have been added.
    pub(in crate::chat) fn feed(
        &mut self,
        bytes: &[u8],
        events: &mut Vec<Event>,
    ) -> Result<(), NotAnEvent> {
        if self.framing == Framing::Length {
            return self.feed_frames(bytes, events);
        }
        let Self { framing, lines, text, is_first, .. } = self;
        let is_text = *framing == Framing::Text;
        let fed = lines.feed(bytes, |line| {
            let event = if is_text { text.parse(line) } else { json::parse(line) };
            let error = || NotAnEvent::new(*framing, line, *is_first);
            events.push(event.ok_or_else(error)?);
            *is_first = false;
            Ok::<_, NotAnEvent>(())
        })?;
        fed.map_err(|TooLong| self.not_an_event(self.lines.partial()).too_long())
    }

    fn feed_frames(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), NotAnEvent> {
        self.frames.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(len) = payload_len(&self.frames[at..]) {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            if len > MAX_EVENT {
                return Err(self.not_an_event(&self.frames[at..]).too_long());
            }
            let Some(payload) = self.frames.get(at + PREFIX_LEN..at + PREFIX_LEN + len) else {
                break;
            };
            events.push(length::parse(payload).ok_or_else(|| self.not_an_event(payload))?);
            self.is_first = false;
            at += PREFIX_LEN + len;
        }
        self.frames.drain(..at);
        Ok(())
    }

    /// Takes the end of the stream.
    ///
    /// # Errors
    ///
    /// The stream ends within an event.
    pub(in crate::chat) fn end(&self) -> Result<(), NotAnEvent> {
        let partial = match self.framing {
            Framing::Length => &self.frames[..],
            Framing::Text | Framing::Json => self.lines.partial(),
        };
        // The answer to a bare `exit` has no newline.
        let is_goodbye = partial == common::protocol::GOODBYE.as_bytes();
        if partial.is_empty() || is_goodbye { Ok(()) } else { Err(self.not_an_event(partial)) }
    }

    fn not_an_event(&self, received: &[u8]) -> NotAnEvent {
        NotAnEvent::new(self.framing, received, self.is_first)
    }
}
