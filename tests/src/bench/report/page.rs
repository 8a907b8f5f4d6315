//! `BENCHMARKS.md`: the tables with the method and the machine.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use super::tables::tables;
use crate::{
    measure::machine::Machine,
    metric::Metric,
    results::{CaseResults, Summary},
};

/// Parameters of the measurement.
pub(crate) struct Method {
    pub rounds: usize,
    pub foreign_rounds: usize,
    pub duration: Duration,
    pub threads: usize,
    /// Servers that are not installed.
    pub absent: Vec<&'static str>,
    pub machine: Machine,
}

impl Method {
    pub(crate) fn json(&self) -> Value {
        json!({
            "rounds": self.rounds,
            "rounds_of_foreign_servers": self.foreign_rounds,
            "seconds": self.duration.as_secs_f64(),
            "server_threads": self.threads,
            "machine": self.machine.json(),
        })
    }
}

/// Returns the text of `BENCHMARKS.md`: the template with its placeholders replaced.
pub(crate) fn page(results: &[CaseResults], method: &Method, chart: Option<&Path>) -> String {
    let machine = &method.machine;
    let chart = chart.map_or_else(String::new, |path| {
        format!("![Throughput and CPU per message as ratios to the floor]({})\n\n", path.display())
    });
    let values = [
        ("chart", chart),
        ("tables", tables(results)),
        ("seconds", format!("{:.1}", method.duration.as_secs_f64())),
        ("rounds", method.rounds.to_string()),
        ("foreign_rounds", method.foreign_rounds.to_string()),
        ("absent", absent(method)),
        ("others", others(results)),
        ("processor", machine.processor.clone()),
        ("cores", machine.cores.to_string()),
        ("kernel", machine.kernel.clone()),
        ("compiler", machine.compiler.clone()),
        ("source", machine.commit.clone()),
        ("descriptors", machine.descriptors.to_string()),
        ("threads", method.threads.to_string()),
        ("busy", format!("{:.0}", machine.busy_percent)),
    ];
    let template = include_str!("benchmarks.md").to_owned();
    values
        .iter()
        .fold(template, |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// Names the servers that are left out.
fn absent(method: &Method) -> String {
    match &method.absent[..] {
        [] => String::new(),
        absent => format!("- Not installed, and so left out: {}.\n", absent.join(", ")),
    }
}

/// Describes the share of other processes, if it was measured.
fn others(results: &[CaseResults]) -> String {
    let of_servers = results.iter().flat_map(|case| {
        case.candidates().filter_map(|candidate| case.summary(candidate, Metric::Others))
    });
    let Some(worst) = Summary::of(of_servers.map(|summary| summary.max)) else {
        return String::new();
    };
    format!(
        "- *Others* is the time of everything except server and load, as a share of all cores: threads of the kernel,\n  \
         writes of the log to the disk, other processes. {:.1} % in the worst run, {:.1} % in the median of the worst\n  \
         runs of each server.\n",
        worst.max, worst.median
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_no_other_placeholders() {
        let machine = Machine {
            processor: "p".into(),
            cores: 2,
            kernel: "k".into(),
            compiler: "c".into(),
            commit: "s".into(),
            descriptors: 1,
            busy_percent: 0.0,
        };
        let (duration, threads) = (Duration::from_secs(1), 2);
        let absent = vec!["ncat"];
        let method = Method { rounds: 7, foreign_rounds: 2, duration, threads, absent, machine };
        let text = page(&[], &method, None);
        assert!(!text.contains("{{") && text.contains("Each of 7 rounds"), "{text}");
        assert!(text.contains("\n- Not installed, and so left out: ncat.\n"), "{text}");
    }
}
