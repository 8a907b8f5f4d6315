use super::*;

use crate::load::{
    compare::page,
    evaluate::testing::{report, report_over_time},
    report::{load_spec::LoadSpec, verdict::Verdict},
};

fn named(name: &str, report: Report) -> Named {
    (name.to_owned(), report)
}

fn compare_with(base: Report, other: Report, assertions: &[&str]) -> Comparison {
    let assertions: Vec<_> = assertions.iter().map(|typed| typed.parse().unwrap()).collect();
    compare(&named("a.json", base), &named("b.json", other), &assertions)
}

fn change<'c>(comparison: &'c Comparison, metric: &str) -> &'c Change {
    comparison.metrics.iter().find(|change| change.metric == metric).unwrap()
}

fn plan() -> LoadSpec {
    LoadSpec {
        server: "127.0.0.1:7".to_owned(),
        processes: 1,
        connections: 10,
        duration_seconds: Some(10.0),
        messages: None,
        min_size: 64,
        max_size: 64,
        pipeline: Some(1),
        rate: None,
        churn: None,
        expect_restart: false,
        warmup_seconds: 0.0,
        timeout_seconds: 10.0,
        seed: 1,
        room: None,
    }
}

#[test]
fn equal_reports_have_the_ratio_1_and_hold() {
    let load = report_over_time(100, (0..20).map(|second| 500 + second % 7));
    let comparison = compare_with(load.clone(), load, &["p99<+5%", "rate>-5%", "errors<=+0"]);
    for metric in ["rate", "p50", "p99"] {
        let change = change(&comparison, metric);
        assert_eq!((change.ratio, change.effect), (Some(1.0), Some(Effect::None)), "{metric}");
    }
    assert!(comparison.assertions.iter().all(|result| result.holds), "{comparison:?}");
    assert_eq!((comparison.verdict, &comparison.warnings), (Verdict::Valid, &vec![]));
}

#[test]
fn a_slower_load_is_worse_and_its_assertion_names_the_ratio_and_the_interval() {
    let latency = |second: u64| 500 + 10 * (second % 3);
    let base = report_over_time(100, (0..30).map(latency));
    let other = report_over_time(100, (0..30).map(|second| 2 * latency(second)));
    let comparison = compare_with(base, other, &["p50<+10%", "p50<+200%", "max<+10ms"]);
    let p50 = change(&comparison, "p50");
    assert_eq!(p50.effect, Some(Effect::Worse));
    assert!((p50.ratio.unwrap() - 2.0).abs() < 0.01, "{p50:?}");
    let [fails, holds, difference] = &comparison.assertions[..] else { panic!() };
    assert!(!fails.holds && holds.holds && difference.holds);
    assert!(fails.figure.starts_with("p50 is 1.02 ms, +100."), "{}", fails.figure);
    assert!(fails.figure.contains("(95 % confidence: +"), "{}", fails.figure);
    assert!(!fails.figure.contains("noise"), "{}", fails.figure);
}

#[test]
fn an_assertion_says_if_its_limit_is_within_the_noise() {
    let base = report_over_time(100, (0..30).map(|second| 400 + 20 * (second * 7 % 11)));
    let other = report_over_time(100, (0..30).map(|second| 400 + 20 * (second * 5 % 11)));
    let comparison = compare_with(base, other, &["p50<+1%"]);
    assert!(comparison.assertions[0].figure.contains("the limit is within the noise"));
}

#[test]
fn an_assertion_on_another_percentile_has_a_row() {
    let load = report_over_time(100, [500; 20]);
    let comparison = compare_with(load.clone(), load, &["p95<+1%"]);
    assert!(change(&comparison, "p95").interval.is_some());
}

#[test]
fn short_loads_are_compared_without_confidence() {
    let comparison = compare_with(report(100, 300), report(100, 330), &["p99<+20%", "p99<+5%"]);
    let p99 = change(&comparison, "p99");
    assert_eq!((p99.interval, p99.effect, comparison.confidence), (None, None, None));
    assert!((p99.ratio.unwrap() - 1.1).abs() < 0.01);
    let holds: Vec<_> = comparison.assertions.iter().map(|result| result.holds).collect();
    assert_eq!(holds, [true, false]);
    assert_eq!(comparison.warnings[0], "no confidence: a.json has no time series");
}

