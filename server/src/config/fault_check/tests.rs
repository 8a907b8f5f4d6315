use common::endpoint::Endpoint;

use super::scope::{FaultScope, FaultTransport};
use crate::config::{FaultKind, FaultProfile, FaultRule, Faults, Listener};

const TCP: FaultScope = FaultScope {
    transport: FaultTransport::Tcp,
    has_tls: false,
    has_http: false,
    has_rooms: false,
    login_has_proof: None,
};
const TLS: FaultScope = FaultScope { has_tls: true, ..TCP };
const HTTP: FaultScope = FaultScope { has_http: true, ..TCP };
const UDP: FaultScope = FaultScope { transport: FaultTransport::Udp, ..TCP };
const UNIX: FaultScope = FaultScope { transport: FaultTransport::Unix, ..TCP };
const LOGIN: FaultScope = FaultScope { login_has_proof: Some(true), ..TCP };

fn check(scope: FaultScope, text: &str) -> Result<(), String> {
    text.parse::<Faults>().unwrap().check_in(scope, |rule| format!("'{rule}'"))
}

#[test]
fn faults_that_a_listener_can_have_are_accepted() {
    for (scope, text) in [
        (TCP, "delay=50ms&jitter=20ms&throttle=64kB/s&split=1..7&corrupt=1/MB"),
        (TCP, "reset-after=1MB@5%&close-after=2MB@5%&truncate=3MB"),
        (TCP, "reset-after=1MB@0s..10s&close-after=1MB"),
        (TCP, "drip=1B/10ms@0s..10s&throttle=1kB/s@10s..20s"),
        (TCP, "split=1..7@0%&coalesce=20ms"),
        (TCP, "refuse=99%&delay=50ms"),
        (TCP, "refuse=100%@10s..20s&delay=50ms"),
        (TCP, "stall-after=1MB:5s&reset-after=1MB"),
        (TCP, "stall-after=2MB:5s&reset-after=1MB@50%"),
        (TCP, "drop=1%&duplicate=1%&reorder=1%"),
        (TCP, ""),
        (TLS, "no-close-notify=on&handshake-stall=5s&reset-after=1MB@5%"),
        (TLS, "close-after=1GB&no-close-notify=on"),
        (HTTP, "bad-mask=4&close-code=1002:5"),
        (
            UDP,
            "delay=1ms&jitter=1ms&throttle=1kB/s&truncate=9&corrupt=1/9&drop=1%&duplicate=1%&reorder=1%",
        ),
        (UNIX, "close-after=1MB&accept-delay=1s"),
        (LOGIN, "login-wrong-proof=on"),
    ] {
        assert_eq!(check(scope, text), Ok(()), "{text}");
    }
}

