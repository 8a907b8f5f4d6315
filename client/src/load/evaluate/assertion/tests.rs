use super::*;
use crate::load::{
    evaluate::testing::{self, datagrams},
    report::document::{Judged, Report},
};

fn assertion(typed: &str) -> Assertion {
    typed.parse().unwrap_or_else(|mistake| panic!("{typed}: {mistake}"))
}

#[test]
fn every_operator_compares() {
    for (typed, below, same, above) in [
        ("rate<10", true, false, false),
        ("rate <= 10", true, true, false),
        ("rate>10", false, false, true),
        ("rate>=10", false, true, true),
        ("rate=10", false, true, false),
        ("rate == 10", false, true, false),
        ("rate!=10", true, false, true),
    ] {
        let assertion = assertion(typed);
        let holds = [9.0, 10.0, 11.0].map(|figure| assertion.holds(Some(figure)));
        assert_eq!(holds, [below, same, above], "{typed}");
    }
}

#[test]
fn times_have_units_and_decimals() {
    for (typed, nanos) in [
        ("p99<5ms", 5e6),
        ("p99.9<=20 ms", 20e6),
        ("max<1s", 1e9),
        ("mean<1.5us", 1500.0),
        ("mean<1.5\u{b5}s", 1500.0),
        ("connect.p50<2m", 120e9),
        ("lag.max<7ns", 7.0),
    ] {
        assert!((assertion(typed).value - nanos).abs() < 1e-3, "{typed}");
    }
}

#[test]
fn a_part_can_be_compared_with_what_was_sent() {
    let report = datagrams(990, 300);
    for (typed, holds) in
        [("lost<1.1%", true), ("lost < 1 %", false), ("lost>=1%", true), ("reordered=0%", true)]
    {
        let assertion = assertion(typed);
        assert_eq!(assertion.holds(assertion.metric.of(&report)), holds, "{typed}");
    }
    assert_eq!(Judged::new(&assertion("lost<1%"), &report).figure, "lost is 1.00 %");
    // Of connections it is known as well.
    let one_of_three = Report { lost: Some(1), ..testing::report(2, 1) };
    let share = assertion("lost<1%").metric.of(&one_of_three).unwrap();
    assert!((share - 33.3).abs() < 0.1, "{share}");
}

#[test]
fn what_is_not_known_holds_for_nothing() {
    assert!(!assertion("lost=0").holds(None));
    assert!(!assertion("lost!=0").holds(None));
}

#[test]
fn mistakes_say_what_is_possible() {
    for (typed, hint) in [
        ("p99", "METRIC OPERATOR VALUE"),
        ("p99<5", "unit (ns us ms s m)"),
        ("p99<5h", "unit (ns us ms s m)"),
        ("p99<ms", "unit (ns us ms s m)"),
        ("errors<5ms", "is a number"),
        ("rate>inf", "is a number"),
        ("rate>-1", "is a number"),
        ("rate!10", "< <= > >= = !="),
        ("latency<5ms", "p99.9"),
        ("p101<5ms", "p99.9"),
        ("rate<5%", "no percentage"),
        ("lost<x%", "is a number"),
        ("", "METRIC OPERATOR VALUE"),
        ("<5ms", "p99.9"),
    ] {
        let mistake = typed.parse::<Assertion>().unwrap_err();
        assert!(mistake.contains(hint), "{typed}: {mistake}");
        assert!(!mistake.contains('\n'));
    }
}
