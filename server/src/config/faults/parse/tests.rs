use std::{num::NonZeroU64, time::Duration};

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{FaultParameters, kind::kind};
use crate::config::{FaultKind, FaultRule, Faults, Jitter, Share, limits::FAULT_SIZE};

fn parsed(text: &str) -> FaultRule {
    let faults: Faults = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(faults.rules.len(), 1, "{text}");
    faults.rules[0].clone()
}

fn bytes(bytes: u64) -> NonZeroU64 {
    NonZeroU64::new(bytes).unwrap()
}

fn share(millionths: u32) -> Share {
    Share::from_millionths(millionths).unwrap()
}

#[test]
fn each_fault_has_its_figures() {
    let ms = Duration::from_millis;
    for (text, kind) in [
        ("delay=50ms", FaultKind::Delay(ms(50))),
        ("jitter=20ms", FaultKind::Jitter { spread: ms(20), distribution: Jitter::Uniform }),
        ("jitter=1s:pareto", FaultKind::Jitter { spread: ms(1000), distribution: Jitter::Pareto }),
        ("throttle=64kB/s", FaultKind::Throttle(bytes(65_536))),
        ("drip=1B/10ms", FaultKind::Drip { bytes: bytes(1), every: ms(10) }),
        ("stall-after=1MB:5s", FaultKind::StallAfter { bytes: 1 << 20, time: ms(5000) }),
        ("reset-after=1MB", FaultKind::ResetAfter(1 << 20)),
        ("close-after=0", FaultKind::CloseAfter(0)),
        ("half-close-after=1GB", FaultKind::HalfCloseAfter(1 << 30)),
        ("truncate=7B", FaultKind::Truncate(7)),
        ("accept-delay=1s", FaultKind::AcceptDelay(ms(1000))),
        ("corrupt=1/MB", FaultKind::Corrupt(bytes(1 << 20))),
        ("corrupt=3/GB", FaultKind::Corrupt(bytes((1 << 30) / 3))),
        ("corrupt=1/4096", FaultKind::Corrupt(bytes(4096))),
        ("corrupt=2/64kB", FaultKind::Corrupt(bytes(32_768))),
        ("drop=1%", FaultKind::Drop(share(10_000))),
        ("duplicate=1/200", FaultKind::Duplicate(share(5_000))),
        ("reorder=0.0001%", FaultKind::Reorder(share(1))),
        ("split=1..7", FaultKind::Split { min: bytes(1), max: bytes(7) }),
        ("split=5", FaultKind::Split { min: bytes(5), max: bytes(5) }),
        ("coalesce=20ms", FaultKind::Coalesce(ms(20))),
        ("no-close-notify=on", FaultKind::NoCloseNotify),
        ("handshake-stall=5s", FaultKind::HandshakeStall(ms(5000))),
        ("bad-mask=on", FaultKind::BadMask(0)),
        ("bad-mask=9", FaultKind::BadMask(9)),
        ("close-code=1002", FaultKind::CloseCode { code: 1002, after: 0 }),
        ("close-code=1002:5", FaultKind::CloseCode { code: 1002, after: 5 }),
        ("login-wrong-proof=on", FaultKind::LoginWrongProof),
    ] {
        assert_eq!(parsed(text), FaultRule::always(kind), "{text}");
    }
}

#[test]
fn the_name_of_each_fault_is_known() {
    for name in FaultKind::names() {
        let error = kind(name, "").unwrap_err();
        assert!(error.starts_with("expected "), "{name}: {error}");
        assert_eq!(kind("", "").unwrap_err().matches(name).next(), Some(name));
    }
    assert!(
        kind("delays", "1s")
            .unwrap_err()
            .starts_with("unknown fault; the faults are delay, jitter,")
    );
}

#[test]
fn a_fault_may_have_a_share_and_a_window() {
    let (one, two) = (Duration::from_secs(1), Duration::from_mins(2));
    let rule =
        |share, window| FaultRule { share, window, ..FaultRule::always(FaultKind::Truncate(9)) };
    assert_eq!(parsed("truncate=9@5%"), rule(share(50_000), None));
    assert_eq!(parsed("truncate=9@1/4"), rule(share(250_000), None));
    assert_eq!(parsed("truncate=9@1s..2m"), rule(Share::ALL, Some(one..two)));
    assert_eq!(parsed("truncate=9@0.5%@1s..2m"), rule(share(5_000), Some(one..two)));
    let refuse = FaultRule { share: share(100_000), ..FaultRule::always(FaultKind::Refuse) };
    assert_eq!(parsed("refuse=10%"), refuse);
    assert_eq!(parsed("refuse=10%@1s..2m"), FaultRule { window: Some(one..two), ..refuse });
    assert_eq!("fault-seed=7&refuse=10%".parse::<Faults>().unwrap().seed, Some(7));
    assert_eq!("".parse(), Ok(Faults::default()));
}

