use super::*;
use crate::load::{
    evaluate::testing::{datagrams, report},
    report::document::ClientCpu,
    stats::counters::{ErrorKind, Fault, FaultKind, Times},
};
use std::time::Duration;

fn with_lag(mut report: Report, lag_us: u64) -> Report {
    let mut lag = Times::default();
    lag.record(Duration::from_micros(lag_us));
    report.lag = Some(lag.into());
    report
}

fn with_cpu(mut report: Report, busiest_process: f64, cores: f64) -> Report {
    report.client_cpu =
        Some(ClientCpu { seconds: cores, cores, busiest_process, machine_cores: 4 });
    report
}

#[test]
fn what_came_back_whole_is_valid() {
    let (verdict, reason) = judge(&report(1000, 300));
    assert_eq!(verdict, Verdict::Valid, "{reason}");
    assert!(reason.contains("1,000 messages"), "{reason}");
}

#[test]
fn every_failure_is_named() {
    let mut failed = report(1000, 300);
    failed.errors = Some([(ErrorKind::Reset, 2), (ErrorKind::Timeout, 1)].into());
    failed.lost = Some(7);
    failed.casualties =
        vec!["process 3 (pid 5) was killed by SIGKILL before it was done".to_owned()];
    let (verdict, reason) = judge(&failed);
    assert_eq!(verdict, Verdict::Failed);
    for part in ["process 3 (pid 5)", "3 errors (2 reset, 1 timeout)", "7 messages lost"] {
        assert!(reason.contains(part), "{reason}");
    }
    let one = Report { lost: Some(1), ..report(1000, 300) };
    assert_eq!(judge(&one), (Verdict::Failed, "1 message lost".to_owned()));
}

#[test]
fn lost_datagrams_are_said_and_no_failure() {
    let (verdict, reason) = judge(&datagrams(990, 300));
    assert_eq!(verdict, Verdict::Valid);
    let said = "; 10 of 1,000 datagrams were lost (1.00 %)";
    assert!(reason.ends_with(said), "{reason}");
    let (verdict, reason) = judge(&with_cpu(datagrams(990, 300), 0.95, 1.0));
    assert_eq!(verdict, Verdict::ClientLimited);
    assert!(reason.ends_with(said), "{reason}");
    let all = Report { messages: 0, lost: Some(1000), ..datagrams(990, 300) };
    assert_eq!(judge(&all).0, Verdict::Failed);
}

#[test]
fn what_the_client_throws_away_is_its_limit() {
    let mut report = datagrams(990, 300);
    let counts = report.datagrams.as_mut().unwrap();
    counts.dropped_by_client = 4;
    (counts.receive_buffer_asked, counts.receive_buffer_given) = (4_194_304, 212_992);
    let (verdict, reason) = judge(&report);
    assert_eq!(verdict, Verdict::ClientLimited);
    for part in ["4 datagrams", "212,992 bytes each, of 4,194,304", "rmem_max", "10 of 1,000"] {
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn wrong_bytes_and_silence_are_failures() {
    let fault = Fault { connection: 0, offset: 0, kind: FaultKind::Damaged, text: String::new() };
    let wrong = Report { faults: vec![fault], ..report(1000, 300) };
    assert_eq!(judge(&wrong).0, Verdict::Failed);
    assert_eq!(judge(&report(0, 0)).0, Verdict::Failed);
}

#[test]
fn a_busy_process_or_machine_is_the_limit_and_named() {
    let (verdict, reason) = judge(&with_cpu(report(1000, 300), 0.95, 1.0));
    assert_eq!(verdict, Verdict::ClientLimited);
    assert!(reason.contains("95 % of a core") && reason.contains("--processes"), "{reason}");
    let (verdict, reason) = judge(&with_cpu(report(1000, 300), 0.5, 3.7));
    assert_eq!(verdict, Verdict::ClientLimited);
    assert!(reason.contains("3.70 of the machine's 4 cores"), "{reason}");
    assert_eq!(judge(&with_cpu(report(1000, 300), 0.89, 3.5)).0, Verdict::Valid);
}

#[test]
fn a_lag_that_explains_the_latency_is_the_limit() {
    let (verdict, reason) = judge(&with_lag(report(1000, 10_000), 5_000));
    assert_eq!(verdict, Verdict::ClientLimited);
    assert!(reason.contains("lag p99 5.00 ms, of a latency p99 of 10.0 ms"), "{reason}");
    // Most of the latency, but hardly any: the schedule was kept.
    assert_eq!(judge(&with_lag(report(1000, 1000), 900)).0, Verdict::Valid);
    // Late, but hardly any of the latency.
    assert_eq!(judge(&with_lag(report(1000, 100_000), 5_000)).0, Verdict::Valid);
}

#[test]
fn a_failure_goes_before_the_limit() {
    let limited = with_cpu(report(1000, 300), 0.99, 1.0);
    assert_eq!(judge(&Report { lost: Some(1), ..limited }).0, Verdict::Failed);
}

#[test]
fn what_is_not_known_is_not_valid() {
    assert_eq!(judge(&Report { lost: None, ..report(1000, 300) }).0, Verdict::Unknown);
}

#[test]
fn verdicts_are_words_of_scripts() {
    for (verdict, word) in [(Verdict::Valid, "VALID"), (Verdict::ClientLimited, "CLIENT-LIMITED")] {
        assert_eq!(serde_json::to_value(verdict).unwrap(), word);
        assert_eq!(verdict.to_string(), word);
    }
}
