//! Bytes of a peer, made safe for a log line or a terminal.
//!
//! The result is one line of printable text, so that a peer can neither forge a log line nor control the
//! terminal of its reader. Escaped are control characters (C0, DEL, C1), invalid UTF-8, marks that change the
//! direction or the order of text, and invisible characters. Joiners and variation selectors are not: words
//! and emoji need them.

use std::fmt::{self, Write as _};

/// Maximum length of a message in a log line, in bytes.
pub const MAX_SHOWN: usize = 1024;

/// Bytes for a terminal. `Display` writes printable text unchanged, and escapes the rest as `\n`, `\x1b`,
/// `\u{202e}` or `\xff`.
///
/// ```
/// use common::escape::Escaped;
/// assert_eq!(Escaped(b"caf\xc3\xa9 C:\\ \x1b[2J\xff").to_string(), r"café C:\ \x1b[2J\xff");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

/// Message for a log line. `Display` writes at most [`MAX_SHOWN`] bytes in quotes, then the number of bytes
/// that it left out.
///
/// It escapes as [`Escaped`] does, and doubles backslashes, so that a reader can recover the bytes.
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
        let shown = truncate(self.0, MAX_SHOWN);
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

/// Returns at most the first `max` bytes, without a part of a character at the end.
fn truncate(bytes: &[u8], max: usize) -> &[u8] {
    if bytes.len() <= max {
        return bytes;
    }
    // A UTF-8 character has at most three continuation bytes; a longer run of them is invalid.
    let continues = |at: usize| bytes[at] & 0b1100_0000 == 0b1000_0000;
    let end = (max - 3..=max).rev().find(|&at| !continues(at)).unwrap_or(max);
    &bytes[..end]
}

fn write_escaped(f: &mut fmt::Formatter<'_>, bytes: &[u8], double_backslash: bool) -> fmt::Result {
    // Nearly every message is plain ASCII, and needs one test of each byte and one write.
    let plain = |&byte: &u8| (b' '..=b'~').contains(&byte) && !(double_backslash && byte == b'\\');
    if bytes.iter().all(plain) {
        return f.write_str(str::from_utf8(bytes).expect("printable ASCII is UTF-8"));
    }
    for chunk in bytes.utf8_chunks() {
        write_text(f, chunk.valid(), double_backslash)?;
        for byte in chunk.invalid() {
            write_hex(f, *byte)?;
        }
    }
    Ok(())
}

/// Writes each run of printable text with one call, and the escapes between the runs.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str, double_backslash: bool) -> fmt::Result {
    let mut written = 0;
    for (at, char) in text.char_indices() {
        if !(needs_escape(char) || (double_backslash && char == '\\')) {
            continue;
        }
        f.write_str(&text[written..at])?;
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
        written = at + char.len_utf8();
    }
    f.write_str(&text[written..])
}

/// Writes a byte as `\x1b`. Not by `write!`, which is slow for a message of many such bytes.
fn write_hex(f: &mut fmt::Formatter<'_>, byte: u8) -> fmt::Result {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    f.write_str("\\x")?;
    f.write_char(digit(byte >> 4))?;
    f.write_char(digit(byte & 0xf))
}

/// Returns true for a character that is invisible, or that changes how a terminal shows its neighbours.
fn needs_escape(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // direction
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{3164}' // invisible
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{ffa0}' // invisible
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' // shorthand and music controls
            | '\u{fff0}'..='\u{fffb}' // annotations, and code points reserved for invisible characters
            | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}' // tags, and code points reserved for more of them
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Recovers the bytes of a quoted message, as the documentation promises.
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
    fn escapes_bytes_that_forge_a_line_or_control_the_terminal() {
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

    /// Compares every character with its properties in Unicode.
    #[test]
    fn escapes_every_character_that_unicode_calls_invisible_or_directional() {
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
    fn truncates_at_the_end_of_a_character() {
        for ascii in MAX_SHOWN - 4..=MAX_SHOWN {
            let mut text = "x".repeat(ascii);
            text.push_str("\u{1f600}\u{1f600}");
            let quoted = Quoted(text.as_bytes()).to_string();
            assert!(!quoted.contains("\\x"), "{quoted}");
        }
        let quoted = Quoted(&[0x80; MAX_SHOWN + 1]).to_string();
        assert!(quoted.ends_with("' (1 more byte)"), "{quoted}");
        // Invalid UTF-8 has no characters that a cut could split.
        let mixed = [vec![b'x'; MAX_SHOWN - 24], vec![0x80; 100]].concat();
        let quoted = Quoted(&mixed).to_string();
        assert!(quoted.ends_with("' (76 more bytes)"), "{quoted}");
    }

    proptest! {
        #[test]
        fn quoted_bytes_are_one_printable_line_and_can_be_recovered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let quoted = Quoted(&bytes).to_string();
            prop_assert!(!quoted.chars().any(needs_escape));
            prop_assert!(!Escaped(&bytes).to_string().chars().any(needs_escape));
            prop_assert_eq!(unescape(&quoted), bytes);
        }

        #[test]
        fn quoted_unicode_is_printable_and_can_be_recovered(text in "\\PC{0,40}|\\p{C}{0,40}|[\\\\'\"]{0,10}") {
            let quoted = Quoted(text.as_bytes()).to_string();
            prop_assert!(!quoted.chars().any(needs_escape));
            prop_assert_eq!(unescape(&quoted), text.as_bytes());
        }
    }
}
