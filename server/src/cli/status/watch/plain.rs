//! Samples as blocks of lines, or as lines of JSON.

use std::{io, time::Instant};

use common::cli::print_error;
use rustix::event::PollFlags;

use super::{
    clock::clock,
    sampler::Sampler,
    series::Series,
    signals::{End, Signals},
    wait::wait,
};
use crate::cli::output::{print, print_lines, width};

/// Prints samples until a signal ends it, or until nobody reads them.
pub(super) fn run(
    series: &mut Series,
    sampler: &Sampler,
    signals: &Signals,
    is_json: bool,
) -> anyhow::Result<End> {
    let output = io::stdout();
    loop {
        let files: [(&dyn std::os::fd::AsFd, PollFlags); 3] = [
            (signals, PollFlags::IN),
            (sampler, PollFlags::IN),
            // Only its end.
            (&output, PollFlags::empty()),
        ];
        let [has_signal, _, has_no_reader] = wait(files, None)?;
        if let Some(end) = has_signal.then(|| signals.take()).flatten() {
            return Ok(end);
        }
        if has_no_reader {
            return Ok(End::User);
        }
        for sample in sampler.take() {
            let is_outage = series.take(sample, Instant::now(), clock);
            let is_read =
                if is_json { print_json(series, is_outage)? } else { print_block(series)? };
            if !is_read {
                return Ok(End::User);
            }
        }
    }
}

/// Prints the sample. A sample without an answer has no line; the first one of them is an error.
fn print_json(series: &Series, is_outage: bool) -> anyhow::Result<bool> {
    if let Some(sample) = series.current() {
        return print(&format!("{}\n", sample.json()));
    }
    if is_outage {
        print_error(&series.problems().join("; "));
    }
    Ok(true)
}

fn print_block(series: &Series) -> anyhow::Result<bool> {
    let mut text = series.text(width(), Instant::now());
    text.title("");
    print_lines(&text.lines)
}
