//! Text and data in HTML, which they cannot break out of, and templates.

use std::fmt::{self, Write as _};

use common::escape::Escaped;
use serde::Serialize;

/// Text between tags, or in an attribute in double quotes. Characters that are invisible or reorder text are shown as
/// escapes: a report has text of a server, and the names of files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<T>(pub(crate) T);

impl<T: AsRef<str>> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable = Escaped(self.0.as_ref().as_bytes()).to_string();
        let mut rest = &printable[..];
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Returns an element with each text.
pub(crate) fn elements<T: AsRef<str>>(name: &str, texts: impl IntoIterator<Item = T>) -> String {
    let mut all = String::new();
    for text in texts {
        let _ = write!(all, "<{name}>{}</{name}>", Text(text));
    }
    all
}

/// Returns a value as JSON for a `script` element, whose end it cannot contain.
///
/// # Panics
///
/// Never: the data of a page is representable in JSON.
pub(super) fn script_json(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("the data of a page is JSON");
    // These characters are in strings only.
    json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

/// Replaces each `{{name}}` of a template. Values are not searched for names.
///
/// # Panics
///
/// The template has a name without a value.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut page = String::new();
    let mut rest = template;
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        let value = values.iter().find(|(known, _)| *known == name);
        page += before;
        page += value.unwrap_or_else(|| panic!("the template has no value for {name}")).1;
        rest = after;
    }
    page + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_element_or_its_attribute() {
        let hostile = "</script><b a=\"'\">&amp;\u{202e}\n";
        let text = "&lt;/script&gt;&lt;b a=&quot;&#39;&quot;&gt;&amp;amp;\\u{202e}\\n";
        assert_eq!(Text(hostile).to_string(), text);
    }

    #[test]
    fn data_cannot_end_its_script_and_is_still_the_same_json() {
        let hostile = "</script><!--<script>&";
        let json = script_json(&hostile);
        assert!(!json.contains(['<', '>', '&']), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile);
    }

    #[test]
    fn a_value_that_looks_like_a_name_is_not_replaced() {
        assert_eq!(fill("{{one}}-{{two}}.", &[("one", "{{two}}"), ("two", "2")]), "{{two}}-2.");
    }
}
