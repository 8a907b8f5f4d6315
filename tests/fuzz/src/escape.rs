//! The escaped form of a peer's bytes: one line of printable text, which can be decoded.

use common::escape::{Escaped, MAX_SHOWN, Quoted};

/// Checks the escaped form for a terminal and for a log.
///
/// # Panics
///
/// If the escaped form contains a control character, or does not decode to the input.
pub fn check(input: &[u8]) {
    let escaped = Escaped(input).to_string();
    assert_printable(&escaped);
    if !input.contains(&b'\\') {
        assert_eq!(unescape(&escaped), input, "{escaped}");
    }

    let quoted = Quoted(input).to_string();
    assert_printable(&quoted);
    // A quote in the text is not escaped, and the remark after the last quote contains none.
    let (text, more) =
        quoted.strip_prefix('\'').and_then(|rest| rest.rsplit_once('\'')).expect("quotes");
    let shown = unescape(text);
    assert!(input.starts_with(&shown), "{quoted}");
    let cut = input.len() - shown.len();
    let remark = match cut {
        0 => String::new(),
        1 => " (1 more byte)".to_owned(),
        _ => format!(" ({cut} more bytes)"),
    };
    assert_eq!(more, remark, "{quoted}");
    assert!(
        shown.len() <= MAX_SHOWN && (cut == 0 || shown.len() > MAX_SHOWN - 4),
        "{cut} of {quoted}"
    );
    // Valid UTF-8 is cut between two characters.
    let mut start = 0;
    for chunk in input.utf8_chunks() {
        let at = shown.len().checked_sub(start);
        let inside = at.filter(|&at| at < chunk.valid().len());
        assert!(inside.is_none_or(|at| chunk.valid().is_char_boundary(at)), "{quoted}");
        start += chunk.valid().len() + chunk.invalid().len();
    }
}

/// Asserts that there are no control characters, line separators or direction marks.
fn assert_printable(shown: &str) {
    let is_harmful = |char: char| {
        char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!shown.contains(is_harmful), "{shown:?}");
}

/// Decodes the escaped form as documented.
fn unescape(shown: &str) -> Vec<u8> {
    let mut parts = shown.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    while let Some(part) = parts.next() {
        let Some(escape) = part.chars().next() else {
            // Two backslashes in sequence are an escaped backslash.
            bytes.push(b'\\');
            bytes.extend(parts.next().expect("a second backslash").as_bytes());
            continue;
        };
        let (rest, number) = match escape {
            'x' => (&part[3..], &part[1..3]),
            'u' => part[2..].split_once('}').map(|(number, rest)| (rest, number)).expect("braces"),
            _ => (&part[1..], ""),
        };
        let number = || u32::from_str_radix(number, 16).expect("a hexadecimal number");
        match escape {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'x' => bytes.push(u8::try_from(number()).expect("two digits")),
            'u' => bytes.extend(char::from_u32(number()).expect("a character").to_string().bytes()),
            _ => panic!("unknown escape {escape}"),
        }
        bytes.extend(rest.as_bytes());
    }
    bytes
}
