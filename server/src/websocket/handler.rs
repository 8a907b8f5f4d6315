//! The WebSocket of one connection: which frames are echoed, answered or refused.
//!
//! The payload of a data frame is echoed as it arrives, so the length of a message costs no memory. A frame that may be an
//! exit, and a control frame, are held until they are complete, by not consuming them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    exit::{Newline, goodbye},
    message::Splitter,
    utf8::Utf8,
};

use super::{
    close::{Closing, Code, check_close, close_frame},
    deflate::{Deflate, InflateError, Inflater},
    frame::{Header, Opcode, short_frame},
    mask::unmask,
    progress::{Message, Progress, Streaming, complete, is_text_so_far, may_be_exit, take_exit},
};
use crate::{
    config::{Http, limits},
    session::{Attributes, Next, ProtocolHandler, Reason, Reply, Step},
};

/// A WebSocket after its handshake.
#[derive(Debug)]
pub(crate) struct WebSocket {
    config: Arc<Http>,
    /// The payload of a data frame whose first bytes have been echoed.
    streaming: Option<Streaming>,
    /// The message of which a fragment has arrived, and not the last one.
    message: Option<Message>,
    utf8: Utf8,
    inflater: Option<Box<Inflater>>,
    /// The time at which bytes last arrived, or at which the server last sent a ping.
    last_activity: Instant,
    /// The peer has sent nothing since the last ping.
    awaits_pong: bool,
    /// The server has sent a close frame, for this reason.
    closing: Option<Closing>,
    is_draining: bool,
    /// Bytes of the last step for the log: at most a read.
    logged: u32,
}

const NOT_UTF8: &str = "a text that is not UTF-8";

