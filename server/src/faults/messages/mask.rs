//! The mask of one frame.

use super::boundaries::{Part, Place};

/// A frame of the server that gets a mask (RFC 6455, section 5.3).
#[derive(Debug)]
pub(super) struct Mask {
    key: [u8; 4],
    /// Bytes of the payload so far.
    at: usize,
    is_over: bool,
}

impl Mask {
    pub(super) fn new(key: [u8; 4]) -> Self {
        Self { key, at: 0, is_over: false }
    }

    /// Adds a part of the frame to `output`, with its mask. What follows the frame has none.
    pub(super) fn append(&mut self, part: Part, bytes: &[u8], output: &mut Vec<u8>) {
        match part.place {
            _ if self.is_over => output.extend_from_slice(bytes),
            Place::Control => return output.extend_from_slice(bytes),
            Place::Header { index, is_last } => {
                let bit = if index == 1 { 0x80 } else { 0 };
                output.extend(bytes.iter().map(|byte| byte | bit));
                if is_last {
                    output.extend_from_slice(&self.key);
                }
            }
            Place::Payload => {
                let key = self.key.iter().cycle().skip(self.at % 4);
                output.extend(bytes.iter().zip(key).map(|(byte, key)| byte ^ key));
                self.at += bytes.len();
            }
        }
        self.is_over |= part.ends_frame;
    }
}
