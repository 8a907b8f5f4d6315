//! The place of a receipt in a stream: its last line, or its last frame.

use super::{
    document::Receipt,
    tally::{Tally, Total},
};
use crate::frame::{PREFIX_LEN, payload_len};

/// Maximum length of a receipt, in bytes: one with the largest numbers is shorter.
pub const MAX_RECEIPT: usize = 512;

/// The bytes that a client receives, of which the last may be a receipt.
///
/// ```
/// use common::receipt::{EndedBy, Receipt, StreamTally, Tally};
/// let mut echo = Tally::default();
/// echo.update(b"hello\n");
/// let receipt = Receipt::new(echo.total(), echo.total(), EndedBy::Client);
///
/// let mut stream = StreamTally::default();
/// stream.update(b"hello\n");
/// stream.update(format!("{receipt}\n").as_bytes());
/// let (before, found) = stream.finish(&echo.total()).unwrap();
/// assert_eq!((before, found), (echo.total(), receipt));
/// ```
#[derive(Clone, Debug, Default)]
pub struct StreamTally {
    /// The bytes that are too far from the end for a receipt.
    before: Tally,
    /// The last bytes.
    tail: Vec<u8>,
}

/// A stream that does not end with a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReceipt {
    /// Nothing at its end looks like one.
    #[error(
        "No receipt arrived: the listener needs the parameter receipt=on, and if it has it, the end of the stream was lost on the way back"
    )]
    Missing,
    /// Its end has a part of a receipt, or one with another SHA-256.
    #[error("Receipt: it arrived damaged, so bytes were lost, added or changed on the way back")]
    Damaged,
}

impl NoReceipt {
    /// Judges the last bytes of a stream, which are no receipt.
    #[must_use]
    pub fn of(tail: &[u8]) -> Self {
        let marks: [&[u8]; 3] = [b"\"receipt\":", b"\"sha256\":", b"\"messages\":"];
        let has = |mark: &[u8]| tail.windows(mark.len()).any(|window| window == mark);
        if marks.into_iter().any(has) { Self::Damaged } else { Self::Missing }
    }
}

impl StreamTally {
    /// Number of last bytes among which a receipt begins, with its prefix and the newline before it.
    const TAIL: usize = MAX_RECEIPT + PREFIX_LEN + 2;

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > 16 * Self::TAIL {
            let early = self.tail.len() - Self::TAIL;
            self.before.update(&self.tail[..early]);
            self.tail.drain(..early);
        }
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.before.bytes() + self.tail.len() as u64
    }

    /// Ends the stream of a client that has sent `sent`. Returns the total of the bytes before the receipt, and the receipt.
    ///
    /// A receipt that the client has sent as a message returns in the echo and is not taken for the server's.
    ///
    /// # Errors
    ///
    /// The stream does not end with a receipt, or all of it is the echo of what was sent.
    pub fn finish(mut self, sent: &Total) -> Result<(Total, Receipt), NoReceipt> {
        if self.bytes() == sent.bytes {
            let mut all = self.before.clone();
            all.update(&self.tail);
            if all.total().sha256 == sent.sha256 {
                return Err(NoReceipt::Missing);
            }
        }
        let Some((start, receipt)) = self.find() else {
            let last = self.tail.len().saturating_sub(2 * Self::TAIL);
            return Err(NoReceipt::of(&self.tail[last..]));
        };
        self.before.update(&self.tail[..start]);
        Ok((self.before.total(), receipt))
    }

    /// Returns the receipt at the end, and where it begins.
    fn find(&self) -> Option<(usize, Receipt)> {
        let Some(line) = self.tail.strip_suffix(b"\n") else { return self.find_frame() };
        let start = match line.iter().rposition(|&byte| byte == b'\n') {
            Some(newline) => newline + 1,
            None if self.before.bytes() == 0 => 0,
            None => return None,
        };
        Some((start, Receipt::parse(&line[start..]).ok()?))
    }

    fn find_frame(&self) -> Option<(usize, Receipt)> {
        let last = self.tail.len().checked_sub(PREFIX_LEN)?;
        let first = last.saturating_sub(MAX_RECEIPT);
        (first..last).find_map(|start| {
            let payload = &self.tail[start + PREFIX_LEN..];
            let is_frame =
                payload_len(&self.tail[start..]).map(|len| len as usize) == Some(payload.len());
            // A digit or a bracket in place of the object would make a search in numbers.
            if !is_frame || payload.first() != Some(&b'{') {
                return None;
            }
            Some((start, Receipt::parse(payload).ok()?))
        })
    }
}
