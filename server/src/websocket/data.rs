//! The data frames of a client: their order, their payload on its way to the echo, and what it must not be.

use common::utf8::Utf8;

#[cfg(feature = "receipt")]
use super::receipt::PayloadTally;
use super::{
    close::Code,
    deflate::{Deflate, InflateError, Inflater},
    frame::{Header, Opcode},
    mask::unmask,
    progress::{Message, Progress, Streaming, is_text_so_far, may_be_exit, take_exit},
};

pub(super) const NOT_UTF8: &str = "a text that is not UTF-8";

/// Bytes of a compressed payload that are inflated at a time. They inflate to 264 KB at most.
const COMPRESSED: usize = 256;

/// The peer broke a rule: the code of the close, and the rule.
pub(super) type Violation = (Code, &'static str);

/// Receives data frames.
#[derive(Debug)]
pub(super) struct DataFrames {
    /// The payload of a data frame whose first bytes have been echoed.
    streaming: Option<Streaming>,
    /// The message of which a fragment has arrived, and not the last one.
    message: Option<Message>,
    inflater: Option<Box<Inflater>>,
    /// A message may be an exit, which is not echoed.
    has_exit: bool,
    /// The payload so far. `None`: there is no receipt, or it has been sent.
    #[cfg(feature = "receipt")]
    pub(super) tally: Option<Box<PayloadTally>>,
}

/// The state of a frame whose header has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// More of it must arrive before its echo begins.
    Held,
    Streaming,
    /// It is an exit.
    Exit,
}

impl DataFrames {
    pub(super) fn new(deflate: Option<Deflate>) -> Self {
        Self {
            streaming: None,
            message: None,
            inflater: deflate.map(|deflate| Box::new(Inflater::new(deflate))),
            has_exit: true,
            #[cfg(feature = "receipt")]
            tally: None,
        }
    }

    /// Echoes a message whatever it says.
    #[cfg(feature = "rooms")]
    pub(super) fn without_exit(mut self) -> Self {
        self.has_exit = false;
        self
    }

    /// Returns the length of the first frame in the input, or of its part in it.
    #[cfg(feature = "rooms")]
    pub(super) fn frame_len(&self, input: &[u8]) -> usize {
        let len = match (self.streaming, Header::parse(input)) {
            (Some(streaming), _) => streaming.left,
            (None, Ok(Some(header))) => header.payload.saturating_add(header.len as u64),
            (None, _) => return input.len(),
        };
        usize::try_from(len).map_or(input.len(), |len| len.min(input.len()))
    }

    /// Returns whether a part of a frame has been echoed, so that no other frame has a place.
    pub(super) fn is_in_frame(&self) -> bool {
        self.streaming.is_some()
    }

    /// Returns whether a message may be compressed.
    pub(super) fn is_compressed(&self) -> bool {
        self.inflater.is_some()
    }

    /// Returns whether a part of a message has been echoed.
    pub(super) fn is_in_message(&self) -> bool {
        self.streaming.is_some() || self.message.is_some()
    }

    /// Begins the frame with this header.
    pub(super) fn begin(
        &mut self,
        header: Header,
        max: u64,
        input: &mut [u8],
        progress: &mut Progress,
    ) -> Result<Begun, Violation> {
        let message = self.continue_message(header, max)?;
        let arrived = input.len() - progress.read - header.len;
        let may_be_exit = self.has_exit && may_be_exit(header);
        // With the first bytes of the payload, a wrong one may still be answered by a close frame.
        let needed = if may_be_exit { header.payload } else { header.payload.min(1) };
        if (arrived as u64) < needed {
            let is_text = header.opcode == Opcode::Text && !header.is_compressed;
            return if !is_text || is_text_so_far(&input[progress.read..], header) {
                Ok(Begun::Held)
            } else {
                Err((Code::InvalidPayload, NOT_UTF8))
            };
        }
        if may_be_exit && !header.is_compressed && take_exit(input, progress, header) {
            #[cfg(feature = "receipt")]
            if let Some(tally) = &mut self.tally {
                tally.begin_exit();
                let exit = usize::try_from(header.payload).unwrap_or_default();
                tally.update(&input[progress.logged - exit..progress.logged]);
            }
            return Ok(Begun::Exit);
        }
        #[cfg(feature = "receipt")]
        if let Some(tally) = self.tally.as_mut().filter(|_| may_be_exit && header.is_compressed) {
            tally.begin_exit();
        }
        self.message = Some(message);
        progress.header_at = Some(progress.echo);
        progress.echo += header.write(&mut input[progress.echo..]);
        progress.read += header.len;
        let Header { payload: left, mask, is_final, .. } = header;
        self.streaming = Some(Streaming { left, mask, is_final, may_be_exit });
        Ok(Begun::Streaming)
    }

