//! The WebSocket of one connection: which frames are echoed, answered or refused.
//!
//! The payload of a data frame is echoed as it arrives, so the length of a message costs no memory. A frame that may be an
//! exit, and a control frame, are held until they are complete, by not consuming them.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(feature = "receipt")]
use common::receipt::EndedBy;
use common::{
    exit::{Newline, goodbye},
    message::Splitter,
};

use super::{
    close::{Closing, Code, check_close, close_frame, faulty_close_frame},
    close_fault::CloseFault,
    data::{Begun, DataFrames, Violation},
    deflate::Deflate,
    frame::{Header, Opcode, short_frame},
    progress::{Progress, complete},
};
use crate::{
    config::{Http, limits},
    faults::{EchoPlace, FaultPlan, Format, InjectedFault},
    session::{EndCause, Next, ProtocolHandler, Reason, Reply, Step},
};

/// A WebSocket after its handshake.
#[derive(Debug)]
pub(crate) struct WebSocket {
    config: Arc<Http>,
    data: DataFrames,
    /// The time at which bytes last arrived, or at which the server last sent a ping.
    last_activity: Instant,
    /// The peer has sent nothing since the last ping.
    awaits_pong: bool,
    /// The server has sent a close frame, for this reason.
    closing: Option<Closing>,
    is_draining: bool,
    /// Bytes of the last step for the log: at most a read.
    logged: u32,
    /// Bytes and messages that were echoed in the former steps.
    echoed: u64,
    messages: u64,
    /// `None`: the connection has and had no faults.
    fault: Option<Box<CloseFault>>,
}

impl WebSocket {
    pub(crate) fn new(config: Arc<Http>, deflate: Option<Deflate>, now: Instant) -> Self {
        Self {
            config,
            data: DataFrames::new(deflate),
            last_activity: now,
            awaits_pong: false,
            closing: None,
            is_draining: false,
            logged: 0,
            echoed: 0,
            messages: 0,
            fault: None,
        }
    }

    /// Ends the WebSocket with a receipt.
    #[cfg_attr(not(feature = "receipt"), expect(unused_mut, reason = "no receipts"))]
    pub(crate) fn with_receipt(mut self) -> Self {
        #[cfg(feature = "receipt")]
        {
            self.data.tally = Some(Box::default());
        }
        self
    }

    /// Returns the message with the receipt behind the last payload of the server, if there is to be one. `frames` are
    /// complete and not counted yet. `is_server_first`: the server ends the WebSocket before the client does. Between the
    /// fragments of a message there is no place for another.
    #[cfg_attr(not(feature = "receipt"), expect(clippy::unused_self, reason = "no receipts"))]
    fn receipt(&mut self, last: &[u8], frames: isize, is_server_first: bool) -> Vec<u8> {
        #[cfg(feature = "receipt")]
        if !self.data.is_in_message()
            && let Some(mut tally) = self.data.tally.take()
        {
            tally.add_frames(frames);
            let ended_by = if is_server_first { EndedBy::Server } else { EndedBy::Client };
            return tally.message(last, ended_by);
        }
        let _ = (last, frames, is_server_first);
        Vec::new()
    }

    /// Creates a WebSocket that echoes every message, also an exit.
    #[cfg(feature = "rooms")]
    pub(super) fn without_exit(config: Arc<Http>, now: Instant) -> Self {
        Self { data: DataFrames::new(None).without_exit(), ..Self::new(config, None, now) }
    }

    /// Returns the length of the first frame in the input, or of its part in it.
    #[cfg(feature = "rooms")]
    pub(super) fn frame_len(&self, input: &[u8]) -> usize {
        self.data.frame_len(input)
    }

    /// Returns whether a part of a message has been echoed.
    #[cfg(feature = "rooms")]
    pub(super) fn is_in_message(&self) -> bool {
        self.data.is_in_message()
    }

    /// Returns whether a close frame has been sent.
    #[cfg(feature = "rooms")]
    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Closes for this reason, and returns the close frame. Nothing was echoed, so it is in no other frame.
    #[cfg(feature = "rooms")]
    pub(super) fn close(&mut self, reason: Closing) -> Vec<u8> {
        self.begin_close(reason);
        match reason {
            Closing::Exit => close_frame(Code::Normal, ""),
            Closing::Drain | Closing::Fault => {
                close_frame(Code::GoingAway, "the server shuts down")
            }
        }
    }