#[test]
fn an_error_names_the_parameter_and_what_was_expected() {
    for (text, message) in [
        ("delay=50", "'delay=50': expected a duration like 50ms"),
        ("delay=5M", "expected a duration like 50ms"),
        ("delay", "'delay': expected a duration"),
        ("jitter=20ms:gauss", "one of uniform, normal, exponential and pareto"),
        ("throttle=64kB", "expected a rate of at least 1B/s, like 64kB/s"),
        ("throttle=0B/s", "at least 1B/s"),
        ("throttle=1KB/s", "like 64kB/s"),
        ("drip=1B", "like 1B/10ms"),
        ("drip=0/1s", "at least 1B"),
        ("drip=1/0s", "longer than zero"),
        ("stall-after=1MB", "expected a size and a duration, like 1MB:5s"),
        ("reset-after=1Mb", "expected a size like 512, 64kB or 1MB"),
        ("reset-after=-1", "expected a size"),
        ("reset-after=", "expected a size"),
        ("refuse=on", "expected a share like 5%, 0.1% or 1/200"),
        ("refuse=10%@5%", "its value is the share of the connections already"),
        ("corrupt=1", "like 1/MB, 3/GB or 1/4096"),
        ("corrupt=0/MB", "like 1/MB"),
        ("corrupt=2/1B", "a number of bytes in a larger size"),
        ("drop=101%", "from 0% to 100%"),
        ("drop=0.00001%", "in steps of 0.0001%"),
        ("drop=1/3000000", "in steps of 0.0001%"),
        ("drop=2/1", "from 0% to 100%"),
        ("drop=1/0", "expected a share"),
        ("drop=.5%", "expected a share"),
        ("drop=5.%", "expected a share"),
        ("drop=+5%", "expected a share"),
        ("drop=1", "expected a share"),
        ("split=0", "at least 1 byte"),
        ("split=7..1", "the shortest and the longest segment"),
        ("no-close-notify=yes", "expected on or off"),
        ("bad-mask=-1", "expected on, or the number of messages"),
        ("close-code=65536", "expected a code from 0 to 65535"),
        ("close-code=1002:", "expected a code"),
        ("fault-seed=-1", "expected a whole number below 2^64"),
        ("fault-profile=3g", "expected the name of a profile: slow-3g, lossy-wifi,"),
        ("delay=1s&delay=2s", "'delay=2s': it is set twice"),
        ("delay=off&delay=2s", "it is set twice"),
        ("lag=1s", "'lag=1s': unknown fault; the faults are delay, jitter,"),
    ] {
        let error = text.parse::<Faults>().unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn an_error_in_a_share_or_a_window_has_the_expected_form() {
    for (text, message) in [
        ("truncate=1@5", "expected a share"),
        ("truncate=1@2s..1s", "like 10s..20s"),
        ("truncate=1@1s..", "like 10s..20s"),
        ("truncate=1@1s", "expected the time in which it applies, like 10s..20s"),
        ("truncate=1@1s..2s@5%", "the share comes before the time, as in @5%@10s..20s"),
        ("truncate=1@1s..2s@1s..2s", "expected VALUE, VALUE@SHARE, VALUE@FROM..TO or"),
        ("truncate=1@5%@5%", "expected VALUE, VALUE@SHARE, VALUE@FROM..TO or"),
    ] {
        let error = text.parse::<Faults>().unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn a_size_over_the_limit_is_too_large() {
    for text in [
        "reset-after=99999999999GB",
        "close-after=1152921504606846977",
        "truncate=99999999999999999999",
        "throttle=99999999999GB/s",
        "drip=99999999999GB/1s",
        "stall-after=99999999999GB:1s",
        "corrupt=1/99999999999GB",
        "split=1..99999999999GB",
    ] {
        let error = text.parse::<Faults>().unwrap_err();
        assert_eq!(
            error,
            format!("'{text}': the largest size is 1073741824GB, which is 2^60 bytes")
        );
    }
    assert!("split=1073741824GB".parse::<Faults>().is_ok());
}

#[test]
fn a_profile_stands_for_its_faults_and_other_parameters_override_single_ones() {
    let faults = |text: &str| text.parse::<Faults>().map(|faults| faults.to_string());
    assert_eq!(faults("fault-profile=slow-3g"), Ok("delay=400ms&throttle=50000B/s".into()));
    assert_eq!(
        faults("delay=1s@5%&fault-profile=slow-3g&fault-seed=7"),
        Ok("throttle=50000B/s&delay=1s@5%&fault-seed=7".into())
    );
    assert_eq!(faults("fault-profile=slow-3g&delay=off"), Ok("throttle=50000B/s".into()));
    let datagrams = |text| FaultParameters::parse(text).unwrap().faults(true);
    let wifi = datagrams("fault-profile=lossy-wifi").unwrap().unwrap();
    assert_eq!(wifi.to_string(), "jitter=42ms:pareto&drop=1%");
    let error = datagrams("fault-profile=half-open").unwrap_err();
    assert_eq!(error, "the fault profile 'half-open' is for connections, and UDP has none");
}

fn a_time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..7_200_u64).prop_map(Duration::from_secs),
        (0..7_200_000_000_000_u64).prop_map(Duration::from_nanos),
    ]
}

fn a_size() -> impl Strategy<Value = NonZeroU64> {
    (1..=FAULT_SIZE).prop_map(bytes)
}

fn a_share() -> impl Strategy<Value = Share> {
    (0..=1_000_000_u32).prop_map(share)
}

fn a_kind() -> impl Strategy<Value = FaultKind> {
    let jitters = vec![Jitter::Uniform, Jitter::Normal, Jitter::Exponential, Jitter::Pareto];
    let times = prop_oneof![
        a_time().prop_map(FaultKind::Delay),
        a_time().prop_map(FaultKind::AcceptDelay),
        a_time().prop_map(FaultKind::Coalesce),
        a_time().prop_map(FaultKind::HandshakeStall),
        (a_time(), select(jitters))
            .prop_map(|(spread, distribution)| FaultKind::Jitter { spread, distribution }),
        (0..=FAULT_SIZE, a_time()).prop_map(|(bytes, time)| FaultKind::StallAfter { bytes, time }),
        (a_size(), a_time()).prop_map(|(bytes, every)| {
            FaultKind::Drip { bytes, every: every + Duration::from_nanos(1) }
        }),
    ];
    let sizes = prop_oneof![
        (0..=FAULT_SIZE).prop_map(FaultKind::ResetAfter),
        (0..=FAULT_SIZE).prop_map(FaultKind::CloseAfter),
        (0..=FAULT_SIZE).prop_map(FaultKind::HalfCloseAfter),
        (0..=FAULT_SIZE).prop_map(FaultKind::Truncate),
        a_size().prop_map(FaultKind::Throttle),
        a_size().prop_map(FaultKind::Corrupt),
        (a_size(), a_size())
            .prop_map(|(one, other)| FaultKind::Split { min: one.min(other), max: one.max(other) }),
    ];
    let others = prop_oneof![
        a_share().prop_map(FaultKind::Drop),
        a_share().prop_map(FaultKind::Duplicate),
        a_share().prop_map(FaultKind::Reorder),
        any::<u64>().prop_map(FaultKind::BadMask),
        (any::<u16>(), any::<u64>()).prop_map(|(code, after)| FaultKind::CloseCode { code, after }),
        Just(FaultKind::Refuse),
        Just(FaultKind::NoCloseNotify),
        Just(FaultKind::LoginWrongProof),
    ];
    prop_oneof![times, sizes, others]
}

fn a_rule() -> impl Strategy<Value = FaultRule> {
    let window =
        (a_time(), a_time()).prop_map(|(from, time)| from..from + time + Duration::from_nanos(1));
    (a_kind(), a_share(), option::of(window)).prop_map(|(kind, share, window)| FaultRule {
        kind,
        share,
        window,
    })
}

proptest! {
    #[test]
    fn what_faults_are_written_as_is_parsed_to_the_same_faults(
        seed in any::<Option<u64>>(),
        mut rules in vec(a_rule(), 0..6),
    ) {
        let mut names = Vec::new();
        rules.retain(|rule| {
            let is_new = !names.contains(&rule.kind.name());
            names.push(rule.kind.name());
            is_new
        });
        let faults = Faults { seed, rules };
        let text = faults.to_string();
        prop_assert_eq!(text.parse::<Faults>(), Ok(faults), "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_fail_other_than_by_an_error(
        name in select(FaultKind::names().collect::<Vec<_>>()),
        value in "[0-9.%@:/a-zB-]{0,20}",
    ) {
        if let Ok(faults) = format!("{name}={value}").parse::<Faults>() {
            prop_assert_eq!(faults.to_string().parse(), Ok(faults));
        }
    }
}
