//! Time at which a load begins.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{SignedDuration, Timestamp};

/// How far ahead the start may be: a time that is further ahead is a mistake.
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Time before the start at which a load connects. Connections that are made earlier are idle until the start, and a server or a NAT may
/// end them.
pub(crate) const CONNECT_LEAD: Duration = Duration::from_secs(30);

/// Time at which a load begins, by the clock of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StartTime(pub(crate) Timestamp);

/// Time at which a load cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Contradiction {
    /// The time has passed.
    #[error(
        "'--start-at <TIME>' is {time}, and the clock of this machine shows {now}: choose a later time, or set the clock"
    )]
    Past {
        /// Requested time.
        time: StartTime,
        /// Time of the clock.
        now: StartTime,
    },
    /// The time is too far ahead.
    #[error(
        "'--start-at <TIME>' is {time}, and the clock of this machine shows {now}: choose a time within a day"
    )]
    TooFar {
        /// Requested time.
        time: StartTime,
        /// Time of the clock.
        now: StartTime,
    },
}

impl StartTime {
    /// Checks that a load can begin at this time.
    ///
    /// # Errors
    ///
    /// The time has passed, or is more than a day ahead.
    pub(super) fn check(self, now: Timestamp) -> Result<(), Contradiction> {
        let ahead = now.duration_until(self.0);
        let (time, now) = (self, Self(now));
        if ahead.is_negative() {
            return Err(Contradiction::Past { time, now });
        }
        if ahead > MAX_AHEAD {
            return Err(Contradiction::TooFar { time, now });
        }
        Ok(())
    }
}

impl fmt::Display for StartTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The precision of `date +%s.%N` and of people.
        write!(f, "{:.3}", self.0)
    }
}

impl FromStr for StartTime {
    type Err = &'static str;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        let time = match typed.strip_prefix('@') {
            Some(unix) => parse_unix(unix),
            None => typed.parse().ok(),
        };
        let form = "expected a time with its offset like 2026-11-26T20:00:00Z, or a Unix time like @1790000000; in a shell, \
                    @$(($(date +%s) + 30)) is in 30 s";
        time.map(Self).ok_or(form)
    }
}

/// Parses seconds since 1970, with or without a fraction.
fn parse_unix(typed: &str) -> Option<Timestamp> {
    let (seconds, fraction) = typed.split_once('.').unwrap_or((typed, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) {
        return None;
    }
    let nanos = format!("{fraction:0<9.9}").parse().ok()?;
    Timestamp::new(seconds.parse().ok()?, nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(typed: &str) -> Result<Timestamp, &'static str> {
        typed.parse().map(|StartTime(time)| time)
    }

    #[test]
    fn a_time_is_in_rfc_3339_or_in_unix_seconds() {
        let time = Timestamp::new(1_795_723_200, 0).unwrap();
        let with_fraction = Timestamp::new(1_795_723_200, 250_000_000).unwrap();
        assert_eq!(parse("2026-11-26T20:00:00Z"), Ok(time));
        assert_eq!(parse("2026-11-26T21:00:00+01:00"), Ok(time));
        assert_eq!(parse("@1795723200"), Ok(time));
        assert_eq!(parse("@1795723200.25"), Ok(with_fraction));
        assert_eq!(parse("@1795723200.2500000001"), Ok(with_fraction));
    }

    /// A time without an offset would be another one on each machine, as would be a relative one.
    #[test]
    fn a_local_or_relative_time_is_refused() {
        for wrong in [
            "2026-11-26T20:00:00",
            "20:00",
            "+30s",
            "1790000000",
            "@",
            "@-5",
            "@1.",
            "@.5",
            "@1e9",
            "",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_load_begins_now_at_the_earliest_and_in_a_day_at_the_latest() {
        let now: Timestamp = "2026-11-26T20:00:00Z".parse().unwrap();
        let check = |typed: &str| typed.parse::<StartTime>().unwrap().check(now);
        assert_eq!(check("2026-11-26T20:00:00Z"), Ok(()));
        assert_eq!(check("2026-11-27T20:00:00Z"), Ok(()));
        let past = check("2026-11-26T19:59:59.999Z").unwrap_err().to_string();
        assert!(past.contains("is 2026-11-26T19:59:59.999Z, and the clock of this machine shows 2026-11-26T20:00:00.000Z"), "{past}");
        let far = check("2026-11-27T20:00:01Z").unwrap_err().to_string();
        assert!(far.contains("within a day"), "{far}");
    }
}