    /// Takes frames until the input ends, or one needs a reply.
    fn take_frames(
        &mut self,
        input: &mut [u8],
        progress: &mut Progress,
    ) -> Result<Option<Reply>, Violation> {
        let max = self.config.max_message;
        loop {
            if self.data.is_in_frame() {
                self.data.stream(max, input, progress)?;
                if let Some(opcode) = progress.exit {
                    return Ok(Some(self.answer_exit(opcode, progress.frames)));
                }
                if progress.is_share_used() {
                    return Ok(Some(Reply { bytes: (&b""[..]).into(), next: Next::Pause }));
                }
                if !self.data.is_in_message() {
                    self.messages += 1;
                }
            }
            if self.fault.is_some()
                && let Some(reply) = self.close_by_fault(progress)
            {
                return Ok(Some(reply));
            }
            if self.is_draining && !self.data.is_in_message() {
                return Ok(Some(self.go_away(progress.frames)));
            }
            let header = Header::parse(&input[progress.read..]);
            let Some(header) = header.map_err(|rule| (Code::ProtocolError, rule))? else {
                return Ok(None);
            };
            if header.opcode.is_control() {
                let Some(payload) = complete(input, progress, header) else { return Ok(None) };
                if let Some(reply) = self.answer_control(header.opcode, payload, progress.frames)? {
                    return Ok(Some(reply));
                }
                continue;
            }
            match self.data.begin(header, max, input, progress)? {
                Begun::Held => return Ok(None),
                Begun::Streaming => {}
                Begun::Exit => {
                    return Ok(Some(self.answer_exit(header.opcode, progress.frames)));
                }
            }
        }
    }

    /// Returns the reply to a control frame, if it needs one.
    fn answer_control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        frames: isize,
    ) -> Result<Option<Reply>, Violation> {
        Ok(match opcode {
            Opcode::Ping => Some(Reply {
                bytes: short_frame(Opcode::Pong, payload).into(),
                next: Next::Continue,
            }),
            Opcode::Close => {
                check_close(payload)?;
                let answer = match self.closing {
                    None => {
                        let mut bytes = self.receipt(b"", frames, false);
                        bytes.extend(short_frame(Opcode::Close, payload));
                        bytes
                    }
                    Some(_) => Vec::new(),
                };
                let reason = self.closing.map_or(Reason::Complete, Reason::from);
                Some(Reply { bytes: answer.into(), next: Next::Close(reason) })
            }
            _ => None,
        })
    }

    /// Answers an exit, with a message of the same type.
    fn answer_exit(&mut self, opcode: Opcode, frames: isize) -> Reply {
        let goodbye = goodbye(Newline::None);
        let mut bytes = short_frame(opcode, goodbye);
        bytes.extend(self.receipt(goodbye, frames, false));
        bytes.extend(close_frame(Code::Normal, ""));
        self.begin_close(Closing::Exit);
        Reply { bytes: bytes.into(), next: Next::Continue }
    }

    /// Closes because the server drains.
    fn go_away(&mut self, frames: isize) -> Reply {
        let mut bytes = self.receipt(b"", frames, true);
        self.begin_close(Closing::Drain);
        bytes.extend(close_frame(Code::GoingAway, "the server shuts down"));
        Reply { bytes: bytes.into(), next: Next::Continue }
    }

    /// Closes with the code of a fault, if that is due.
    #[cold]
    fn close_by_fault(&mut self, progress: &Progress) -> Option<Reply> {
        let fault = self.fault.as_mut().filter(|_| !self.data.is_in_message())?;
        let offset = self.echoed + progress.echo as u64;
        let code = fault.take_code(offset, self.messages, self.last_activity)?;
        let mut bytes = self.receipt(b"", progress.frames, true);
        self.begin_close(Closing::Fault);
        bytes.extend(faulty_close_frame(code));
        Some(Reply { bytes: bytes.into(), next: Next::Continue })
    }

    /// From now on, only the close frame of the peer has a meaning.
    fn begin_close(&mut self, reason: Closing) {
        self.closing = Some(reason);
        self.is_draining = false;
        self.data.clear();
    }

    /// Discards everything except the close frame of the peer.
    fn discard(
        &mut self,
        input: &mut [u8],
        progress: &mut Progress,
    ) -> Result<Option<Reply>, Violation> {
        loop {
            self.data.discard(input, progress);
            if self.data.is_in_frame() {
                return Ok(None);
            }
            let header = Header::parse(&input[progress.read..]);
            let Some(header) = header.map_err(|rule| (Code::ProtocolError, rule))? else {
                return Ok(None);
            };
            if header.opcode == Opcode::Close {
                let Some(payload) = complete(input, progress, header) else { return Ok(None) };
                return self.answer_control(Opcode::Close, payload, 0);
            }
            self.data.begin_discarded(header, progress);
        }
    }

    fn ping_interval(&self) -> Option<Duration> {
        if self.closing.is_some() { Some(limits::CLOSE_TIMEOUT) } else { self.config.ping_interval }
    }
}

