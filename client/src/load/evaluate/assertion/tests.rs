use super::*;
use crate::load::{
    evaluate::testing::{self, datagrams},
    report::figures::room_figures::RoomFigures,
};

fn assertion(typed: &str) -> Assertion {
    typed.parse().unwrap_or_else(|error| panic!("{typed}: {error}"))
}

#[test]
fn compares_with_every_operator() {
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
        let holds = [9.0, 10.0, 11.0].map(|value| assertion.holds_for(Some(value)));
        assert_eq!(holds, [below, same, above], "{typed}");
    }
}

#[test]
fn accepts_times_with_units_and_decimals() {
    for (typed, nanos) in [
        ("p99<5ms", 5e6),
        ("p99.9<=20 ms", 20e6),
        ("max<1s", 1e9),
        ("mean<1.5us", 1500.0),
        ("mean<1.5\u{b5}s", 1500.0),
        ("connect.p50<2m", 120e9),
        ("lag.max<7ns", 7.0),
    ] {
        assert!((assertion(typed).threshold - nanos).abs() < 1e-3, "{typed}");
    }
}

#[test]
fn compares_a_part_with_what_was_sent() {
    let report = datagrams(990, 300);
    for (typed, holds) in
        [("lost<1.1%", true), ("lost < 1 %", false), ("lost>=1%", true), ("reordered=0%", true)]
    {
        let assertion = assertion(typed);
        assert_eq!(assertion.evaluate(&report).holds, holds, "{typed}");
    }
    assert_eq!(assertion("lost<1%").evaluate(&report).figure, "lost is 1.00 %");
    // Over connections the share is known too.
    let one_of_three = Report { lost: Some(1), ..testing::report(2, 1) };
    let share = assertion("lost<1%").metric.value(&one_of_three).unwrap();
    assert!((share - 33.3).abs() < 0.1, "{share}");
}

#[test]
fn no_assertion_holds_for_an_unknown_value() {
    assert!(!assertion("lost=0").holds_for(None));
    assert!(!assertion("lost!=0").holds_for(None));
}

#[test]
fn an_error_says_what_was_expected() {
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
        let error = typed.parse::<Assertion>().unwrap_err();
        assert!(error.contains(hint), "{typed}: {error}");
        assert!(!error.contains('\n'));
    }
}

#[test]
fn figures_of_a_room_are_known_in_a_room_only() {
    let room = testing::room(10, RoomFigures { duplicates: 2, ..RoomFigures::default() });
    for (typed, holds) in [
        ("deliveries=1000", true),
        ("duplicates=2", true),
        ("duplicates=0", false),
        ("missing=0", true),
        ("order<1", true),
    ] {
        assert_eq!(assertion(typed).evaluate(&room).holds, holds, "{typed}");
        assert!(!assertion(typed).evaluate(&testing::report(10, 300)).holds, "{typed}");
    }
}
