//! Where the messages of an echo end.

use common::frame::PREFIX_LEN;

/// The longest header of a WebSocket frame without a mask.
const LONGEST_HEADER: usize = 10;

/// What separates the messages of an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Each ends with a newline.
    Lines,
    /// Each has its length in front of it, as in the protocol `length`.
    Frames,
    /// Each is one frame of a WebSocket or several, which have no mask.
    WebSocket {
        /// The WebSocket has negotiated compression, whether or not a message uses it.
        is_compressed: bool,
    },
    /// Each echo of a read is one.
    Reads,
}

/// A place in an echo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EchoPlace {
    /// Number of bytes of the echo before it.
    pub(crate) offset: u64,
    /// Number of complete messages before it.
    pub(crate) messages: u64,
    /// A part of a message precedes it.
    pub(crate) is_in_message: bool,
}

/// The boundaries of the messages in a stream that arrives in pieces.
#[derive(Debug)]
pub(super) struct Boundaries {
    format: Format,
    /// The header of the present frame, as far as it has arrived.
    header: [u8; LONGEST_HEADER],
    /// Number of its bytes that have arrived. It may be complete.
    arrived: usize,
    /// The header is complete, and so many bytes of its payload have not arrived.
    left: Option<u64>,
}

/// A part of a stream that belongs to one message, or to a frame between the parts of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Number of its bytes.
    pub(super) len: usize,
    pub(super) place: Place,
    /// It is the end of a frame.
    pub(super) ends_frame: bool,
    /// It is the end of a message.
    pub(super) ends_message: bool,
}

/// The place of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The byte of a WebSocket header with this index.
    Header {
        index: usize,
        is_last: bool,
    },
    Payload,
    /// In a frame that belongs to no message.
    Control,
}

impl Boundaries {
    pub(super) fn new(format: Format) -> Self {
        Self { format, header: [0; LONGEST_HEADER], arrived: 0, left: None }
    }

    /// Returns whether frames of this stream have headers that can be masked.
    pub(super) fn is_websocket(&self) -> bool {
        matches!(self.format, Format::WebSocket { .. })
    }

    /// Returns whether a message can depend on those before it.
    pub(super) fn is_compressed(&self) -> bool {
        self.format == Format::WebSocket { is_compressed: true }
    }

    /// Returns the part at the beginning of the next bytes of the stream, of which there is at least one.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Part {
        let whole =
            |len, ends| Part { len, place: Place::Payload, ends_frame: ends, ends_message: ends };
        match self.format {
            Format::Reads => whole(bytes.len(), true),
            Format::Lines => {
                let newline = memchr::memchr(b'\n', bytes);
                whole(newline.map_or(bytes.len(), |at| at + 1), newline.is_some())
            }
            Format::Frames => {
                let (len, is_end) = self.next_in_frame(bytes, |header| {
                    let header = header.first_chunk::<PREFIX_LEN>()?;
                    Some(u64::from(u32::from_be_bytes(*header)))
                });
                whole(len, is_end)
            }
            Format::WebSocket { .. } => self.next_websocket(bytes),
        }
    }

    fn next_websocket(&mut self, bytes: &[u8]) -> Part {
        let is_header = self.left.is_none();
        let index = self.arrived;
        let (len, ends_frame) = self.next_in_frame(bytes, payload_len);
        let first = self.header[0];
        let is_control = first & 0x08 != 0;
        let place = match (is_control, is_header) {
            (true, _) => Place::Control,
            // A frame without payload ends with its header.
            (_, true) => Place::Header { index, is_last: ends_frame || self.left.is_some() },
            (_, false) => Place::Payload,
        };
        let is_final = first & 0x80 != 0;
        Part { len, place, ends_frame, ends_message: ends_frame && is_final && !is_control }
    }

    /// Takes the next byte of a header, or bytes of a payload. Returns their number, and whether the frame ends with them.
    fn next_in_frame(
        &mut self,
        bytes: &[u8],
        payload_len: fn(&[u8]) -> Option<u64>,
    ) -> (usize, bool) {
        let len = match self.left {
            None => {
                if let (Some(place), Some(&byte)) =
                    (self.header.get_mut(self.arrived), bytes.first())
                {
                    *place = byte;
                }
                self.arrived += 1;
                self.left = payload_len(&self.header[..self.arrived.min(LONGEST_HEADER)]);
                1
            }
            Some(left) => {
                let len = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.left = Some(left - len as u64);
                len
            }
        };
        let is_end = self.left == Some(0);
        if is_end {
            (self.arrived, self.left) = (0, None);
        }
        (len, is_end)
    }
}

/// Returns the length of the payload behind a header of a WebSocket frame. `None`: it is not complete.
fn payload_len(header: &[u8]) -> Option<u64> {
    let (&[_, second], rest) = header.split_first_chunk()?;
    match second & 0x7f {
        126 => rest.first_chunk().map(|len| u16::from_be_bytes(*len).into()),
        127 => rest.first_chunk().map(|len| u64::from_be_bytes(*len)),
        short => Some(short.into()),
    }
}