impl ProtocolHandler for WebSocket {
    fn set_faults(&mut self, faults: Option<&FaultPlan>) {
        #[cfg(feature = "receipt")]
        if let Some(tally) = &mut self.data.tally {
            tally.faults = faults.map(FaultPlan::id);
        }
        if faults.is_some() || self.fault.is_some() {
            self.fault.get_or_insert_default().plan = faults.cloned();
        }
    }

    fn take_injected_fault(&mut self) -> Option<InjectedFault> {
        self.fault.as_mut()?.injected.take()
    }

    fn receive(&mut self, input: &mut [u8], now: Instant) -> Step {
        if self.closing.is_none() {
            self.last_activity = now;
            self.awaits_pong = false;
        }
        let mut progress = Progress::default();
        let taken = if self.closing.is_some() {
            self.discard(input, &mut progress)
        } else {
            self.take_frames(input, &mut progress)
        };
        let reply = match taken {
            Ok(reply) => reply,
            Err((code, rule)) => {
                // Inside of a frame there is no place for a close frame.
                let has_place = !self.data.is_in_frame() && self.closing.is_none();
                let bytes = if has_place { close_frame(code, rule) } else { Vec::new() };
                Some(Reply { bytes: bytes.into(), next: Next::Close(Reason::Violation(rule)) })
            }
        };
        let Progress { read: consumed, echo, logged, frames: messages, .. } = progress;
        #[cfg(feature = "receipt")]
        if let Some(tally) = &mut self.data.tally {
            tally.add_frames(messages);
        }
        self.echoed += echo as u64;
        self.logged = u32::try_from(logged.max(echo)).unwrap_or(u32::MAX);
        Step { consumed, echo, messages, reply }
    }

    fn splitter(&self) -> Splitter {
        Splitter::websocket()
    }

    fn logged(&self) -> usize {
        self.logged as usize
    }

    fn recorded_as(&self) -> Option<&'static str> {
        Some("websocket")
    }

    fn is_websocket(&self) -> bool {
        true
    }

    fn echo(&self) -> Option<(Format, EchoPlace)> {
        let format = Format::WebSocket { is_compressed: self.data.is_compressed() };
        let is_in_message = self.data.is_in_message();
        let place = EchoPlace { offset: self.echoed, messages: self.messages, is_in_message };
        Some((format, place))
    }

    fn unfinished_messages(&self) -> isize {
        isize::from(self.data.is_in_frame())
    }

    /// A peer ends a WebSocket with a close frame.
    fn deadline(&self) -> Option<Instant> {
        self.last_activity.checked_add(self.ping_interval()?)
    }

    fn expire(&mut self, now: Instant) -> Reply {
        let silent =
            |rule| Reply { bytes: (&b""[..]).into(), next: Next::Close(Reason::Timeout(rule)) };
        if let Some(reason) = self.closing {
            return Reply { bytes: (&b""[..]).into(), next: Next::Close(reason.into()) };
        }
        if self.awaits_pong {
            return silent("no answer to a ping");
        }
        self.last_activity = now;
        self.awaits_pong = true;
        // Inside of a frame there is no place for a ping; the payload that is due takes its part.
        let ping =
            if self.data.is_in_frame() { Vec::new() } else { short_frame(Opcode::Ping, b"") };
        Reply { bytes: ping.into(), next: Next::Continue }
    }

    fn drain(&mut self, now: Instant) -> Option<Reply> {
        if self.closing.is_some() {
            return None;
        }
        if self.data.is_in_message() {
            self.is_draining = true;
            return None;
        }
        self.last_activity = now;
        Some(self.go_away(0))
    }

    fn end(&mut self, cause: EndCause, _now: Instant) -> Cow<'static, [u8]> {
        let has_place = !self.data.is_in_frame() && self.closing.is_none();
        let close = match cause {
            EndCause::IdleTimeout if has_place => close_frame(Code::GoingAway, "idle for too long"),
            #[cfg(feature = "login")]
            EndCause::UserRemoved if has_place => close_frame(Code::Policy, "the user was removed"),
            _ => return Cow::Borrowed(b""),
        };
        let mut bytes = self.receipt(b"", 0, true);
        bytes.extend(close);
        bytes.into()
    }
}
