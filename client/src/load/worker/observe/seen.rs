//! What a connection has seen: from its received bytes to its observation.

use std::{io, net::SocketAddr, ops::Range, time::Duration};

use super::{
    frames::Frames, outgoing::Outgoing, tap::Tap, transcript::Transcript, wire::ObservedWire,
};
use crate::{
    load::{
        ipc::observation::{End, Failure, Layer, Observation, Times, TlsObservation},
        worker::{
            io::context::Context,
            payload::{cursor::Cursor, echo_stream::EchoStream},
        },
    },
    login, websocket,
};

/// What one connection has seen.
#[derive(Debug)]
pub(super) struct Seen {
    peer: Option<SocketAddr>,
    /// Line of the channel with which it begins, and its offset.
    first: (u64, u64),
    channel: u64,
    is_open: bool,
    head: u64,
    opcode: Option<u8>,
    transcript: Transcript,
    frames: Frames,
    /// Number of messages of which the last byte has returned.
    returned: u64,
    pub(super) times: Times,
    pub(super) end: End,
    pub(super) has_close_notify: bool,
}

impl Seen {
    /// Creates what a new connection has seen, whose first message is at the cursor.
    pub(super) fn new(context: &Context<'_>, next: &Cursor, peer: Option<SocketAddr>) -> Self {
        let (channel, first) = (next.connection(), (next.lines(), next.offset()));
        Self {
            peer,
            first,
            channel,
            is_open: false,
            head: 0,
            opcode: None,
            transcript: Transcript::new(EchoStream::new(&context.streams, channel, first, None)),
            frames: Frames::default(),
            returned: 0,
            times: Times::default(),
            end: End::default(),
            has_close_notify: false,
        }
    }

    /// Notes that the handshakes and the login are complete: from here on, echoes arrive.
    pub(super) fn begin(&mut self, wire: &ObservedWire) {
        self.is_open = true;
        self.head = wire.head();
        self.opcode = wire.frame_start();
        self.transcript.set_opcode(self.opcode);
    }

    /// Adds the first `count` bytes of the receive buffer.
    pub(super) fn receive(
        &mut self,
        context: &mut Context<'_>,
        wire: &mut ObservedWire,
        count: usize,
        outgoing: &Outgoing,
    ) {
        let sent = self.transcript.echo().start_of(outgoing.begun());
        let mut placed = Vec::new();
        let bytes = &context.received[..count];
        if self.opcode.is_some() {
            self.frames.receive(&mut self.transcript, bytes, sent, |range| placed.push(range));
        } else {
            self.transcript.receive(bytes, sent, |range| placed.push(range));
        }
        if let Some(ping) = self.frames.ping.take() {
            wire.answer(ping);
        }
        self.mark(context, placed, wire.tap.last_read);
    }

    /// Returns the number of messages that have returned, or that were passed over.
    pub(super) fn returned_messages(&mut self) -> u64 {
        let reached = self.transcript.reached() + self.frames.held() as u64;
        self.transcript.echo().message_at(reached)
    }

    /// Returns `true` if the server has broken the protocol so that the connection has to end.
    pub(super) fn is_violated(&self) -> bool {
        self.frames.masked_at.is_some()
    }

    /// Returns `true` if the server has sent a close frame.
    pub(super) fn is_closing(&self) -> bool {
        self.frames.close_code.is_some()
    }

    /// Notes a failure of the connection.
    pub(super) fn note_failure(&mut self, error: &io::Error, is_connected: bool) {
        let (layer, text) = match (login::Error::inside(error), websocket::Error::inside(error)) {
            _ if !is_connected => (Layer::Connect, error.to_string()),
            (Some(error @ (login::Error::WrongServer | login::Error::NoProof)), _) => {
                (Layer::Proof, error.to_string())
            }
            (Some(error), _) => (Layer::Login, error.to_string()),
            (_, Some(error)) => (Layer::Websocket, error.to_string()),
            _ => (Layer::Tls, error.to_string()),
        };
        let text = text.lines().next().unwrap_or_default().to_owned();
        self.end.failure.get_or_insert(Failure { layer, text });
    }

    /// Hands over the observation of a connection that has ended.
    pub(super) fn finish(
        &mut self,
        context: &mut Context<'_>,
        wire: &ObservedWire,
        outgoing: &Outgoing,
    ) {
        let sent = self.transcript.echo().start_of(outgoing.begun());
        let mut placed = Vec::new();
        if self.opcode.is_some() {
            self.frames.finish(&mut self.transcript, sent, |range| placed.push(range));
        } else {
            self.transcript.finish(sent, |range| placed.push(range));
        }
        self.mark(context, placed, wire.tap.last_read);
        let is_secured = wire.is_secured;
        let &Tap {
            end,
            sent: sent_bytes,
            received,
            first_byte,
            ref reads,
            last_read,
            ref records,
            ..
        } = &wire.tap;
        self.end.wire = end;
        self.end.is_after_ours |= outgoing.has_ended;
        self.times.first_byte = first_byte;
        self.times.reads.clone_from(reads);
        (self.times.last_read, self.times.end) = (last_read, wire.tap.now());
        let tls = records.as_ref().map(|records| TlsObservation {
            is_established: is_secured,
            has_close_notify: self.has_close_notify,
            record: records.range(),
            headers: records.headers().to_vec(),
        });
        context.stats.lost += outgoing.begun().saturating_sub(self.returned);
        let observation = Observation {
            begun: outgoing.begun(),
            messages: outgoing.completed(),
            sent: sent_bytes,
            received,
            tls,
            ..self.observation()
        };
        context.observe(observation);
    }

    /// Hands over the observation of a connection whose connect failed at once.
    pub(super) fn finish_unconnected(&mut self, context: &mut Context<'_>) {
        let observation = self.observation();
        context.observe(observation);
    }

    fn observation(&mut self) -> Observation {
        let empty = Transcript::new(self.transcript.echo().clone());
        let transcript = std::mem::replace(&mut self.transcript, empty);
        let (pieces, damage, limit_reached_at) = transcript.into_parts();
        Observation {
            peer: self.peer,
            channel: self.channel,
            first_line: self.first.0,
            first_offset: self.first.1,
            is_open: self.is_open,
            head: self.head,
            pieces,
            damage,
            controls: std::mem::take(&mut self.frames.controls),
            limit_reached_at,
            end: std::mem::take(&mut self.end),
            times: std::mem::take(&mut self.times),
            opcode: self.opcode,
            masked_at: self.frames.masked_at,
            close_code: self.frames.close_code,
            ..Observation::default()
        }
    }

    /// Notes the time at which messages have returned, and counts them.
    fn mark(&mut self, context: &mut Context<'_>, placed: Vec<Range<u64>>, now: u64) {
        let is_counted = context.now() >= context.config.warmup;
        for range in placed {
            context.stats.bytes_checked += range.end - range.start;
            let echo = self.transcript.echo();
            let (first, end) = (echo.message_at(range.start), echo.message_at(range.end));
            for message in first..end {
                self.returned += 1;
                context.stats.messages += u64::from(is_counted);
                let index = usize::try_from(message).unwrap_or(usize::MAX);
                let times = self.times.messages.get_mut(index);
                if let Some(times) = times.filter(|times| times.returned == 0) {
                    times.returned = now;
                    if is_counted {
                        let latency = Duration::from_nanos(now.saturating_sub(times.begun));
                        context.stats.latency.record(latency);
                    }
                }
            }
            context.last_progress = context.now();
        }
    }
}
