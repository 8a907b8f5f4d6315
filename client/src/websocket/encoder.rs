//! Encoder of the frames of a client, which are masked.

use super::masks::{Masks, mask};

/// Type of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    /// Fragment of a message, except its first.
    Continuation = 0,
    /// Message that is UTF-8.
    Text = 1,
    /// Message of bytes.
    Binary = 2,
    /// Last frame of a direction.
    Close = 8,
    /// Question to which the answer is a pong.
    Ping = 9,
    /// Answer to a ping.
    Pong = 10,
}

/// Encoder of one connection, with the state of a frame whose payload is not complete.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    masks: Masks,
    key: [u8; 4],
    /// Number of bytes of the frame's payload that were encoded.
    offset: u64,
    /// Number of bytes that are still to be encoded.
    left: u64,
}

impl Encoder {
    /// Appends a whole frame.
    #[inline]
    pub(crate) fn frame(
        &mut self,
        output: &mut Vec<u8>,
        opcode: Opcode,
        is_final: bool,
        payload: &[u8],
    ) {
        self.begin(output, opcode, is_final, payload.len() as u64);
        self.continue_frame(output, payload);
    }

    /// Appends the header of a frame whose payload follows in any number of parts.
    #[inline]
    pub(crate) fn begin(
        &mut self,
        output: &mut Vec<u8>,
        opcode: Opcode,
        is_final: bool,
        payload: u64,
    ) {
        debug_assert_eq!(self.left, 0, "the previous frame is complete");
        let final_bit = if is_final { 0x80 } else { 0 };
        output.push(final_bit | opcode as u8);
        match payload {
            0..=125 => output.push(0x80 | payload.to_be_bytes()[7]),
            126..=0xffff => {
                output.push(0x80 | 0x7e);
                output.extend_from_slice(&payload.to_be_bytes()[6..]);
            }
            _ => {
                output.push(0x80 | 0x7f);
                output.extend_from_slice(&payload.to_be_bytes());
            }
        }
        self.key = self.masks.next();
        output.extend_from_slice(&self.key);
        (self.offset, self.left) = (0, payload);
    }

    /// Appends the next part of the payload.
    #[inline]
    pub(crate) fn continue_frame(&mut self, output: &mut Vec<u8>, part: &[u8]) {
        let start = output.len();
        output.extend_from_slice(part);
        mask(&mut output[start..], self.key, self.offset);
        self.offset += part.len() as u64;
        self.left -= part.len() as u64;
    }

    /// Returns how much of the payload of the current frame is missing.
    #[inline]
    pub(crate) fn missing(&self) -> u64 {
        self.left
    }

    /// Returns the key of a handshake: sixteen random bytes.
    pub(super) fn nonce(&mut self) -> [u8; 16] {
        self.masks.nonce()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_the_shortest_length_and_a_masked_payload_in_any_number_of_parts() {
        for (len, header) in [
            (0, &[0x82, 0x80][..]),
            (125, &[0x82, 0xfd]),
            (126, &[0x82, 0xfe, 0, 126]),
            (65_535, &[0x82, 0xfe, 0xff, 0xff]),
            (65_536, &[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let payload: Vec<u8> = (0..=250).cycle().take(len).collect();
            let (mut encoder, mut output) = (Encoder::default(), Vec::new());
            encoder.begin(&mut output, Opcode::Binary, true, len as u64);
            for part in payload.chunks(1001) {
                encoder.continue_frame(&mut output, part);
            }
            assert_eq!(encoder.missing(), 0);
            let (found, rest) = output.split_at(header.len());
            assert_eq!(found, header);
            let (key, masked) = rest.split_first_chunk().unwrap();
            let mut unmasked = masked.to_vec();
            mask(&mut unmasked, *key, 0);
            assert!(unmasked == payload, "{len} bytes");
        }
    }
}