/// A percentile that depends on single messages has none.
#[test]
fn a_percentile_with_few_messages_above_it_has_no_confidence() {
    let load = report_over_time(100, [500; 20]);
    let comparison = compare_with(load.clone(), load, &[]);
    assert!(change(&comparison, "p99").interval.is_some());
    assert_eq!(change(&comparison, "p99.9").interval, None);
}

#[test]
fn a_message_more_in_an_open_loop_is_no_change_of_the_rate() {
    let with = |messages| {
        compare_with(report_over_time(5000, [500; 20]), report_over_time(messages, [500; 20]), &[])
    };
    assert_eq!(change(&with(5001), "rate").effect, Some(Effect::None));
    assert_eq!(change(&with(5100), "rate").effect, Some(Effect::Better));
}

#[test]
fn a_metric_that_is_0_in_the_base_has_no_ratio() {
    let base = report_over_time(100, [500; 20]);
    let other = Report { lost: Some(3), ..base.clone() };
    let comparison = compare_with(base, other, &["lost<+10%"]);
    assert_eq!(change(&comparison, "lost").ratio, None);
    assert_eq!(comparison.assertions[0].figure, "lost is 3, and 0 in the base");
    assert!(!comparison.assertions[0].holds);
}

#[test]
fn warns_of_a_merge_of_loads_that_did_not_run_together() {
    let merge = |span| Report { span_seconds: Some(span), ..report_over_time(100, [500; 20]) };
    assert!(compare_with(merge(20.0), merge(21.0), &[]).warnings.is_empty());
    let warnings = compare_with(merge(20.0), merge(40.0), &[]).warnings;
    assert!(warnings[0].starts_with("b.json is a merge of loads that did not run"), "{warnings:?}");
}

#[test]
fn warns_of_settings_that_differ_and_of_verdicts() {
    let with = |plan| Report { plan: Some(plan), ..report_over_time(100, [500; 20]) };
    let other = LoadSpec { max_size: 128, connections: 20, seed: 2, ..plan() };
    let mut other = with(LoadSpec { pipeline: None, rate: Some(500.0), ..other });
    other.verdict = Verdict::ClientLimited;
    "the client was late".clone_into(&mut other.reason);
    let comparison = compare_with(with(plan()), other, &[]);
    let expected = [
        "b.json is CLIENT-LIMITED, so its figures may be wrong",
        "the loads differ in pace: closed loop, depth 1 and open loop at 500/s",
        "the loads differ in connections: 10 each process and 20 each process",
        "the loads differ in size: 64 bytes and 64 to 128 bytes",
    ];
    assert_eq!(comparison.warnings, expected);
    assert_eq!(comparison.reason, "b.json: the client was late");
}

#[test]
fn a_page_of_a_comparison_is_complete() {
    let base = Report { plan: Some(plan()), ..report_over_time(100, (0..30).map(|it| 500 + it)) };
    let other = Report { plan: Some(plan()), ..report_over_time(100, (0..30).map(|it| 700 + it)) };
    let comparison = compare_with(base.clone(), other.clone(), &["p99<+10%"]);
    let page = page::render(&comparison, &base, &other);
    for text in ["b.json compared with a.json", "does not hold", "worse", "data-chart=\"changes\""]
    {
        assert!(page.contains(text), "{text}");
    }
}

/// A change between two loads may be one of the machine.
#[test]
fn the_effect_of_a_change_is_that_of_the_two_loads_and_not_of_the_servers() {
    let [base, other] = [500, 600].map(|us| report_over_time(100, (0..20).map(|_| us)));
    let comparison = compare_with(base.clone(), other.clone(), &[]);
    assert_eq!(change(&comparison, "p50").effect, Some(Effect::Worse));
    for text in [table::render(&comparison), page::render(&comparison, &base, &other)] {
        assert!(text.contains("these two loads") && text.contains("repeat both loads"), "{text}");
    }
}
