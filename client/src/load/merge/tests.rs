use super::*;
use crate::load::{
    evaluate::testing::{datagrams, report, report_over_time, room},
    report::{
        figures::{room_figures::RoomFigures, start_figures::StartFigures},
        hlog, table,
    },
    saved_report::report_of_log,
    stats::error_kind::ErrorKind,
};

fn merge_all(reports: &[Report]) -> Report {
    let names = (1..).map(|number| format!("{number}.json"));
    merge(&names.zip(reports.iter().cloned()).collect::<Vec<_>>())
}

#[test]
fn sums_counts_and_adds_histograms() {
    let sum = merge_all(&[report(1000, 100), Report { seconds: 2.0, ..report(3000, 900) }]);
    assert_eq!((sum.messages, sum.lost, sum.connects), (4000, Some(0), Some(20)));
    assert_eq!(sum.latency.count, 4000);
    // Percentiles are not averaged: a quarter of the messages took 100 \u{b5}s, the others 900.
    assert!(sum.latency.histogram.quantile(0.25).as_micros() <= 100);
    assert!(sum.latency.histogram.quantile(0.26).as_micros() >= 899);
    // The longest measured time counts.
    assert!((sum.rate - 2000.0).abs() < 1e-9);
    assert_eq!(sum.client_cpu.map(|cpu| cpu.machine_cores), Some(8));
    assert_eq!((sum.verdict, sum.parts.len()), (Verdict::Valid, 2));
}

#[test]
fn the_worst_verdict_counts_and_names_its_file() {
    let errors = Some([(ErrorKind::Closed, 1)].into());
    let mut failed = Report { errors, ..report(10, 100) };
    verdict::set(&mut failed);
    let sum = merge_all(&[report(10, 100), failed, report(10, 100)]);
    assert_eq!(sum.verdict, Verdict::Failed);
    assert_eq!(sum.reason, "2.json: 1 error (1 closed)");
    assert_eq!(sum.errors, Some([(ErrorKind::Closed, 1)].into()));
}

#[test]
fn values_that_a_log_does_not_contain_are_unknown() {
    let report = report(10, 100);
    let log = report_of_log(hlog::read(&hlog::write(&report)).unwrap());
    assert_eq!((log.messages, log.lost, log.verdict), (10, None, Verdict::Unknown));
    let sum = merge_all(&[report, log]);
    assert_eq!((sum.messages, sum.lost, &sum.errors), (20, None, &None));
    assert_eq!((sum.verdict, sum.pacing, sum.client_cpu), (Verdict::Unknown, None, None));
}

#[test]
fn adds_up_datagrams_and_does_not_fail_for_a_loss() {
    let sum = merge_all(&[datagrams(99, 100), datagrams(198, 100)]);
    assert_eq!((sum.lost, sum.datagrams.map(|all| all.sent)), (Some(3), Some(300)));
    assert_eq!(sum.verdict, Verdict::Valid);
    assert!(sum.reason.ends_with("3 of 300 datagrams were lost (1.00 %)"), "{}", sum.reason);
    // A load over TCP does not count datagrams.
    assert_eq!(merge_all(&[datagrams(99, 100), report(10, 100)]).datagrams, None);
}

#[test]
fn keeps_the_parts_of_merged_reports() {
    let pair = merge_all(&[report(1, 1), report(1, 1)]);
    assert_eq!(merge_all(&[pair, report(1, 1)]).parts.len(), 3);
}

#[test]
fn adds_up_rooms_and_keeps_what_is_wrong() {
    let figures = RoomFigures { gaps: 2, foreign: 7, ..RoomFigures::default() };
    let sum = merge_all(&[room(10, figures), Report { seconds: 2.0, ..room(30, figures) }]);
    assert_eq!(sum.verdict, Verdict::Valid, "{}", sum.reason);
    let merged = sum.room.unwrap();
    assert_eq!((merged.members, merged.senders, merged.deliveries), (200, 4, 4000));
    assert_eq!((merged.gaps, merged.foreign), (4, 14));
    assert!((merged.deliveries_per_second - 2000.0).abs() < 1e-9);
    let wrong =
        RoomFigures { missing: 1, duplicates: 2, order_violations: 3, wrong_texts: 4, ..figures };
    let sum = merge_all(&[room(10, figures), room(10, wrong)]);
    assert_eq!(sum.verdict, Verdict::Failed);
    let expected =
        [(1, "missing"), (2, "duplicate"), (3, "out of order"), (4, "with a wrong text")];
    assert_eq!(sum.room.unwrap().violations(), expected);
    // Without the figures of one report, those of the sum are unknown.
    assert_eq!(merge_all(&[room(10, figures), report(10, 300)]).room, None);
}

/// Returns the report of a load that took so many seconds, and began so many after the others.
fn shifted(seconds: u64, after: i64) -> Report {
    let mut report = report_over_time(100, (0..seconds).map(|_| 300));
    let start = Timestamp::from_second(after).unwrap();
    report.series.as_mut().unwrap().start = start;
    let (requested, late_ns, clock) = (None, None, None);
    report.start =
        Some(StartFigures { requested, actual: start, late_ns, is_overdue: false, clock });
    report
}

#[test]
fn loads_that_did_not_run_at_the_same_time_are_named_as_such() {
    let table = table::render;
    for (one, other) in [((10, 0), (10, 0)), ((10, 0), (10, 1)), ((60, 0), (10, 50))] {
        let sum = merge_all(&[shifted(one.0, one.1), shifted(other.0, other.1)]);
        assert_eq!(sum.separate_seconds(), None, "{one:?} {other:?}");
        assert!(!sum.reason.contains("same time") && !table(&sum).contains("same time"));
    }
    for (after, span) in [(10, 20.0), (3600, 3610.0), (2, 12.0)] {
        let sum = merge_all(&[shifted(10, 0), shifted(10, after)]);
        assert_eq!(sum.span_seconds, Some(span));
        let warning = "the loads did not run at the same time";
        assert!(sum.reason.contains(warning), "{}", sum.reason);
        assert!(table(&sum).contains(&format!("{span:.2} s: {warning}")), "{}", table(&sum));
        // A merged report is merged again.
        assert_eq!(merge_all(&[sum, shifted(10, 0)]).span_seconds, Some(span));
    }
    assert_eq!(merge_all(&[shifted(10, 0), report(10, 300)]).span_seconds, None);
}

#[test]
fn loads_with_a_time_between_them_have_no_time_series_and_the_report_says_so() {
    let sum = merge_all(&[shifted(10, 0), shifted(10, 3600)]);
    assert_eq!(sum.series, None);
    let table = table::render(&sum);
    assert!(table.contains("time series"), "{table}");
    let sum = merge_all(&[shifted(10, 0), shifted(10, 10)]);
    assert_eq!(sum.series.as_ref().map(|series| series.intervals.len()), Some(20));
    assert!(!table::render(&sum).contains("time series"));
}

#[test]
fn counts_of_files_do_not_wrap() {
    let most = Report { messages: u64::MAX, lost: Some(u64::MAX), ..report(10, 100) };
    let sum = merge_all(&[most, Report { lost: Some(1), ..report(10, 100) }]);
    assert_eq!((sum.messages, sum.lost), (u64::MAX, Some(u64::MAX)));
}
