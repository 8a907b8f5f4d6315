use std::time::Duration;

use super::*;
use crate::load::{
    evaluate::testing::{report, report_over_time},
    report::{document::AssertionResult, verdict::Verdict},
    stats::{
        fault::{Fault, FaultKind},
        histogram::Histogram,
    },
};

/// Limit of a page of a load of ten minutes.
const MAX_LEN: usize = 500_000;

/// Returns a page of a load of this many seconds, with a full histogram and errors in each second.
fn page_of(seconds: u64) -> String {
    let mut long = report_over_time(5000, (0..seconds).map(|second| 100 + second * 7919 % 5000));
    for interval in &mut long.series.as_mut().unwrap().intervals {
        (interval.errors, interval.lost, interval.connects) = (1, 2, 3);
    }
    let mut all = Histogram::default();
    for step in 0_u32..20_000 {
        all.record_n(Duration::from_micros(30).mul_f64(1.0006_f64.powi(step.cast_signed())), 999);
    }
    long.latency = all.clone().into();
    long.lag = Some(all.into());
    long.faults = vec![
        Fault {
            connection: 1,
            offset: 2,
            kind: FaultKind::Damaged,
            text: "a difference ".repeat(20)
        };
        16
    ];
    render(&long)
}

#[test]
fn a_page_of_ten_minutes_or_more_has_less_than_500_kilobytes() {
    for seconds in [600, 1201] {
        let len = page_of(seconds).len();
        assert!(len < MAX_LEN, "{seconds} s: {len} bytes");
    }
}

#[test]
fn a_page_names_no_other_host_and_no_file() {
    let page = page_of(60);
    for part in ["http:", "https:", "//cdn", " src=", " href=", "url(", "@import", "style=\""] {
        assert!(!page.contains(part), "{part}");
    }
}

/// The policy of the page allows its own style and script by their hashes, and nothing else.
#[test]
fn the_policy_has_the_hashes_of_the_style_and_the_script() {
    let page = render(&report(10, 300));
    let between = |start: &str, end: &str| {
        let (_, rest) = page.split_once(start).unwrap();
        rest.split_once(end).unwrap().0.to_owned()
    };
    for (kind, content) in
        [("style", between("<style>", "</style>")), ("script", between("<script>", "</script>"))]
    {
        let hash = STANDARD.encode(Sha256::digest(&content));
        assert!(page.contains(&format!("{kind}-src 'sha256-{hash}'")), "{kind}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn text_of_others_stays_text() {
    let hostile = "</script></title><img src=x onerror=alert(1)>{{data}}";
    let load = report_over_time(100, [500; 3]);
    let load = Report {
        reason: hostile.to_owned(),
        assertions: vec![AssertionResult {
            assertion: hostile.to_owned(),
            holds: false,
            figure: hostile.to_owned(),
        }],
        failed_processes: vec![hostile.to_owned()],
        faults: vec![Fault {
            connection: 0,
            offset: 0,
            kind: FaultKind::Damaged,
            text: hostile.to_owned(),
        }],
        ..load
    };
    let page = render(&load);
    assert!(!page.contains("<img"));
    assert_eq!(page.matches("</script>").count(), 2);
    assert_eq!(page.matches("onerror=alert(1)&gt;{{data}}").count(), 5);
}

#[test]
fn the_verdict_and_the_figures_are_on_the_page() {
    let mut load = report_over_time(100, [500; 3]);
    load.verdict = Verdict::ClientLimited;
    "the client was late".clone_into(&mut load.reason);
    let page = render(&load);
    for text in [
        "<span id=\"verdict\">CLIENT-LIMITED</span>",
        "<p class=\"reason\" id=\"reason\">the client was late</p>",
        "<dt>p50</dt><dd>500 \u{b5}s</dd>",
        "<dt>p99</dt><dd>1.50 ms</dd>",
        "<dt>rate</dt><dd>100/s</dd>",
        "<dt>messages</dt><dd>300</dd>",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

/// A report of a histogram log, or of a load in which no message returned.
#[test]
fn a_report_without_latencies_or_a_time_series_has_a_page() {
    for load in [Report { series: None, ..report(10, 300) }, report(0, 300)] {
        let page = render(&load);
        assert!(page.contains("id=\"verdict\"") && page.contains("</html>"));
    }
}
