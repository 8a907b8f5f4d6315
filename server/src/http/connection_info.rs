//! What the requests of a connection have in common: its ends, its TLS, and the time of its responses.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};

use crate::{layer::Handshake, session::Attributes};

/// The attributes of a connection, kept for its requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionInfo {
    pub(super) peer: String,
    pub(super) proxy: Option<String>,
    pub(super) local: String,
    pub(super) listener: String,
    pub(super) tls: Option<Handshake>,
    /// The user who has logged in.
    pub(super) user: Option<String>,
    /// The header that gives the page of this user a cookie, with the end of its line, or nothing.
    pub(super) cookie: String,
    /// The beginning of the session by both clocks. The wall clock is read once a connection, so that the responses do not
    /// read it.
    begin: Option<(Instant, SystemTime)>,
    /// The second that `date` names, since the epoch.
    second: u64,
    /// The header `Date` of a response (RFC 9110, section 6.6.1), with the end of its line. To write it takes about 100 ns, so
    /// it is kept for a second. Empty if the year has more than four digits.
    pub(super) date: String,
}

impl ConnectionInfo {
    pub(super) fn new(attributes: &Attributes<'_>, now: Instant) -> Self {
        Self {
            peer: attributes.peer.to_owned(),
            proxy: attributes.proxy.map(str::to_owned),
            local: attributes.local.to_owned(),
            listener: attributes.listener.to_owned(),
            tls: attributes.handshake.cloned(),
            user: None,
            cookie: String::new(),
            begin: Some((now, attributes.time)),
            second: 0,
            date: String::new(),
        }
    }

    /// Returns the attributes of a connection that has none, except the time.
    #[cfg(feature = "admin")]
    pub(crate) fn with_time(now: Instant, time: SystemTime) -> Self {
        Self { begin: Some((now, time)), ..Self::default() }
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Sets the time of the next response.
    pub(crate) fn set_time(&mut self, now: Instant) {
        let Some((since, time)) = self.begin else { return };
        let time = time.checked_add(now.saturating_duration_since(since)).unwrap_or(time);
        let second = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if second != self.second || self.date.is_empty() {
            self.second = second;
            self.date = Timestamp::try_from(time).map_or_else(|_| String::new(), date_header);
        }
    }
}

fn date_header(time: Timestamp) -> String {
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&time);
    date.map_or_else(|_| String::new(), |date| format!("Date: {date}\r\n"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_date_has_the_form_of_http_and_follows_the_clock() {
        // The example of RFC 9110, section 5.6.7.
        let (now, time) = (Instant::now(), UNIX_EPOCH + Duration::from_secs(784_111_777));
        let mut info = ConnectionInfo { begin: Some((now, time)), ..ConnectionInfo::default() };
        for (after, date) in [
            (Duration::ZERO, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
            (Duration::from_millis(999), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
            (Duration::from_secs(1), "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"),
            (Duration::from_hours(24), "Date: Mon, 07 Nov 1994 08:49:37 GMT\r\n"),
            (Duration::from_hours(24 * 365 * 8100), ""),
        ] {
            info.set_time(now + after);
            assert_eq!(info.date, date, "after {after:?}");
        }
    }
}
