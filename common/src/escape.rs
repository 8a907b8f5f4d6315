//! A peer's bytes made safe to show.
//!
//! Whatever a peer sends, what is shown of it is one line of printable text: no control character
//! (C0, DEL, C1), no byte that is not UTF-8, no mark that changes the direction or the order in which
//! a terminal shows its neighbours, no character that is blank or invisible on its own. (Joiners and
//! variation selectors are shown: they are part of how words and pictures are written.) So nobody can
//! forge a log line, or reach the terminal of whoever reads it.

use std::fmt::{self, Write as _};

/// The most bytes of one message that a log line shows.
pub const MAX_SHOWN: usize = 1024;

/// Bytes for a terminal: printable text as it is, the rest as `\n`, `\x1b`, `\u{202e}`, `\xff`.
///
/// ```
/// use common::escape::Escaped;
/// assert_eq!(Escaped(b"caf\xc3\xa9 C:\\ \x1b[2J\xff").to_string(), r"café C:\ \x1b[2J\xff");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

/// A message for a log line: in quotes, at most [`MAX_SHOWN`] bytes of it and then how many more.
///
/// As [`Escaped`], and a backslash is doubled: a reader can tell an escape from a peer that typed
/// one, and recover the bytes that are shown.
///
/// ```
/// use common::escape::Quoted;
/// assert_eq!(Quoted(b"Hello, Server!").to_string(), "'Hello, Server!'");
/// assert_eq!(Quoted(b"a\\nb\n").to_string(), r"'a\\nb\n'");
/// let long = [b'x'; 2000];
/// assert!(Quoted(&long).to_string().ends_with("xxx' (976 more bytes)"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, self.0, false)
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = cut(self.0, MAX_SHOWN);
        f.write_char('\'')?;
        write_escaped(f, shown, true)?;
        f.write_char('\'')?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            1 => f.write_str(" (1 more byte)"),
            more => write!(f, " ({more} more bytes)"),
        }
    }
}

/// At most the first `most` bytes, without cutting a character in two.
fn cut(bytes: &[u8], most: usize) -> &[u8] {
    if bytes.len() <= most {
        return bytes;
    }
    // A UTF-8 character has at most three continuation bytes; more in a row are no character.
    let continues = |at: usize| bytes[at] & 0b1100_0000 == 0b1000_0000;
    let end = (most - 3..=most).rev().find(|&at| !continues(at)).unwrap_or(most);
    &bytes[..end]
}

fn write_escaped(f: &mut fmt::Formatter<'_>, bytes: &[u8], double: bool) -> fmt::Result {
    // Nearly every message is plain ASCII: one look at each byte, one write.
    let plain = |&byte: &u8| (b' '..=b'~').contains(&byte) && !(double && byte == b'\\');
    if bytes.iter().all(plain) {
        return f.write_str(str::from_utf8(bytes).expect("printable ASCII is UTF-8"));
    }
    for chunk in bytes.utf8_chunks() {
        write_text(f, chunk.valid(), double)?;
        for byte in chunk.invalid() {
            write_hex(f, *byte)?;
        }
    }
    Ok(())
}

/// Writes runs of what may be shown at once, and escapes between them.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str, double: bool) -> fmt::Result {
    let mut shown = 0;
    for (at, char) in text.char_indices() {
        if !(needs_escape(char) || (double && char == '\\')) {
            continue;
        }
        f.write_str(&text[shown..at])?;
        match char {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\\' => f.write_str("\\\\")?,
            other => match u8::try_from(other) {
                Ok(ascii @ 0..0x80) => write_hex(f, ascii)?,
                _ => write!(f, "\\u{{{:x}}}", u32::from(other))?,
            },
        }
        shown = at + char.len_utf8();
    }
    f.write_str(&text[shown..])
}

/// `\x1b`. By hand: where there is one such byte there are often many, and formatting is slow.
fn write_hex(f: &mut fmt::Formatter<'_>, byte: u8) -> fmt::Result {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    f.write_str("\\x")?;
    f.write_char(digit(byte >> 4))?;
    f.write_char(digit(byte & 0xf))
}