#[test]
fn faults_that_contradict_each_other_are_refused_by_name() {
    for (text, reason) in [
        (
            "drip=1B/10ms&throttle=1kB/s",
            "'throttle=1kB/s' cannot be used with 'drip=1B/10ms': both set the rate",
        ),
        ("throttle=1kB/s@0s..10s&drip=1B/10ms@9s..20s", "both set the rate"),
        (
            "split=1..7&coalesce=20ms@5%",
            "'coalesce=20ms@5%' cannot be used with 'split=1..7': one makes",
        ),
        ("reset-after=1MB&close-after=2MB", "a connection sends nothing after the first of both"),
        ("half-close-after=1&truncate=1", "a connection sends nothing after the first of both"),
        (
            "delay=1s&refuse=100%",
            "'refuse=100%' cannot be used with 'delay=1s': every connection is reset",
        ),
        ("stall-after=1000:5s&close-after=999", "what a connection sends ends before the stall"),
        ("no-close-notify=on&reset-after=0", "the other fault ends what every connection sends"),
        ("drop=100%&reorder=1%", "no message is left"),
        ("duplicate=1%&drop=100%", "no message is left"),
        ("close-code=1002:5&bad-mask=5", "the WebSocket is closed before the frame is masked"),
        ("bad-mask=on&close-code=1002", "the WebSocket is closed before the frame is masked"),
        ("fault-seed=7", "'fault-seed' needs a fault"),
        ("delay=61m", "'delay=61m': the longest time of a fault is 1h"),
        ("stall-after=1:2h", "the longest time of a fault is 1h"),
        ("delay=1s@1s..366d", "its time ends at most 365d after"),
    ] {
        let scope = FaultScope { has_http: true, has_tls: true, ..TCP };
        let error = check(scope, text).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn faults_that_a_listener_cannot_have_are_refused_with_the_reason() {
    let room = FaultScope { has_rooms: true, ..HTTP };
    let plain = FaultScope { login_has_proof: Some(false), ..TLS };
    let http = FaultScope { login_has_proof: Some(true), ..HTTP };
    for (scope, text, reason) in [
        (TCP, "no-close-notify=on", "'no-close-notify=on': it needs TLS"),
        (TCP, "handshake-stall=5s@5%", "'handshake-stall=5s@5%': it needs TLS"),
        (TLS, "bad-mask=on", "'bad-mask=0': it needs a WebSocket"),
        (TLS, "close-code=1002", "'close-code=1002:0': it needs a WebSocket"),
        (TLS, "login-wrong-proof=on", "it needs login=required"),
        (plain, "login-wrong-proof=on", "it needs SCRAM-SHA-256 or SCRAM-SHA-256-PLUS"),
        (http, "login-wrong-proof=on", "it needs a login by SCRAM, and HTTP has"),
        (UNIX, "reset-after=1MB", "a Unix socket has no reset"),
        (UNIX, "refuse=1%", "a Unix socket has no reset"),
        (UDP, "reset-after=1MB", "'reset-after=1MB': UDP has no connections; it can have delay,"),
        (UDP, "split=1", "UDP has no connections"),
        (UDP, "accept-delay=1s", "UDP has no connections"),
        (room, "drop=1%", "'drop=1%': it applies to echoes, and a room has events"),
        (room, "duplicate=1%", "a room has events"),
        (room, "reorder=1%", "a room has events"),
        (room, "close-code=1002", "a room has events"),
    ] {
        let error = check(scope, text).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn the_faults_of_an_embedding_program_are_checked_as_those_of_a_url() {
    let check = |kind: FaultKind| {
        let faults = Faults { seed: None, rules: vec![FaultRule::always(kind)] };
        faults.check(&Listener::tcp("127.0.0.1", 0))
    };
    let one = std::num::NonZeroU64::MIN;
    let drip = FaultKind::Drip { bytes: one, every: std::time::Duration::ZERO };
    assert!(check(drip).unwrap_err().contains("two drips is zero"));
    let split = FaultKind::Split { min: one.saturating_add(1), max: one };
    assert!(check(split).unwrap_err().contains("longer than the longest"));
    for kind in [FaultKind::ResetAfter(u64::MAX), FaultKind::Corrupt(std::num::NonZeroU64::MAX)] {
        assert!(check(kind).unwrap_err().contains("the largest size is 1073741824GB"));
    }
    let mut rule = FaultRule::always(FaultKind::Truncate(1));
    let twice = Faults { seed: None, rules: vec![rule.clone(), rule.clone()] };
    assert!(twice.check(&Listener::tcp("h", 0)).unwrap_err().contains("at most one fault"));
    let second = std::time::Duration::from_secs(1);
    rule.window = Some(second..second);
    let never = Faults { seed: None, rules: vec![rule] };
    assert!(never.check(&Listener::tcp("h", 0)).unwrap_err().contains("ends before it begins"));
    let unix = Listener::new(Endpoint::Unix("a".into()));
    assert!("refuse=1%".parse::<Faults>().unwrap().check(&unix).is_err());
}

#[cfg(all(feature = "http", feature = "login", feature = "rooms"))]
#[test]
fn the_options_of_a_listener_decide_which_faults_it_can_have() {
    use common::login::Mechanism;

    use crate::config::{Http, Login, Room};

    let mut listener = Listener::tcp("h", 0);
    let check = |listener: &Listener, text: &str| text.parse::<Faults>().unwrap().check(listener);
    listener.options.login = Some(Login::default().into());
    assert_eq!(check(&listener, "login-wrong-proof=on"), Ok(()));
    let login = Login { mechanisms: vec![Mechanism::ScramSha256Plus, Mechanism::Plain] };
    listener.options.login = Some(login.into());
    assert!(check(&listener, "login-wrong-proof=on").is_err(), "both need TLS");
    listener.options.http = Some(Http::default().into());
    assert_eq!(check(&listener, "close-code=1002"), Ok(()));
    listener.options.room = Some(Room::default().into());
    assert!(check(&listener, "drop=1%").is_err());
}

#[test]
fn each_profile_can_be_used_and_is_written_in_the_canonical_form() {
    for profile in FaultProfile::ALL {
        for (scope, text) in [(TCP, Some(profile.faults)), (UDP, profile.datagrams)] {
            let Some(text) = text else { continue };
            assert_eq!(check(scope, text), Ok(()), "{}", profile.name);
            assert_eq!(text.parse::<Faults>().unwrap().to_string(), text, "{}", profile.name);
        }
    }
}