/// The peer broke a rule: the code of the close, and the rule.
type Violation = (Code, &'static str);

impl WebSocket {
    pub(crate) fn new(config: Arc<Http>, deflate: Option<Deflate>, now: Instant) -> Self {
        Self {
            config,
            streaming: None,
            message: None,
            utf8: Utf8::default(),
            inflater: deflate.map(|deflate| Box::new(Inflater::new(deflate))),
            last_activity: now,
            awaits_pong: false,
            closing: None,
            is_draining: false,
            logged: 0,
        }
    }

    /// Takes frames until the input ends, or one needs a reply.
    fn take_frames(
        &mut self,
        input: &mut [u8],
        progress: &mut Progress,
    ) -> Result<Option<Reply>, Violation> {
        loop {
            if self.streaming.is_some() {
                self.stream(input, progress)?;
            }
            if let Some(opcode) = progress.exit {
                return Ok(Some(self.say_goodbye(opcode)));
            }
            if self.is_draining && self.streaming.is_none() {
                return Ok(Some(self.close(
                    Code::GoingAway,
                    "the server shuts down",
                    Closing::Drain,
                )));
            }
            let rest = &input[progress.read..];
            let header = Header::parse(rest).map_err(|rule| (Code::ProtocolError, rule))?;
            let Some(header) = header else { return Ok(None) };
            if header.opcode.is_control() {
                let Some(payload) = complete(input, progress, header) else { return Ok(None) };
                if let Some(reply) = self.answer_control(header.opcode, payload)? {
                    return Ok(Some(reply));
                }
                continue;
            }
            let (arrived, before) = (rest.len() - header.len, self.message);
            self.begin_frame(header)?;
            let may_be_exit = may_be_exit(header);
            // With the first bytes of the payload, a wrong one may still be answered by a close frame.
            let needed = if may_be_exit { header.payload } else { header.payload.min(1) };
            if (arrived as u64) < needed {
                self.message = before;
                let is_text = header.opcode == Opcode::Text && !header.is_compressed;
                return if !is_text || is_text_so_far(rest, header) {
                    Ok(None)
                } else {
                    Err((Code::InvalidPayload, NOT_UTF8))
                };
            }
            if may_be_exit && !header.is_compressed && take_exit(input, progress, header) {
                return Ok(Some(self.say_goodbye(header.opcode)));
            }
            progress.header_at = Some(progress.echo);
            progress.echo += header.write(&mut input[progress.echo..]);
            progress.read += header.len;
            let Header { payload: left, mask, is_final, .. } = header;
            self.streaming = Some(Streaming { left, mask, is_final, may_be_exit });
        }
    }

    /// Checks a data frame against the message that it begins or continues.
    fn begin_frame(&mut self, header: Header) -> Result<(), Violation> {
        let rule = |rule| Err((Code::ProtocolError, rule));
        let mut message = match (self.message, header.opcode) {
            (None, Opcode::Continuation) => return rule("a continuation of no message"),
            (Some(_), Opcode::Text | Opcode::Binary) => {
                return rule("a new message inside another one");
            }
            (Some(_), _) if header.is_compressed => {
                return rule("a continuation with a reserved bit");
            }
            (Some(message), _) => message,
            (None, opcode) => Message {
                is_text: opcode == Opcode::Text,
                is_compressed: header.is_compressed,
                len: 0,
            },
        };
        if header.is_compressed && self.inflater.is_none() {
            return rule("a frame with a reserved bit");
        }
        message.len = message.len.saturating_add(header.payload);
        if message.len > self.config.max_message {
            return Err((Code::MessageTooBig, "a message over the limit"));
        }
        self.message = Some(message);
        Ok(())
    }

    /// Moves the payload of the present frame to the echo, as far as it has arrived.
    fn stream(&mut self, input: &mut [u8], progress: &mut Progress) -> Result<(), Violation> {
        let (Some(streaming), Some(message)) = (&mut self.streaming, self.message) else {
            return Ok(());
        };
        let arrived = input.len() - progress.read;
        let here = usize::try_from(streaming.left).map_or(arrived, |left| left.min(arrived));
        streaming.mask = unmask(input, progress.read, progress.echo, here, streaming.mask);
        streaming.left -= here as u64;
        let is_frame_complete = streaming.left == 0;
        let is_message_complete = is_frame_complete && streaming.is_final;
        let may_be_exit = streaming.may_be_exit;
        let payload = &input[progress.echo..progress.echo + here];
        let checked = self.check(message, payload, is_message_complete);
        progress.read += here;
        let is_exit = match checked {
            Ok(is_exit) => is_exit && may_be_exit,
            Err(violation) => {
                if let Some(at) = progress.header_at {
                    // Nothing of the frame is sent, so that a close frame has its place.
                    progress.echo = at;
                    self.streaming = None;
                }
                return Err(violation);
            }
        };
        progress.echo += here;
        if let Some(at) = progress.header_at.filter(|_| is_exit) {
            progress.logged = progress.echo;
            progress.echo = at;
            progress.exit = Some(if message.is_text { Opcode::Text } else { Opcode::Binary });
        }
        if is_frame_complete {
            progress.frames += 1;
            self.streaming = None;
        }
        if is_message_complete {
            self.message = None;
        }
        Ok(())
    }

    /// Checks the next bytes of a message. Returns whether it is compressed and an exit.
    fn check(&mut self, message: Message, payload: &[u8], is_end: bool) -> Result<bool, Violation> {
        let Self { utf8, inflater, config, .. } = self;
        let mut check = |bytes: &[u8]| !message.is_text || utf8.check(bytes);
        let mut is_exit = false;
        let is_valid = match inflater {
            Some(inflater) if message.is_compressed => {
                let max = config.max_message;
                let mut result = inflater.inflate(payload, max, &mut check);
                if result.is_ok() && is_end {
                    result = inflater.end(max, &mut check).map(|exit| is_exit = exit);
                }
                match result {
                    Ok(()) => true,
                    Err(InflateError::Refused) => false,
                    Err(InflateError::TooBig) => {
                        return Err((Code::MessageTooBig, "a compressed message over the limit"));
                    }
                    Err(InflateError::Invalid) => {
                        return Err((Code::InvalidPayload, "a message that cannot be inflated"));
                    }
                }
            }
            _ => check(payload),
        };
        if is_valid && (!is_end || !message.is_text || self.utf8.end()) {
            Ok(is_exit)
        } else {
            Err((Code::InvalidPayload, NOT_UTF8))
        }
    }

    /// Returns the reply to a control frame, if it needs one.
    fn answer_control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<Option<Reply>, Violation> {
        Ok(match opcode {
            Opcode::Ping => Some(Reply {
                bytes: short_frame(Opcode::Pong, payload).into(),
                next: Next::Continue,
            }),
            Opcode::Close => {
                check_close(payload)?;
                let answer = match self.closing {
                    None => short_frame(Opcode::Close, payload),
                    Some(_) => Vec::new(),
                };
                let reason = self.closing.map_or(Reason::Complete, Reason::from);
                Some(Reply { bytes: answer.into(), next: Next::Close(reason) })
            }
            _ => None,
        })
    }

    /// Answers an exit, with a message of the same type.
    fn say_goodbye(&mut self, opcode: Opcode) -> Reply {
        let mut bytes = short_frame(opcode, goodbye(Newline::None));
        bytes.extend(close_frame(Code::Normal, ""));
        self.begin_close(Closing::Exit);
        Reply { bytes: bytes.into(), next: Next::Continue }
    }

    fn close(&mut self, code: Code, reason: &str, because: Closing) -> Reply {
        self.begin_close(because);
        Reply { bytes: close_frame(code, reason).into(), next: Next::Continue }
    }

    /// From now on, only the close frame of the peer has a meaning.
    fn begin_close(&mut self, reason: Closing) {
        self.closing = Some(reason);
        self.is_draining = false;
        (self.message, self.streaming) = (None, None);
    }

    /// Discards everything except the close frame of the peer.
    fn discard(
        &mut self,
        input: &mut [u8],
        progress: &mut Progress,
    ) -> Result<Option<Reply>, Violation> {
        loop {
            if let Some(streaming) = &mut self.streaming {
                let arrived = input.len() - progress.read;
                let here =
                    usize::try_from(streaming.left).map_or(arrived, |left| left.min(arrived));
                streaming.left -= here as u64;
                progress.read += here;
                if streaming.left > 0 {
                    return Ok(None);
                }
                self.streaming = None;
            }
            let header = Header::parse(&input[progress.read..]);
            let Some(header) = header.map_err(|rule| (Code::ProtocolError, rule))? else {
                return Ok(None);
            };
            if header.opcode == Opcode::Close {
                let Some(payload) = complete(input, progress, header) else { return Ok(None) };
                return self.answer_control(Opcode::Close, payload);
            }
            progress.read += header.len;
            let Header { payload: left, mask, is_final, .. } = header;
            self.streaming = Some(Streaming { left, mask, is_final, may_be_exit: false });
        }
    }

    fn ping_interval(&self) -> Option<Duration> {
        if self.closing.is_some() { Some(limits::CLOSE_TIMEOUT) } else { self.config.ping_interval }
    }
}

impl ProtocolHandler for WebSocket {
    fn begin(&mut self, _attributes: &Attributes<'_>, _now: Instant) {}

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
                let has_place = self.streaming.is_none() && self.closing.is_none();
                let bytes = if has_place { close_frame(code, rule) } else { Vec::new() };
                Some(Reply { bytes: bytes.into(), next: Next::Close(Reason::Violation(rule)) })
            }
        };
        let Progress { read: consumed, echo, logged, frames: messages, .. } = progress;
        self.logged = u32::try_from(logged.max(echo)).unwrap_or(u32::MAX);
        Step { consumed, echo, messages, reply }
    }

    fn splitter(&self) -> Splitter {
        Splitter::websocket()
    }

    fn logged(&self) -> usize {
        self.logged as usize
    }

    fn unfinished_messages(&self) -> isize {
        isize::from(self.streaming.is_some())
    }

    /// A peer ends a WebSocket with a close frame.
    fn may_end(&self) -> bool {
        false
    }

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
            return silent("it answered no ping");
        }
        self.last_activity = now;
        self.awaits_pong = true;
        // Inside of a frame there is no place for a ping; the payload that is due takes its part.
        let ping =
            if self.streaming.is_none() { short_frame(Opcode::Ping, b"") } else { Vec::new() };
        Reply { bytes: ping.into(), next: Next::Continue }
    }

    fn drain(&mut self, now: Instant) -> Option<Reply> {
        if self.closing.is_some() {
            return None;
        }
        if self.streaming.is_some() {
            self.is_draining = true;
            return None;
        }
        self.last_activity = now;
        Some(self.close(Code::GoingAway, "the server shuts down", Closing::Drain))
    }
}
