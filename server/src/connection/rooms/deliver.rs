//! Events and answers of rooms, on their way to the socket.
//!
//! An event is sent at once if nothing waits before it. Otherwise it waits in the backlog of the member, which has a limit
//! in bytes; from there it goes to the send buffer when that is empty.

use std::{io, sync::Arc};

use bytes::{Buf as _, Bytes};

use crate::{
    connection::{
        buffer::write_until_full,
        connection::Connection,
        layers::Layers,
        stage::Stage,
        stream::Stream,
        turn::{Turn, TurnContext},
    },
    rooms::{Batch, Form, Member, Notice, Overflow, RoomEvent, Rooms, Unqueued},
    session::{Next, Reason, Reply},
    telemetry::{ConnectionEvent, Recorder},
};

impl<S: Stream> Connection<S> {
    /// Returns whether the connection may move to another worker.
    pub(crate) fn may_move(&mut self) -> bool {
        self.member().is_none_or(|member| member.may_move())
    }

    /// Returns whether the session is a member of rooms, or may become one.
    pub(crate) fn is_member(&mut self) -> bool {
        self.member().is_some()
    }

    /// Tells the room of the connection that it leaves its worker.
    pub(crate) fn move_away(&mut self) {
        if let Some(member) = self.member() {
            member.move_away();
        }
    }

    /// Tells the room of the connection that this worker serves it now.
    pub(crate) fn arrive(&mut self, worker: usize) {
        if let Some(member) = self.member() {
            member.arrive(worker);
        }
    }

    fn member(&mut self) -> Option<&mut Member> {
        self.session.handler()?.member()
    }

    /// Adds a reply to what waits for the member, if something does.
    pub(in crate::connection) fn queue_answer(&mut self, reply: &Bytes) -> bool {
        self.member().is_some_and(|member| member.queue_answer(reply))
    }

    /// Begins the session as a member of rooms, if the listener is for them.
    #[cold]
    pub(crate) fn use_rooms(&mut self, rooms: &Arc<Rooms>) {
        self.session = Self::new_session(&self.permit, Some(rooms));
        self.splitter = self.session.splitter();
    }

    /// Sends events of its room to the member.
    pub(crate) fn deliver(&mut self, batch: &mut Batch, context: &TurnContext<'_>) -> Turn {
        if !self.stage.is_in_session() {
            return Turn::Wait;
        }
        let form = if self.send_buffer.is_none() {
            self.member().and_then(|member| member.take(batch.events()))
        } else {
            None
        };
        let delivered = match form {
            Some(form) => self.send_batch(batch, form, context),
            None => self.queue_events(batch.events(), context),
        };
        self.settle_delivery(delivered, context)
    }

    /// Carries out what faults have made of a delivery.
    fn settle_delivery(&mut self, delivered: io::Result<Turn>, context: &TurnContext<'_>) -> Turn {
        let settled = delivered.and_then(|turn| {
            self.settle_faults(context)?;
            // An end that they have brought takes a turn.
            Ok(if self.stage.is_in_session() { turn } else { Turn::Again })
        });
        settled.unwrap_or_else(|error| self.lose(&error, context))
    }

    /// Counts events that the socket or the send buffer has taken: these are not dropped any more.
    fn count_delivered(&self, events: usize, context: &TurnContext<'_>) {
        self.counters.messages_sent.add(events as u64);
        context.telemetry.delivered(events);
    }

    /// Sends events that the member has missed on its way to this worker.
    fn deliver_missed(&mut self, events: &[Arc<RoomEvent>], context: &TurnContext<'_>) -> Turn {
        if !self.stage.is_in_session() {
            return Turn::Wait;
        }
        let delivered = self.queue_events(events, context);
        self.settle_delivery(delivered, context)
    }

    /// Sends events before which nothing waits.
    fn send_batch(
        &mut self,
        batch: &mut Batch,
        form: Form,
        context: &TurnContext<'_>,
    ) -> io::Result<Turn> {
        let bytes = batch.bytes(form);
        if let Layers::Stacked(_) = self.layers {
            self.send_reply_layered(bytes, context)?;
            self.count_delivered(batch.events().len(), context);
            return Ok(Turn::Wait);
        }
        let len = bytes.len();
        let (sent, result) = write_until_full(&mut self.stream, bytes);
        self.count_sent(sent);
        if sent < len {
            return self.buffer_batch(batch.events(), form, sent, context);
        }
        self.count_delivered(batch.events().len(), context);
        result.map(|()| Turn::Wait)
    }

    /// Buffers events of which the socket has taken the first `sent` bytes.
    #[cold]
    fn buffer_batch(
        &mut self,
        events: &[Arc<RoomEvent>],
        form: Form,
        mut sent: usize,
        context: &TurnContext<'_>,
    ) -> io::Result<Turn> {
        // The peer has taken nothing since now, not since its last message.
        self.last_activity = context.now;
        for (at, event) in events.iter().enumerate() {
            let mut bytes = event.bytes(form);
            if sent >= bytes.len() {
                sent -= bytes.len();
                continue;
            }
            bytes.advance(sent);
            self.send_buffer.get_or_insert_default().push(bytes, None)?;
            self.count_delivered(at + 1, context);
            let Some(member) = self.member() else { return Ok(Turn::Wait) };
            return match member.put_back(&events[at + 1..]) {
                Ok(dropped) => {
                    context.telemetry.dropped(dropped);
                    Ok(Turn::Wait)
                }
                Err(Overflow) => self.end_slow(context),
            };
        }
        Ok(Turn::Wait)
    }

