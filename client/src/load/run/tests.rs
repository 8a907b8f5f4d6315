use super::*;
use crate::load::{
    evaluate::{assertion::Assertion, testing::report},
    find_rate::conclude,
    report::document::AssertionResult,
    search::{Limit, SearchResult},
};

fn evaluate(assertion: &str, report: &Report) -> AssertionResult {
    assertion.parse::<Assertion>().unwrap().evaluate(report)
}

#[test]
fn a_failure_takes_precedence_over_an_assertion_and_this_over_a_limit() {
    let broken = evaluate("p99<1us", &report(10, 300));
    assert!(!broken.holds);
    for (verdict, alone, with_assertion) in [
        (Verdict::Valid, 0, 3),
        (Verdict::Unknown, 0, 3),
        (Verdict::ClientLimited, 4, 3),
        (Verdict::Failed, 1, 1),
    ] {
        let mut report = Report { verdict, ..report(10, 300) };
        assert_eq!(exit_status(&report), alone);
        report.assertions.push(broken.clone());
        assert_eq!(exit_status(&report), with_assertion);
    }
}

#[test]
fn every_metric_of_an_assertion_has_a_value() {
    let report = report(1000, 300);
    for (assertion, holds) in [
        ("messages=1000", true),
        ("rate>=1000", true),
        ("p50<299us", false),
        ("p50<301us", true),
        ("errors=0", true),
        ("errors.reset=0", true),
        ("lost=0", true),
        ("bytes/s>6e4", true),
        ("connects=10", true),
        ("seconds<=1", true),
        ("connect.p99<1s", false),
        ("lag.max>0ns", false),
    ] {
        let result = evaluate(assertion, &report);
        assert_eq!(result.holds, holds, "{result:?}");
    }
}

/// Returns the report of a search with this result, and the exit status.
fn conclude_search(rate: Option<f64>, limit: Limit) -> (Report, u8) {
    let mut report = report(1000, 300);
    let result = SearchResult { rate, limit: Some(limit) };
    conclude(&mut report, &"p99<5ms".parse().unwrap(), result);
    let status = exit_status(&report);
    (report, status)
}

#[test]
fn a_found_rate_is_an_assertion_that_holds() {
    let (report, status) = conclude_search(Some(2000.0), Limit::Exceeded);
    let result = &report.assertions[0];
    assert_eq!((result.holds, status), (true, 0));
    assert_eq!(result.figure, "p99 is 300 \u{b5}s at 2,000/s, the highest rate that was found");
}

#[test]
fn a_search_without_a_rate_is_an_assertion_that_does_not_hold() {
    let (report, status) = conclude_search(None, Limit::Exceeded);
    assert_eq!((report.assertions[0].holds, status), (false, 3));
}

#[test]
fn a_search_that_the_client_limited_has_that_verdict() {
    let (report, status) = conclude_search(Some(2000.0), Limit::ClientLimited);
    assert_eq!((report.assertions[0].holds, status), (true, 4));
    assert!(report.reason.starts_with("the client was the limit"), "{}", report.reason);
    let (report, status) = conclude_search(None, Limit::ClientLimited);
    assert_eq!((report.assertions.len(), status), (0, 4));
}
