//! The time before a connection's session: a PROXY header is to come, and says whose connection it is.
//!
//! Bytes are held until the header is whole. What is behind it is served as if it had come alone.

use std::io;

use super::{Connection, Room, Stage};
use crate::{
    journal::Journal,
    limits,
    proxy::{self, Header},
    refusal,
    stream::Stream,
};

impl<S: Stream> Connection<S> {
    /// Deals with what is not the session's, or not all: a PROXY header, or what nobody waits for any
    /// longer. Returns how many bytes are the session's: they are the first of the buffer then.
    #[cold]
    pub(super) fn read_aside(
        &mut self,
        read: usize,
        all: usize,
        room: &mut Room<'_>,
    ) -> io::Result<usize> {
        if self.stage == Stage::Announcing {
            self.count_drained(read);
            return self.announce(all, room);
        }
        self.make_known(room.journal);
        Ok(0)
    }

    /// Looks for the PROXY header in the first `len` bytes of the buffer. Returns how many bytes of the
    /// client's are behind it: they are the first of the buffer then.
    fn announce(&mut self, len: usize, room: &mut Room<'_>) -> io::Result<usize> {
        match proxy::parse(&room.buffer[..len], limits::PROXY_HEADER) {
            Ok(None) => {
                self.held = room.buffer[..len].to_vec();
                Ok(0)
            }
            Ok(Some(Header { len: header, source })) => {
                self.held = Vec::new();
                self.enter(Stage::Serving, room.now);
                if let Some(source) = source {
                    let proxy = std::mem::replace(&mut self.peer, source.to_string().into());
                    if let Err(full) = room.open.admit_source(source.ip()) {
                        self.is_known = true;
                        room.journal.refused(&self.peer, &proxy, full);
                        // Not waited for, as nobody is who is refused: or those for whom there is no room
                        // would take it from others.
                        self.enter(Stage::Leaving, room.now);
                        let reply = refusal::reply(self.terms.protocol, full);
                        let mut splitter = self.splitter;
                        self.send(&[], &reply, &mut splitter, room)?;
                        return Ok(0);
                    }
                    self.ip = source.ip();
                    self.through = Some(proxy);
                }
                room.buffer.copy_within(header..len, 0);
                Ok(len - header)
            }
            Err(why) => {
                self.is_known = true;
                room.journal.bad_header(&self.peer, &why, &room.buffer[..len]);
                self.held = Vec::new();
                self.enter(Stage::Leaving, room.now);
                Ok(0)
            }
        }
    }

    /// The peer is gone: says so if that was in the middle of a PROXY header.
    pub(super) fn cut_header(&mut self, journal: &Journal<'_>) {
        if self.stage == Stage::Announcing && !self.held.is_empty() {
            self.is_known = true;
            journal.cut_header(&self.peer, &self.held);
        }
    }
}
