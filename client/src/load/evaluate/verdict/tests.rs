use super::*;
use crate::load::{
    evaluate::testing::{datagrams, report, room},
    stats::{
        error_kind::ErrorKind,
        fault::{Fault, FaultKind},
        histogram::Histogram,
    },
};
fn with_lag(mut report: Report, lag_us: u64) -> Report {
    let mut lag = Histogram::default();
    lag.record(Duration::from_micros(lag_us));
    report.lag = Some(lag.into());
    report
}

fn with_cpu(mut report: Report, busiest_process: f64, cores: f64) -> Report {
    report.client_cpu = Some(ClientCpu {
        seconds: cores,
        tls_seconds: None,
        cores,
        busiest_process,
        machine_cores: 4,
    });
    report
}

#[test]
fn a_load_whose_bytes_all_returned_is_valid() {
    let (verdict, reason) = evaluate(&report(1000, 300));
    assert_eq!(verdict, Verdict::Valid, "{reason}");
    assert!(reason.contains("1,000 messages"), "{reason}");
}

#[test]
fn names_every_failure() {
    let mut failed = report(1000, 300);
    failed.errors = Some([(ErrorKind::Reset, 2), (ErrorKind::Timeout, 1)].into());
    failed.lost = Some(7);
    failed.failed_processes =
        vec!["process 3 (pid 5) was killed by SIGKILL before it was done".to_owned()];
    let (verdict, reason) = evaluate(&failed);
    assert_eq!(verdict, Verdict::Failed);
    for part in ["process 3 (pid 5)", "3 errors (2 reset, 1 timeout)", "7 messages lost"] {
        assert!(reason.contains(part), "{reason}");
    }
    let one = Report { lost: Some(1), ..report(1000, 300) };
    assert_eq!(evaluate(&one), (Verdict::Failed, "1 message lost".to_owned()));
}

#[test]
fn reports_lost_datagrams_without_a_failure() {
    let (verdict, reason) = evaluate(&datagrams(990, 300));
    assert_eq!(verdict, Verdict::Valid);
    let loss = "; 10 of 1,000 datagrams were lost (1.00 %)";
    assert!(reason.ends_with(loss), "{reason}");
    let (verdict, reason) = evaluate(&with_cpu(datagrams(990, 300), 0.95, 1.0));
    assert_eq!(verdict, Verdict::ClientLimited);
    assert!(reason.ends_with(loss), "{reason}");
    let all = Report { messages: 0, lost: Some(1000), ..datagrams(990, 300) };
    assert_eq!(evaluate(&all).0, Verdict::Failed);
}

#[test]
fn the_limit_of_a_client_names_its_own_tls() {
    let mut busy = with_cpu(report(1000, 300), 0.95, 1.0);
    assert!(!evaluate(&busy).1.contains("TLS"));
    busy.client_cpu = busy.client_cpu.map(|cpu| ClientCpu { tls_seconds: Some(0.61), ..cpu });
    let (verdict, reason) = evaluate(&busy);
    assert_eq!(verdict, Verdict::ClientLimited);
    let tls = "used 95 % of a core, 61 % of its CPU time for its own TLS: use more --processes";
    assert!(reason.ends_with(tls), "{reason}");
}

