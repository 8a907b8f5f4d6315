//! Buffer that splits bytes into lines.

/// Buffer for an incomplete line.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    partial: Vec<u8>,
}

impl LineBuffer {
    /// Adds bytes; returns the lines that are complete now, with their newlines.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                lines.push(std::mem::take(&mut self.partial));
            }
        }
        lines
    }

    /// Returns the length of the incomplete line.
    pub(super) fn partial_len(&self) -> usize {
        self.partial.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_lines_in_any_pieces() {
        let text = b"one\n\ntwo\nrest";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut buffer = LineBuffer::default();
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                let lines = pieces.map(|piece| buffer.push(piece)).concat();
                assert_eq!(lines, [&b"one\n"[..], b"\n", b"two\n"], "{first} {second}");
                assert_eq!(buffer.partial, b"rest");
            }
        }
    }
}
