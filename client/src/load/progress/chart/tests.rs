//! Snapshots of the chart.

use super::*;

use std::time::Duration;

use ratatui::{Terminal, backend::TestBackend};

use crate::load::progress::timeline::LatencyCache;
use crate::load::stats::{counters::Stats, error_kind::ErrorKind, series::Series};

/// Returns the time series of a load whose server restarts: nothing returns in the sixth of ten seconds.
fn restart() -> Timeline {
    let mut series = Series::default();
    for second in 0..11 {
        let is_down = second == 5;
        let messages = if is_down { 0 } else { 4000 };
        let mut stats = Stats { messages, ..Stats::default() };
        stats.latency.record_n(Duration::from_micros(90), messages * 9 / 10);
        stats.latency.record_n(Duration::from_micros(900), messages / 10);
        if is_down {
            stats.record_error(ErrorKind::Reset);
        } else if second == 6 {
            stats.latency.record(Duration::from_millis(700));
            stats.lost = 1;
        }
        series.record(Duration::from_secs(second), &stats, if is_down { 3 } else { 50 });
    }
    Timeline::new(&series, Duration::ZERO, &mut LatencyCache::default())
}

fn drawn(timeline: &Timeline, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let chart = Chart { line: "the line of progress", timeline };
    terminal.draw(|frame| frame.render_widget(chart, frame.area())).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| row(y).trim_end().to_owned()).collect()
}

#[test]
fn shows_the_time_series_with_a_gap_its_errors_and_its_connections() {
    let expected = "\
the line of progress
   rate  ─ messages per second
     5k│
       │  ⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⢣     ⢀⠎⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
   2.5k│                   ⢣   ⢀⠎
       │                    ⢣ ⢀⠎
      0│                     ⢣⠎
latency  ─ p50 ─ p99 ─ max   × errors   • lost
    1 s│                         ⠐⡄
";
    let drawn = drawn(&restart(), 48, 17).join("\n");
    assert_eq!(drawn[..expected.len()], *expected, "{drawn}");
    let end = "
  10 µs│
       └────────────────────────────────────────
       0                                    10 s
 errors                      ×   •
   open █████████████████████    ███████████████";
    assert!(drawn.ends_with(end), "{drawn}");
}

#[test]
fn labels_are_powers_of_ten_as_many_as_fit() {
    let trimmed = |bottom, top, rows| {
        let labels = decades(bottom, top, rows);
        labels.iter().map(|label| label.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(trimmed(4.0, 6.0, 3), ["10 µs", "100 µs", "1 ms"]);
    assert_eq!(trimmed(4.0, 8.0, 4), ["10 µs", "1 ms", "100 ms"]);
    assert_eq!(trimmed(4.0, 9.0, 4), ["10 µs", "1 s"]);
    let rates = [0.0, 0.5, 7.0, 1000.0, 2001.0, 7.3e6].map(|rate| short(top_of(rate)));
    assert_eq!(rates, ["1", "1", "10", "1k", "5k", "10M"]);
}

/// The first point has no line yet, and a load may fail before a message returns.
#[test]
fn a_time_series_of_one_point_or_without_a_message_is_drawn() {
    let mut series = Series::default();
    series.record(Duration::ZERO, &Stats::default(), 2);
    let empty = drawn(
        &Timeline::new(&series, Duration::from_secs(1), &mut LatencyCache::default()),
        MIN_WIDTH,
        MIN_HEIGHT,
    );
    let row = |name: &str| empty.iter().find(|row| row.starts_with(name)).cloned();
    assert_eq!(row("latency").as_deref(), Some("latency  ─ p50 ─ p99 ─ max"), "{empty:?}");
    assert_eq!(row("   open").map(|row| row.matches('█').count()), Some(39), "{empty:?}");
    let mut stats = Stats { messages: 1, ..Stats::default() };
    stats.latency.record(Duration::from_micros(90));
    series.record(Duration::ZERO, &stats, 2);
    let one = Timeline::new(&series, Duration::from_secs(1), &mut LatencyCache::default());
    let rows = drawn(&one, MIN_WIDTH, MIN_HEIGHT);
    let dots = |rows: &[String]| {
        rows.concat().chars().filter(|it| ('\u{2801}'..='\u{28ff}').contains(it)).count()
    };
    assert!(dots(&rows) >= 2, "{rows:?}");
    assert!(Chart::fits(Rect::new(0, 0, MIN_WIDTH, MIN_HEIGHT)));
    assert!(!Chart::fits(Rect::new(0, 0, MIN_WIDTH - 1, MIN_HEIGHT)));
}