    /// Adds events to what waits, and sends what the socket takes.
    fn queue_events(
        &mut self,
        events: &[Arc<RoomEvent>],
        context: &TurnContext<'_>,
    ) -> io::Result<Turn> {
        let is_free = self.send_buffer.is_none();
        let Some(member) = self.member() else { return Ok(Turn::Wait) };
        let mut dropped = 0;
        for event in events {
            match member.wait_for_socket(event) {
                Ok(more) => dropped += more,
                Err(Overflow) => return self.end_slow(context),
            }
        }
        context.telemetry.dropped(dropped);
        if is_free {
            self.send_waiting(context)?;
        }
        Ok(Turn::Wait)
    }

    /// Sends what waits in the backlog of the member, as much as the socket takes.
    #[cold]
    pub(in crate::connection) fn send_waiting(
        &mut self,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        while self.send_buffer.is_none() {
            let Some(member) = self.member() else { return Ok(()) };
            let Unqueued { chunks, events, told } = member.take_waiting();
            if chunks.is_empty() {
                return Ok(());
            }
            self.count_delivered(events, context);
            if told > 0 {
                self.record_place(
                    |room, name| ConnectionEvent::MessagesDropped { room, name, count: told },
                    context,
                );
            }
            self.last_activity = context.now;
            if let Layers::Stacked(_) = self.layers {
                for chunk in chunks {
                    self.send_reply_layered(&chunk, context)?;
                }
                continue;
            }
            let buffer = self.send_buffer.get_or_insert_default();
            for chunk in chunks {
                buffer.push(chunk, None)?;
            }
            self.flush_buffer(context)?;
        }
        Ok(())
    }

    /// Records an event of the member in its room.
    fn record_place(
        &mut self,
        event: impl for<'a> FnOnce(&'a str, &'a str) -> ConnectionEvent<'a>,
        context: &TurnContext<'_>,
    ) {
        let Some((room, name)) = self.member().map(|member| member.place()) else { return };
        context.telemetry.record(self.subject(), event(&room, &name));
    }

    /// Records what the member has not been told. Returns the number of events that it was sent, if the session is a member.
    pub(in crate::connection) fn end_membership(
        &mut self,
        telemetry: &Recorder<'_>,
    ) -> Option<u64> {
        let member = self.member()?;
        let (count, delivered, (room, name)) =
            (member.untold(), member.delivered(), member.place());
        if count > 0 {
            let event = ConnectionEvent::MessagesDropped { room: &room, name: &name, count };
            telemetry.record(self.subject(), event);
        }
        Some(delivered)
    }

    /// Returns the number of events that the session was sent, if it is a member.
    #[cfg(feature = "admin")]
    pub(in crate::connection) fn delivered(&mut self) -> Option<u64> {
        self.member().map(|member| member.delivered())
    }

    /// Ends the session of a member that reads too slowly.
    #[cold]
    fn end_slow(&mut self, context: &TurnContext<'_>) -> io::Result<Turn> {
        let waiting = self.member().map_or(0, |member| member.waiting_bytes());
        let reply = Reply { bytes: Vec::new().into(), next: Next::Close(Reason::TooSlow(waiting)) };
        self.answer(self.no_echo(), reply, context)?;
        // What waits is more than the member will read in time.
        self.stage = Stage::Closing;
        Ok(Turn::Over)
    }

    /// Gives the session an answer of a room.
    pub(crate) fn receive_notice(&mut self, notice: Notice, context: &mut TurnContext<'_>) -> Turn {
        if let Notice::Resumed { missed, .. } = &notice {
            let missed = missed.clone();
            let turn = self.deliver_missed(&missed, context);
            if turn != Turn::Wait {
                return turn;
            }
        }
        if !self.stage.is_in_session() {
            return Turn::Wait;
        }
        let was_waiting = self.stage == Stage::Waiting;
        if was_waiting {
            self.stage = Stage::Serving;
        }
        let (has_joined, has_left) =
            (matches!(notice, Notice::Joined { .. }), matches!(notice, Notice::Left));
        if has_left {
            self.record_place(|room, name| ConnectionEvent::RoomLeft { room, name }, context);
        }
        let Some(handler) = self.session.handler() else { return Turn::Wait };
        let reply = handler.receive_notice(notice, context.now);
        if has_joined {
            self.record_place(|room, name| ConnectionEvent::RoomJoined { room, name }, context);
        }
        // The welcome and the last messages of the room.
        if let Err(error) = self.send_waiting(context) {
            return self.lose(&error, context);
        }
        self.continue_with(reply, was_waiting, context)
    }
}