/// Whether a character could do anything but stand where it was written.
fn needs_escape(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // direction
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{3164}' // invisible
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{ffa0}' // invisible
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' // of shorthand, of music
            | '\u{fff0}'..='\u{fffb}' // annotations, and reserved for more that is invisible
            | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}' // tags, and as much
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a quoted message back, as the documentation says one can.
    fn unescape(quoted: &str) -> Vec<u8> {
        let mut rest = quoted.strip_prefix('\'').and_then(|q| q.strip_suffix('\'')).unwrap();
        let mut bytes = Vec::new();
        while let Some(char) = rest.chars().next() {
            rest = &rest[char.len_utf8()..];
            if char != '\\' {
                bytes.extend(char.to_string().bytes());
                continue;
            }
            let escape = rest.chars().next().unwrap();
            rest = &rest[1..];
            match escape {
                'n' => bytes.push(b'\n'),
                'r' => bytes.push(b'\r'),
                't' => bytes.push(b'\t'),
                '\\' => bytes.push(b'\\'),
                'x' => {
                    bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                    rest = &rest[2..];
                }
                'u' => {
                    let (hex, after) = rest[1..].split_once('}').unwrap();
                    let char = char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap();
                    bytes.extend(char.to_string().bytes());
                    rest = after;
                }
                other => panic!("unknown escape {other}"),
            }
        }
        bytes
    }

    #[test]
    fn what_could_forge_or_reach_the_terminal_is_escaped() {
        for (bytes, shown) in [
            (&b"a\r\n2024 - INFO - forged"[..], r"'a\r\n2024 - INFO - forged'"),
            (b"\x1b]0;title\x07", r"'\x1b]0;title\x07'"),
            ("\u{85}\u{9b}2J".as_bytes(), r"'\u{85}\u{9b}2J'"),
            (b"\x9b2J\x7f\0", r"'\x9b2J\x7f\x00'"),
            ("\u{202e}txt.exe\u{2066}".as_bytes(), r"'\u{202e}txt.exe\u{2066}'"),
            ("\u{2028}".as_bytes(), r"'\u{2028}'"),
            ("na\u{ef}ve \u{4f60}\u{597d}".as_bytes(), "'na\u{ef}ve \u{4f60}\u{597d}'"),
            (b"it's", "'it's'"),
        ] {
            assert_eq!(Quoted(bytes).to_string(), shown);
        }
    }

    /// Every character there is, against what Unicode says of it.
    #[test]
    fn what_unicode_calls_invisible_or_directing_is_escaped() {
        let harmful = regex::Regex::new(
            r"[\p{Control}\p{Zl}\p{Zp}\p{Bidi_Control}[\p{Default_Ignorable_Code_Point}--[\p{Join_Control}\u{34f}\p{Variation_Selector}]]]",
        )
        .unwrap();
        let missed: Vec<_> = (char::MIN..=char::MAX)
            .filter(|&char| harmful.is_match(char.encode_utf8(&mut [0; 4])) && !needs_escape(char))
            .collect();
        assert!(missed.is_empty(), "{missed:?}");
    }

    #[test]
    fn a_cut_never_halves_a_character() {
        for ascii in MAX_SHOWN - 4..=MAX_SHOWN {
            let mut text = "x".repeat(ascii);
            text.push_str("\u{1f600}\u{1f600}");
            let quoted = Quoted(text.as_bytes()).to_string();
            assert!(!quoted.contains("\\x"), "{quoted}");
        }
        let quoted = Quoted(&[0x80; MAX_SHOWN + 1]).to_string();
        assert!(quoted.ends_with("' (1 more byte)"), "{quoted}");
        // A byte that is no character is none that could be halved.
        let mixed = [vec![b'x'; MAX_SHOWN - 24], vec![0x80; 100]].concat();
        let quoted = Quoted(&mixed).to_string();
        assert!(quoted.ends_with("' (76 more bytes)"), "{quoted}");
    }

    proptest! {
        #[test]
        fn shown_text_is_one_printable_line_and_reads_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let quoted = Quoted(&bytes).to_string();
            prop_assert!(!quoted.chars().any(needs_escape));
            prop_assert!(!Escaped(&bytes).to_string().chars().any(needs_escape));
            prop_assert_eq!(unescape(&quoted), bytes);
        }

        #[test]
        fn so_is_any_unicode(text in "\\PC{0,40}|\\p{C}{0,40}|[\\\\'\"]{0,10}") {
            let quoted = Quoted(text.as_bytes()).to_string();
            prop_assert!(!quoted.chars().any(needs_escape));
            prop_assert_eq!(unescape(&quoted), text.as_bytes());
        }
    }
}
