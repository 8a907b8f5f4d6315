//! The faults in a listener's URL.

use std::sync::Arc;

use common::endpoint::Endpoint;

use super::login::LoginParameters;
#[cfg(feature = "login")]
use crate::config::has_proof;
use crate::config::{FaultParameters, FaultScope, Faults};

/// Returns the faults of a listener. `has_tls`, `has_http`, `has_rooms`: as the other parameters set them.
///
/// # Errors
///
/// Why the listener cannot have them.
pub(super) fn faults(
    parameters: &FaultParameters,
    endpoint: &Endpoint,
    [has_tls, has_http, has_rooms]: [bool; 3],
    login: &LoginParameters,
) -> Result<Option<Arc<Faults>>, String> {
    let (transport, login_has_proof) = (endpoint.into(), login_has_proof(login, has_tls));
    let scope = FaultScope { transport, has_tls, has_http, has_rooms, login_has_proof };
    Ok(parameters.checked(scope)?.map(Arc::new))
}

#[cfg(feature = "login")]
fn login_has_proof(login: &LoginParameters, has_tls: bool) -> Option<bool> {
    login.config().map(|login| has_proof(&login, has_tls))
}

#[cfg(not(feature = "login"))]
fn login_has_proof(_: &LoginParameters, _: bool) -> Option<bool> {
    None
}

#[cfg(test)]
mod tests {
    use crate::{config::ListenerOptions, settings::listener::ListenerUrl};

    fn faults(typed: &str) -> Result<Option<String>, String> {
        let url: ListenerUrl = typed.parse()?;
        let options = url.listener(&ListenerOptions::default()).options;
        Ok(options.faults.map(|faults| faults.to_string()))
    }

    #[test]
    fn the_parameters_of_a_url_are_the_faults_of_its_listener() {
        for (typed, expected) in [
            ("tcp://h", None),
            ("tcp://h?reset-after=1MB@5%&delay=50ms", Some("reset-after=1MB@5%&delay=50ms")),
            ("tcp://h?drop=5%25&fault-seed=7", Some("drop=5%&fault-seed=7")),
            ("unix:///s?protocol=raw&refuse=off&truncate=9", Some("truncate=9B")),
            ("udp://h?fault-profile=slow-3g&rate=off", Some("delay=400ms&throttle=50000B/s")),
            #[cfg(feature = "tls")]
            ("tls://h?handshake-stall=5s", Some("handshake-stall=5s")),
            #[cfg(feature = "http")]
            ("unix:s?http=on&close-code=1002", Some("close-code=1002:0")),
            #[cfg(feature = "login")]
            ("tcp://h?login-wrong-proof=on&login=required", Some("login-wrong-proof=on")),
        ] {
            assert_eq!(faults(typed), Ok(expected.map(str::to_owned)), "{typed}");
        }
    }

    #[test]
    fn faults_that_the_listener_cannot_have_are_refused_by_name() {
        for (typed, message) in [
            ("tcp://h?delay=5", "'delay=5': expected a duration"),
            ("tcp://h?delay=5s&delay=6s", "'delay' is set twice"),
            ("tcp://h?drip=1024/1s&throttle=1kB/s", "cannot be used with 'drip=1024/1s'"),
            ("tcp://h?bad-mask=on", "'bad-mask=on': it needs a WebSocket"),
            ("udp://h?split=3", "'split=3': UDP has no connections"),
            (
                "unix:s?fault-profile=flaky-backend",
                "'refuse=2%' of fault-profile=flaky-backend (refuse=off leaves it out): a Unix socket has no reset",
            ),
            ("tcp://h?delay=5µs", "'delay=5µs': 'µ' cannot be in a URL; write it as %C2%B5"),
            ("tcp://h?no-close-notify=on", "'no-close-notify=on': it needs TLS"),
            ("udp://h?refuse=1%", "'refuse=1%': UDP has no connections"),
            ("udp://h?fault-profile=half-open", "'half-open' is for connections"),
            ("unix:s?refuse=1%", "a Unix socket has no reset"),
            ("tcp://h?fault-seed=7", "'fault-seed' needs a fault"),
            ("tcp://h?lag=1s", "those of faults are delay, jitter,"),
            #[cfg(feature = "rooms")]
            ("tcp://h?drop=1%&protocol=room", "a room has events instead"),
            #[cfg(all(feature = "login", feature = "tls"))]
            (
                "tls://h?login-wrong-proof=on&login=required&mechanisms=PLAIN",
                "it needs SCRAM-SHA-256 or",
            ),
        ] {
            let error = faults(typed).unwrap_err();
            assert!(error.contains(message), "{typed}: {error}");
        }
    }
}
