//! The choice between media types by `Accept` (RFC 9110, section 12.5.1).

/// Returns the quality that the elements of `Accept` give a media type, in thousandths; 0: it is not acceptable. `version`
/// is the parameter of this name that an element may ask for.
///
/// Without `Accept`, everything is acceptable.
pub(super) fn quality<'a>(
    accepted: impl Iterator<Item = &'a str>,
    media: &str,
    version: &str,
) -> u16 {
    let (kind, _) = media.split_once('/').unwrap_or((media, ""));
    let (mut best, mut is_present) = ((0, 0), false);
    for element in accepted {
        is_present = true;
        let mut parts = element.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default();
        let mut specificity = match range.split_once('/') {
            Some(("*", "*")) => 1,
            Some((one, "*")) if one.eq_ignore_ascii_case(kind) => 2,
            _ if range.eq_ignore_ascii_case(media) => 3,
            _ => continue,
        };
        let mut quality = 1000;
        let mut has_version = true;
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_matches('"');
            match name.trim() {
                name if name.eq_ignore_ascii_case("q") => quality = thousandths(value),
                name if name.eq_ignore_ascii_case("version") => {
                    has_version = value == version;
                    specificity = 4;
                }
                _ => {}
            }
        }
        // The most specific element counts, and of those the highest quality.
        if has_version && (specificity, quality) > best {
            best = (specificity, quality);
        }
    }
    if is_present { best.1 } else { 1000 }
}

/// Parses a weight, as in `0.5`. An invalid one is 0.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_valid = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = format!("{fraction:0<3}").parse().unwrap_or(0);
    match (whole, fraction) {
        ("0", fraction) if is_valid => fraction,
        ("1", 0) if is_valid => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_element_decides() {
        let of = |accept: &str| {
            let accepted = accept.split(',').map(str::trim).filter(|element| !element.is_empty());
            quality(accepted, "text/plain", "0.0.4")
        };
        for (accept, expected) in [
            ("", 1000),
            ("text/plain", 1000),
            ("TEXT/Plain;q=0.5", 500),
            ("*/*;q=0.1", 100),
            ("text/*;q=0.2, */*", 200),
            ("text/plain;version=0.0.4;q=0.3, */*;q=0.1", 300),
            ("text/plain;version=1.0.0, */*;q=0.1", 100),
            ("text/plain; version=\"0.0.4\"; q=0.25", 250),
            ("text/plain;q=0, */*", 0),
            ("application/json", 0),
            ("text/plain;q=2", 0),
            ("text/plain;q=1.001", 0),
            ("text/plain;q=0.1234", 0),
            ("text/plain;q=", 0),
            ("nonsense", 0),
        ] {
            assert_eq!(of(accept), expected, "{accept}");
        }
    }
}
