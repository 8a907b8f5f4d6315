//! Messages: their size, and where one of them reads as an exit.

use common::exit::is_exit;

/// Maximum size of a message (16 MiB): it is held in memory, and has to return within a time limit that is
/// meant for a reply.
pub(crate) const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Exit as a line.
pub(crate) const EXIT_LINE: &[u8] = b"exit\n";

/// Splits a message at its first line that reads as an exit: returns the bytes before the line, and the
/// line with its newline. A server echoes nothing after it.
pub(crate) fn split_at_exit(message: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut start = 0;
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if is_exit(line) {
            return (&message[..start], Some(line));
        }
        start += line.len();
    }
    (message, None)
}

/// Returns the length of the longest common prefix.
pub(super) fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    let len = one.len().min(other.len());
    // Usually everything is equal, and the comparison of whole slices is by far the fastest.
    if one[..len] == other[..len] {
        return len;
    }
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_message_at_its_first_exit() {
        assert_eq!(split_at_exit(b"hello\n"), (&b"hello\n"[..], None));
        assert_eq!(split_at_exit(b"a\nEXIT\nb\n"), (&b"a\n"[..], Some(&b"EXIT\n"[..])));
    }
}
