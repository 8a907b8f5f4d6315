//! Histogram of the latency as bars, one for each step of 1, 2, 5, 10, 20, 50 and so on.

use comfy_table::{CellAlignment, Table, presets};

use crate::load::stats::{
    format::{nanos, percent, time},
    histogram::Histogram,
};

/// Maximum length of a bar, in characters.
const MAX_LEN: f64 = 40.0;

/// Draws the bars of a histogram that is not empty.
pub(super) fn latency_bars(histogram: &Histogram) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let hdr = histogram.hdr();
    let (shortest, longest) = (nanos(histogram.min()), nanos(histogram.max()));
    let mut from = 0;
    for to in steps() {
        if to > shortest {
            let share = share(hdr.count_between(from, to - 1), histogram.len());
            let bar = "#".repeat(bar_len(share));
            table.add_row([format!("< {}", time(to)), percent(share), bar]);
        }
        from = to;
        if to > longest {
            break;
        }
    }
    for column in table.column_iter_mut().take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Returns the limits of the bars in nanoseconds, up to a thousand hours.
fn steps() -> impl Iterator<Item = u64> {
    (0..16).flat_map(|power| [1, 2, 5].map(|step| step * 10_u64.pow(power)))
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown with three digits")]
fn share(part: u64, all: u64) -> f64 {
    part as f64 / all as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to the maximum length"
)]
fn bar_len(share: f64) -> usize {
    (share * MAX_LEN).ceil() as usize
}
