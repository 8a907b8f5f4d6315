//! The question to the search index: which messages may contain a text.
//!
//! The index has the trigrams of each message: every three characters that follow each other, in lower case. A message that
//! contains a text has all trigrams of it.

use crate::config::history_limits::TRIGRAMS;

/// Returns the query of FTS5 for messages that may contain `text`, or `None` if the index cannot tell.
pub(super) fn match_query(text: &[u8]) -> Option<String> {
    // A part of a character at the edge of the text, or a byte that is none, has no trigram.
    let valid = text.utf8_chunks().flat_map(|chunk| chunk.valid().split(['\0', '\u{fffd}']));
    let mut trigrams: Vec<String> = Vec::new();
    for part in valid {
        let characters: Vec<char> = part.chars().collect();
        trigrams.extend(characters.windows(3).map(|three| three.iter().collect::<String>()));
    }
    trigrams.sort_unstable();
    trigrams.dedup();
    // Evenly from the whole text, so that texts with the same beginning are told apart.
    let step = trigrams.len().div_ceil(TRIGRAMS).max(1);
    let quoted = trigrams.iter().step_by(step);
    let quoted: Vec<_> =
        quoted.map(|trigram| format!("\"{}\"", trigram.replace('"', "\"\""))).collect();
    (!quoted.is_empty()).then(|| quoted.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_asked_for_trigrams_and_knows_no_syntax() {
        let query = |text: &[u8]| match_query(text);
        assert_eq!(query(b"abcd").unwrap(), "\"abc\" AND \"bcd\"");
        assert_eq!(query(b"\"*\"").unwrap(), "\"\"\"*\"\"\"");
        assert_eq!(query("äöü".as_bytes()).unwrap(), "\"äöü\"");
        for none in [&b""[..], b"ab", b"ab\0cd", b"ab\xffcd"] {
            assert_eq!(query(none), None);
        }
        assert_eq!(query(b"\xa9abc\0").unwrap(), "\"abc\"");
        let long: String = ('a'..='z').chain('A'..='Z').collect();
        assert!(query(long.as_bytes()).unwrap().matches(" AND ").count() < TRIGRAMS);
    }
}