#[test]
fn datagrams_that_the_client_drops_are_its_limit() {
    let mut report = datagrams(990, 300);
    let counts = report.datagrams.as_mut().unwrap();
    counts.dropped_by_client = 4;
    (counts.receive_buffer_requested_bytes, counts.receive_buffer_granted_bytes) =
        (4_194_304, 212_992);
    let (verdict, reason) = evaluate(&report);
    assert_eq!(verdict, Verdict::ClientLimited);
    for part in
        ["4 datagrams", "212,992 bytes each, 4,194,304 requested", "rmem_max", "10 of 1,000"]
    {
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn wrong_bytes_and_no_messages_are_failures() {
    let fault = Fault { connection: 0, offset: 0, kind: FaultKind::Damaged, text: String::new() };
    let wrong = Report { faults: vec![fault], ..report(1000, 300) };
    assert_eq!(evaluate(&wrong).0, Verdict::Failed);
    assert_eq!(evaluate(&report(0, 0)).0, Verdict::Failed);
}

#[test]
fn names_a_busy_process_or_machine_as_the_limit() {
    let (verdict, reason) = evaluate(&with_cpu(report(1000, 300), 0.95, 1.0));
    assert_eq!(verdict, Verdict::ClientLimited);
    assert!(reason.contains("95 % of a core") && reason.contains("--processes"), "{reason}");
    let (verdict, reason) = evaluate(&with_cpu(report(1000, 300), 0.5, 3.7));
    assert_eq!(verdict, Verdict::ClientLimited);
    assert!(reason.contains("3.70 of the machine's 4 cores"), "{reason}");
    assert_eq!(evaluate(&with_cpu(report(1000, 300), 0.89, 3.5)).0, Verdict::Valid);
}

#[test]
fn a_run_that_is_too_short_to_judge_has_its_own_words() {
    let short = |report: Report| Report { seconds: 0.000_312, ..report };
    for limited in [
        with_cpu(report(1, 300), 0.99, 1.0),
        with_cpu(report(1, 300), 0.5, 4.0),
        with_lag(report(1, 10_000), 5_000),
    ] {
        assert_eq!(evaluate(&limited).0, Verdict::ClientLimited);
        let (verdict, reason) = evaluate(&short(limited));
        assert_eq!(verdict, Verdict::Unknown, "{reason}");
        assert!(reason.starts_with("the run of 312 \u{b5}s is too short"), "{reason}");
        assert!(reason.ends_with("every byte of 1 message returned"), "{reason}");
    }
    let spare = |seconds| evaluate(&Report { seconds, ..report(1, 300) }).0;
    assert_eq!((spare(0.009), spare(0.011)), (Verdict::Unknown, Verdict::Valid));
}

#[test]
fn a_lag_that_explains_the_latency_is_the_limit() {
    let (verdict, reason) = evaluate(&with_lag(report(1000, 10_000), 5_000));
    assert_eq!(verdict, Verdict::ClientLimited);
    assert!(reason.contains("lag p99 5.00 ms, of a latency p99 of 10.0 ms"), "{reason}");
    // The lag is most of the latency, but below the floor.
    assert_eq!(evaluate(&with_lag(report(1000, 1000), 900)).0, Verdict::Valid);
    // The lag is above the floor, but a small part of the latency.
    assert_eq!(evaluate(&with_lag(report(1000, 100_000), 5_000)).0, Verdict::Valid);
}

#[test]
#[expect(clippy::float_cmp, reason = "the rates are whole numbers")]
fn a_lost_datagram_was_sent() {
    let late = Report { rate: 99.0, ..datagrams(99, 300) };
    assert_eq!(sent_per_second(&late), 100.0);
    assert_eq!(sent_per_second(&Report { datagrams: None, ..late }), 99.0);
}

#[test]
fn unsent_messages_are_a_failure_without_a_culprit_unless_the_client_was_the_limit() {
    let unsent = |report: Report| evaluate(&Report { unsent: Some(7), ..report });
    let (verdict, reason) = unsent(report(1000, 300));
    assert_eq!(verdict, Verdict::Failed);
    let expected = "7 messages could not be sent: the connections did not take them within --timeout after the end";
    assert!(reason.starts_with(expected) && !reason.contains("server"), "{reason}");
    assert_eq!(unsent(with_cpu(report(1000, 300), 0.95, 1.0)).0, Verdict::ClientLimited);
    assert_eq!(unsent(with_lag(report(1000, 10_000), 9_000)).0, Verdict::ClientLimited);
    // The client did not get beyond the warm-up.
    let none = Report { bytes_checked: Some(64), ..report(0, 0) };
    let (verdict, reason) = unsent(with_lag(none, 9_000));
    assert_eq!(verdict, Verdict::ClientLimited, "{reason}");
    assert!(reason.contains("(lag p99 9.00 ms)"), "{reason}");
}

#[test]
fn a_failure_takes_precedence_over_a_limit() {
    let limited = with_cpu(report(1000, 300), 0.99, 1.0);
    assert_eq!(evaluate(&Report { lost: Some(1), ..limited }).0, Verdict::Failed);
}

#[test]
fn a_report_with_unknown_losses_is_not_valid() {
    assert_eq!(evaluate(&Report { lost: None, ..report(1000, 300) }).0, Verdict::Unknown);
}

#[test]
fn a_room_fails_for_what_is_wrong_and_not_for_what_its_server_tells() {
    let figures = RoomFigures { gaps: 3, relay_gaps: 1, foreign: 5, ..RoomFigures::default() };
    let (verdict, reason) = evaluate(&room(10, figures));
    assert_eq!(verdict, Verdict::Valid, "{reason}");
    assert!(reason.contains("10 messages to 100 members made 1,000 deliveries"), "{reason}");
    assert!(reason.contains("told of 3 events") && reason.contains("1 event"), "{reason}");
    for (wrong, named) in [
        (RoomFigures { missing: 2, ..figures }, "2 missing"),
        (RoomFigures { duplicates: 1, ..figures }, "1 duplicate"),
        (RoomFigures { order_violations: 4, ..figures }, "4 out of order"),
        (RoomFigures { wrong_texts: 1_000, ..figures }, "1,000 with a wrong text"),
    ] {
        let (verdict, reason) = evaluate(&room(10, wrong));
        assert_eq!((verdict, &reason[..]), (Verdict::Failed, named));
    }
}
