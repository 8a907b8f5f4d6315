use super::*;
use crate::load::{
    args::ResultArgs,
    evaluate::testing::{datagrams, report},
    report::files::Files,
    stats::counters::ErrorKind,
};

fn merge(reports: &[Report]) -> Report {
    let names = (1..).map(|number| format!("{number}.json"));
    merged(names.zip(reports.iter().cloned()).collect())
}

#[test]
fn counts_are_summed_and_histograms_added() {
    let sum = merge(&[report(1000, 100), Report { seconds: 2.0, ..report(3000, 900) }]);
    assert_eq!((sum.messages, sum.lost, sum.connects), (4000, Some(0), Some(20)));
    assert_eq!(sum.latency.count, 4000);
    // No average of percentiles: a quarter took 100 \u{b5}s, the others 900.
    assert!(sum.latency.histogram.quantile(0.25).as_micros() <= 100);
    assert!(sum.latency.histogram.quantile(0.26).as_micros() >= 899);
    // The longest time counts.
    assert!((sum.rate - 2000.0).abs() < 1e-9);
    assert_eq!(sum.client_cpu.map(|cpu| cpu.machine_cores), Some(8));
    assert_eq!((sum.verdict, sum.parts.len()), (Verdict::Valid, 2));
}

#[test]
fn the_worst_verdict_is_that_of_all_and_says_whose_it_is() {
    let errors = Some([(ErrorKind::Closed, 1)].into());
    let mut failed = Report { errors, ..report(10, 100) };
    (failed.verdict, failed.reason) = judge(&failed);
    let sum = merge(&[report(10, 100), failed, report(10, 100)]);
    assert_eq!(sum.verdict, Verdict::Failed);
    assert_eq!(sum.reason, "2.json: 1 error (1 closed)");
    assert_eq!(sum.errors, Some([(ErrorKind::Closed, 1)].into()));
}

#[test]
fn what_a_log_does_not_say_is_unknown() {
    let whole = report(10, 100);
    let log = of_log(hlog::read(&hlog::write(&whole)).unwrap());
    assert_eq!((log.messages, log.lost, log.verdict), (10, None, Verdict::Unknown));
    let sum = merge(&[whole, log]);
    assert_eq!((sum.messages, sum.lost, &sum.errors), (20, None, &None));
    assert_eq!((sum.verdict, sum.pacing, sum.client_cpu), (Verdict::Unknown, None, None));
}

#[test]
fn datagrams_add_up_and_loss_is_no_failure() {
    let sum = merge(&[datagrams(99, 100), datagrams(198, 100)]);
    assert_eq!((sum.lost, sum.datagrams.map(|all| all.sent)), (Some(3), Some(300)));
    assert_eq!(sum.verdict, Verdict::Valid);
    assert!(sum.reason.ends_with("3 of 300 datagrams were lost (1.00 %)"), "{}", sum.reason);
    // Of connections nobody knows how many were sent.
    assert_eq!(merge(&[datagrams(99, 100), report(10, 100)]).datagrams, None);
}

#[test]
fn parts_of_parts_are_kept() {
    let pair = merge(&[report(1, 1), report(1, 1)]);
    assert_eq!(merge(&[pair, report(1, 1)]).parts.len(), 3);
}

#[test]
fn what_is_written_can_be_read_and_the_rest_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let results = ResultArgs {
        json: Some(path("json")),
        histogram: Some(path("hlog")),
        ..ResultArgs::default()
    };
    let report = report(10, 100);
    // Longer than the report: nothing of it must be left.
    fs::write(path("json"), "x".repeat(100_000)).unwrap();
    Files::open(&results).unwrap().write(&report).unwrap();
    assert_eq!(read(&path("json")).unwrap(), report);
    assert_eq!(read(&path("hlog")).unwrap().messages, 10);
    for (content, reason) in [
        ("", "there is no histogram in it"),
        ("{\"a\": 1}", "it is no report of echo-client load"),
        ("{\"version\": 99}", "it is a report of version 99"),
        ("{\"version\": 1}", "it is no whole report"),
        ("some text\n", "neither a report nor a histogram log"),
        ("Tag=other,0.0,1.0,1.0,AAAA\n", "cannot be read"),
    ] {
        fs::write(path("wrong"), content).unwrap();
        let mistake = read(&path("wrong")).unwrap_err();
        assert!(mistake.contains(reason) && !mistake.contains('\n'), "{content}: {mistake}");
    }
}
