//! The parameter `receipt`, for client receipts, in a listener's URL.

use common::endpoint::Endpoint;

/// Why `raw` has no receipts.
pub(in crate::settings) const NOT_RAW: &str = "'receipt=on' needs the protocol text or length, or HTTP: in raw every byte is an echo, so a client receipt has no place";

/// Parses the value of the parameter for a listener at `endpoint`.
///
/// # Errors
///
/// What was expected.
pub(super) fn parse(endpoint: &Endpoint, value: &str) -> Result<bool, String> {
    match value {
        "off" => Ok(false),
        "on" if matches!(endpoint, Endpoint::Udp(_)) => {
            Err("UDP has no connections, at whose end a client receipt could be sent".to_owned())
        }
        "on" if cfg!(not(feature = "receipt")) => {
            Err("this program is built without client receipts (cargo feature 'receipt')"
                .to_owned())
        }
        "on" => Ok(true),
        _ => Err("expected on or off".to_owned()),
    }
}

/// Checks that a listener with a receipt has a place for it.
///
/// # Errors
///
/// Why it has none.
pub(super) fn check(is_room: bool) -> Result<(), String> {
    if is_room {
        let reason = "a member also receives messages of others, which no receipt covers";
        return Err(format!("'receipt=on' cannot be used with protocol=room: {reason}"));
    }
    Ok(())
}

#[cfg(all(test, feature = "receipt"))]
mod tests {
    use crate::{config::ListenerOptions, settings::listener::ListenerUrl};

    fn has_receipt(typed: &str) -> Result<bool, String> {
        let url: ListenerUrl = typed.parse()?;
        Ok(url.listener(&ListenerOptions::default()).options.client_receipt)
    }

    #[test]
    fn a_listener_of_text_length_or_http_may_send_receipts() {
        for (typed, expected) in [
            ("tcp://h", false),
            ("tcp://h?receipt=off", false),
            ("tcp://h?receipt=on", true),
            ("tcp://h?receipt=on&protocol=length", true),
            ("unix:///s?receipt=on&proxy=required", true),
            ("udp://h?receipt=off", false),
        ] {
            assert_eq!(has_receipt(typed), Ok(expected), "{typed}");
        }
        #[cfg(feature = "http")]
        assert_eq!(has_receipt("http://h?receipt=on"), Ok(true));
        #[cfg(feature = "tls")]
        assert_eq!(has_receipt("tls://h?receipt=on"), Ok(true));
    }

    #[test]
    fn a_listener_without_a_place_for_a_receipt_is_refused_by_name() {
        for (typed, reason) in [
            ("tcp://h?receipt=yes", "'receipt=yes': expected on or off"),
            ("udp://h?receipt=on", "'receipt=on': UDP has no connections"),
            ("tcp://h?receipt=on&protocol=raw", "in raw every byte is an echo"),
            ("tcp://h?protocol=raw&receipt=on", "in raw every byte is an echo"),
            ("tcp://h?receipt=on&receipt=on", "'receipt' is set twice"),
            #[cfg(feature = "rooms")]
            ("tcp://h?receipt=on&protocol=room", "cannot be used with protocol=room"),
            #[cfg(all(feature = "http", feature = "rooms"))]
            ("http://h?receipt=on&protocol=room", "cannot be used with protocol=room"),
        ] {
            let error = has_receipt(typed).unwrap_err();
            assert!(error.contains(reason), "{typed}: {error}");
        }
    }
}