    /// Returns the message that a frame begins or continues.
    fn continue_message(&self, header: Header, max: u64) -> Result<Message, Violation> {
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
                utf8: Utf8::default(),
                len: 0,
            },
        };
        if header.is_compressed && self.inflater.is_none() {
            return rule("a frame with a reserved bit");
        }
        message.len = message.len.saturating_add(header.payload);
        if message.len > max {
            return Err((Code::MessageTooBig, "a message over the limit"));
        }
        Ok(message)
    }

    /// Moves the payload of the present frame to the echo, as far as it has arrived. A compressed one stops earlier if the
    /// step has inflated its share, unless it may be an exit, which ends in the step in which it begins.
    pub(super) fn stream(
        &mut self,
        max: u64,
        input: &mut [u8],
        progress: &mut Progress,
    ) -> Result<(), Violation> {
        while let (Some(streaming), Some(message)) = (self.streaming, self.message) {
            let arrived = input.len() - progress.read;
            let part = if message.is_compressed { arrived.min(COMPRESSED) } else { arrived };
            self.stream_part(
                streaming,
                message,
                max,
                &mut input[..progress.read + part],
                progress,
            )?;
            let is_share_used = progress.is_share_used() && !streaming.may_be_exit;
            if progress.read == input.len() || is_share_used {
                break;
            }
        }
        Ok(())
    }

    fn stream_part(
        &mut self,
        mut streaming: Streaming,
        mut message: Message,
        max: u64,
        input: &mut [u8],
        progress: &mut Progress,
    ) -> Result<(), Violation> {
        let arrived = input.len() - progress.read;
        let here = usize::try_from(streaming.left).map_or(arrived, |left| left.min(arrived));
        streaming.mask = unmask(input, progress.read, progress.echo, here, streaming.mask);
        streaming.left -= here as u64;
        let is_frame_complete = streaming.left == 0;
        let is_message_complete = is_frame_complete && streaming.is_final;
        let payload = &input[progress.echo..progress.echo + here];
        let checked =
            self.check(&mut message, max, payload, is_message_complete, &mut progress.inflated);
        progress.read += here;
        self.streaming = (!is_frame_complete).then_some(streaming);
        let is_exit = match checked {
            Ok(is_exit) => is_exit && streaming.may_be_exit,
            Err(violation) => {
                // If nothing of the frame is sent, a close frame has its place.
                self.streaming = Some(streaming).filter(|_| progress.header_at.is_none());
                progress.echo = progress.header_at.unwrap_or(progress.echo);
                return Err(violation);
            }
        };
        progress.echo += here;
        if let Some(at) = progress.header_at.filter(|_| is_exit) {
            progress.logged = progress.echo;
            progress.echo = at;
            progress.exit = Some(if message.is_text { Opcode::Text } else { Opcode::Binary });
        }
        #[cfg(feature = "receipt")]
        if let Some(tally) = self.tally.as_mut().filter(|_| is_message_complete && !is_exit) {
            tally.cancel_exit();
        }
        progress.frames += isize::from(is_frame_complete);
        self.message = (!is_message_complete).then_some(message);
        Ok(())
    }

    /// Checks the next bytes of a message, and adds what they inflate to. Returns whether it is compressed and an exit.
    fn check(
        &mut self,
        message: &mut Message,
        max: u64,
        payload: &[u8],
        is_end: bool,
        total: &mut usize,
    ) -> Result<bool, Violation> {
        let Message { is_text, is_compressed, utf8, .. } = message;
        #[cfg(feature = "receipt")]
        let mut tally = self.tally.as_deref_mut();
        let mut check = |bytes: &[u8]| {
            #[cfg(feature = "receipt")]
            if let Some(tally) = &mut tally {
                tally.update(bytes);
            }
            !*is_text || utf8.check(bytes)
        };
        let checked = match &mut self.inflater {
            Some(inflater) if *is_compressed => {
                let mut check = |bytes: &[u8]| {
                    *total += bytes.len();
                    check(bytes)
                };
                let so_far = inflater.inflate(payload, max, &mut check);
                let end = |()| if is_end { inflater.end(max, &mut check) } else { Ok(false) };
                so_far.and_then(end)
            }
            _ if check(payload) => Ok(false),
            _ => Err(InflateError::Refused),
        };
        if checked.is_ok() && is_end && *is_text && !utf8.end() {
            return Err((Code::InvalidPayload, NOT_UTF8));
        }
        checked.map_err(explain)
    }

    /// Begins a frame that [`discard`](Self::discard) consumes.
    pub(super) fn begin_discarded(&mut self, header: Header, progress: &mut Progress) {
        progress.read += header.len;
        let Header { payload: left, mask, is_final, .. } = header;
        self.streaming = Some(Streaming { left, mask, is_final, may_be_exit: false });
    }

    /// Discards the payload of the present frame, as far as it has arrived.
    pub(super) fn discard(&mut self, input: &[u8], progress: &mut Progress) {
        let Some(streaming) = &mut self.streaming else { return };
        let arrived = input.len() - progress.read;
        let here = usize::try_from(streaming.left).map_or(arrived, |left| left.min(arrived));
        streaming.left -= here as u64;
        progress.read += here;
        if streaming.left == 0 {
            self.streaming = None;
        }
    }

    /// Forgets the present frame and message.
    pub(super) fn clear(&mut self) {
        (self.message, self.streaming) = (None, None);
    }
}

fn explain(error: InflateError) -> Violation {
    match error {
        InflateError::Refused => (Code::InvalidPayload, NOT_UTF8),
        InflateError::TooBig => (Code::MessageTooBig, "a compressed message over the limit"),
        InflateError::Invalid => (Code::InvalidPayload, "a message that cannot be inflated"),
    }
}
