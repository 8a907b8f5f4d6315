//! The header of a frame (RFC 6455, section 5.2).

/// Maximum length of the payload of a control frame, in bytes.
pub(super) const MAX_CONTROL: u64 = 125;

/// The type of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// The header of a frame of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) is_final: bool,
    /// The message is compressed (RFC 7692, section 6).
    pub(super) is_compressed: bool,
    pub(super) opcode: Opcode,
    /// Length of the payload.
    pub(super) payload: u64,
    pub(super) mask: [u8; 4],
    /// Length of this header.
    pub(super) len: usize,
}

impl Opcode {
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn parse(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }
}

impl Header {
    /// Parses the header at the beginning of `bytes`. `None`: it is not complete.
    ///
    /// # Errors
    ///
    /// If no client may send it, whatever follows.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let opcode = Opcode::parse(first & 0x0f).ok_or("a frame with a reserved opcode")?;
        let is_final = first & 0x80 != 0;
        if first & 0x30 != 0 {
            return Err("a frame with a reserved bit");
        }
        if second & 0x80 == 0 {
            return Err("a frame that is not masked");
        }
        let short = u64::from(second & 0x7f);
        if opcode.is_control() && (!is_final || short > MAX_CONTROL) {
            return Err("a control frame that is fragmented or too long");
        }
        let is_compressed = first & 0x40 != 0;
        if opcode.is_control() && is_compressed {
            return Err("a control frame with a reserved bit");
        }
        let (payload, extra) = match short {
            126 => {
                let Some(length) = rest.first_chunk() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*length)), 2)
            }
            127 => {
                let Some(length) = rest.first_chunk() else { return Ok(None) };
                (u64::from_be_bytes(*length), 8)
            }
            short => (short, 0),
        };
        if payload > i64::MAX as u64
            || (extra == 2 && payload < 126)
            || (extra == 8 && payload <= 0xffff)
        {
            return Err("a frame with an invalid length");
        }
        let Some(&mask) = rest[extra..].first_chunk() else { return Ok(None) };
        Ok(Some(Self { is_final, is_compressed, opcode, payload, mask, len: 2 + extra + 4 }))
    }

    /// Writes the header of the same frame from the server, which has no mask, to the beginning of `bytes`. Returns its
    /// length, four bytes less than that of the client's.
    pub(super) fn write(&self, bytes: &mut [u8]) -> usize {
        let flags = u8::from(self.is_final) << 7 | u8::from(self.is_compressed) << 6;
        bytes[0] = flags | self.opcode.bits();
        let payload = self.payload.to_be_bytes();
        match self.payload {
            short @ ..126 => {
                bytes[1] = short.to_le_bytes()[0];
                2
            }
            126..=0xffff => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&payload[6..]);
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&payload);
                10
            }
        }
    }
}

/// Returns a frame of the server with a payload of at most 125 bytes.
pub(super) fn short_frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    debug_assert!(payload.len() as u64 <= MAX_CONTROL, "the length has one byte");
    let mut frame = vec![0x80 | opcode.bits(), payload.len().to_le_bytes()[0]];
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
        Header::parse(bytes)
    }

    #[test]
    fn a_header_is_parsed_when_it_is_complete_and_written_without_its_mask() {
        let frames: [(&[u8], u64, &[u8]); 4] = [
            (&[0x81, 0x85, 1, 2, 3, 4], 5, &[0x81, 5]),
            (&[0x02, 0xfe, 0, 126, 1, 2, 3, 4], 126, &[0x02, 126, 0, 126]),
            (&[0x80, 0xfe, 0xff, 0xff, 1, 2, 3, 4], 0xffff, &[0x80, 126, 0xff, 0xff]),
            (
                &[0xc2, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4],
                0x10000,
                &[0xc2, 127, 0, 0, 0, 0, 0, 1, 0, 0],
            ),
        ];
        for (client, payload, server) in frames {
            for at in 0..client.len() {
                assert_eq!(parse(&client[..at]), Ok(None));
            }
            let header = parse(client).unwrap().unwrap();
            assert_eq!(
                (header.payload, header.mask, header.len),
                (payload, [1, 2, 3, 4], client.len())
            );
            let mut written = [0; 14];
            let len = header.write(&mut written);
            assert_eq!(&written[..len], server);
            assert_eq!(len, header.len - 4);
        }
    }

    #[test]
    fn a_header_that_no_client_may_send_is_an_error() {
        for bytes in [
            &[0x83, 0x80][..],
            &[0x8f, 0x80],
            &[0xa1, 0x80],
            &[0x91, 0x80],
            &[0x81, 0x05],
            &[0x09, 0x80],
            &[0x88, 0xfe],
            &[0xc8, 0x80],
            &[0xc9, 0x80],
            &[0xca, 0x80],
            &[0x81, 0xfe, 0, 125],
            &[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            &[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(parse(bytes).is_err(), "{bytes:x?}");
        }
    }
}
