//! Transfer: receives events, and sends messages. This is the hot path.

use std::{
    io::{self, ErrorKind as Io},
    time::Duration,
};

use super::{
    check::Check,
    delivery::Delivery,
    error::Error,
    join::Join,
    member::{Member, State},
    shared::Shared,
};
use crate::load::worker::io::{
    context::{CHUNK, Context},
    wire::Wire,
};

/// Maximum number of reads in one turn of a member: the others have to wait for its end.
const TURN: usize = 4;

impl<W: Wire> Member<W> {
    /// Receives and sends as far as possible, within the limit of a turn.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    pub(super) fn exchange(&mut self, context: &mut Context<'_, Shared>) -> io::Result<()> {
        let mut sent = self.send_pending(context, None);
        for _ in 0..TURN {
            let (State::Open(wire) | State::Closing(wire)) = &mut self.state else { return Ok(()) };
            let held = self.held.len();
            context.received[..held].copy_from_slice(&self.held);
            match wire.receive(&mut context.received[held..]) {
                Ok(0) => return self.handle_end(context, sent),
                Ok(read) => {
                    let may_have_more = read == CHUNK - held || wire.may_have_more();
                    let now = context.now();
                    self.last_activity = now;
                    self.receive(context, held + read, now)?;
                    if self.check.is_some() && !self.has_started {
                        return Ok(());
                    }
                    sent = self.send_pending(context, Some(now));
                    if !may_have_more && !self.has_pending_end && sent.is_ok() {
                        self.close_if_complete(context);
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => {
                    // The connection neither accepts nor returns bytes any more.
                    sent?;
                    self.close_if_complete(context);
                    return Ok(());
                }
                // Every event has arrived, so a failure of the connection has no effect.
                Err(_) if matches!(self.state, State::Closing(_)) => {
                    self.finish(context);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.has_yielded = true;
        Ok(())
    }

    /// Handles the events that arrived before the start.
    pub(super) fn start(&mut self, context: &mut Context<'_, Shared>) -> io::Result<()> {
        self.has_started = true;
        let held = self.held.len();
        context.received[..held].copy_from_slice(&self.held);
        self.receive(context, held, context.now())
    }

    /// Handles the end of the stream. `sent` is the result of the last send: a failed one may have consumed the error that
    /// tells a reset from an end.
    fn handle_end(
        &mut self,
        context: &mut Context<'_, Shared>,
        sent: io::Result<()>,
    ) -> io::Result<()> {
        self.close_if_complete(context);
        match &self.state {
            State::Closing(_) => self.finish(context),
            _ if self.check.is_none() => return Err(Error::NotWelcomed.into()),
            _ => return sent.and_then(|()| Err(Error::Closed.into())),
        }
        Ok(())
    }

    fn close_if_complete(&mut self, context: &Context<'_, Shared>) {
        if let State::Open(_) = self.state
            && let Some(last) = context.shared.last_number()
            && self.has_received(last)
        {
            self.close(context);
        }
    }

    /// Handles the events in the first `len` bytes of the receive buffer.
    fn receive(
        &mut self,
        context: &mut Context<'_, Shared>,
        len: usize,
        now: Duration,
    ) -> io::Result<()> {
        let Context { received, shared, stats, config, last_progress, .. } = context;
        let mut rest = &received[..len];
        if self.check.is_none() {
            let room = config.room.as_ref().and_then(|room| room.name.as_deref());
            let join = Join::new(self.form, room);
            let senders = config.room.as_ref().map_or(0, |room| room.senders);
            rest = self.join(&join, senders, rest)?;
        }
        if let (Some(check), true) = (&mut self.check, self.has_started) {
            shared.last_event = now;
            let mut delivery = Delivery {
                member: self.number,
                check,
                sender: self.sender.as_deref_mut(),
                clock_ns: shared.clock_ns(now, now),
                shared,
                stats,
                now,
            };
            let malformed = |_| Error::Malformed(self.form);
            while let Some((event, end)) = self.form.split(rest).map_err(malformed)? {
                let is_counted = self.form.parse(event, |event| delivery.receive(&event));
                if is_counted.map_err(malformed)? {
                    *last_progress = now;
                }
                rest = &rest[end..];
            }
        }
        self.held.clear();
        self.held.extend_from_slice(rest);
        Ok(())
    }

    /// Handles the events before the member has joined; returns the bytes after them.
    fn join<'b>(
        &mut self,
        join: &Join<'_>,
        senders: u32,
        mut rest: &'b [u8],
    ) -> Result<&'b [u8], Error> {
        let malformed = |_| Error::Malformed(self.form);
        while self.check.is_none()
            && let Some((event, end)) = self.form.split(rest).map_err(malformed)?
        {
            let joined = self.form.parse(event, |event| join.receive(&event, &mut self.unsent));
            let joined = joined.map_err(malformed)??;
            self.check = joined.map(|number| Check::new(number, senders));
            rest = &rest[end..];
        }
        Ok(rest)
    }

    /// Queues the messages that may be sent now, and sends what the socket accepts.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn send_pending(
        &mut self,
        context: &mut Context<'_, Shared>,
        now: Option<Duration>,
    ) -> io::Result<()> {
        let State::Open(wire) = &mut self.state else { return Ok(()) };
        if let Some(sender) = &mut self.sender
            && self.has_started
        {
            let now = now.unwrap_or_else(|| context.now());
            self.has_yielded |= sender.queue(context, self.form, &mut self.unsent, now);
        }
        if self.unsent.is_empty() {
            return Ok(());
        }
        let mut sent = 0;
        let result = loop {
            match wire.transmit(&self.unsent[sent..], || 0) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => break Ok(()),
                Err(error) => break Err(error),
            }
            if sent == self.unsent.len() {
                break Ok(());
            }
        };
        context.stats.bytes_sent += sent as u64;
        self.unsent.drain(..sent);
        result
    }
}
