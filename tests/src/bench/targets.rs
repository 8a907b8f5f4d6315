//! The targets and the measured values. The report shows which targets are not met.

use crate::{metric::Metric, peer::Peer, results::CaseResults};

/// Target, and the measured value.
pub(crate) struct Target {
    pub what: String,
    pub bound: String,
    /// Measured value, with a remark.
    pub measured: String,
    pub is_met: bool,
}

/// Bound of a value.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(min) => value >= min,
            Self::AtMost(max) => value <= max,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(min) => format!("≥ {min}"),
            Self::AtMost(max) => format!("≤ {max}"),
        }
    }
}

/// Returns the targets whose cases have run.
pub(crate) fn of(results: &[CaseResults]) -> Vec<Target> {
    let all = Results(results);
    let mut targets = Vec::new();
    let mut add = |what: String, bound: Bound, figure: Option<f64>, more: String| {
        let Some(figure) = figure else { return };
        let (bound, is_met) = (bound.text(), bound.holds(figure));
        let shown = if figure >= 1000.0 { format!("{figure:.0}") } else { format!("{figure:.2}") };
        targets.push(Target { what, bound, measured: format!("{shown}{more}"), is_met });
    };
    let none = String::new;
    for (name, title) in
        [("50", "50 connections"), ("1000", "1,000 connections"), ("depth32", "depth 32")]
    {
        let (cpu, rate) =
            (format!("{title}: CPU relative to the floor"), format!("{title}: throughput"));
        let ratio = |metric| all.ratio(name, Peer::Ours, Peer::Floor, metric);
        add(cpu, AtMost(1.05), ratio(Metric::Cpu), none());
        add(format!("{rate} relative to the floor"), AtLeast(0.97), ratio(Metric::Rate), none());
    }
    let to_tokio = results.iter().filter_map(|case| {
        let ratio = case.ratio_to(Peer::Ours, Peer::Tokio, Metric::Rate)?;
        Some((ratio.median, case.case.title))
    });
    if let Some((ratio, case)) = to_tokio.min_by(|a, b| a.0.total_cmp(&b.0)) {
        let what = "every case: throughput relative to tokio".to_owned();
        add(what, AtLeast(1.0), Some(ratio), format!(" at worst ({case})"));
    }
    let to_log_off = ["1", "50", "1000", "10000"].into_iter().filter_map(|name| {
        let ratio = all.ratio(name, Peer::OursLogged, Peer::Ours, Metric::Rate)?;
        Some((ratio, all.case(name)?.case.title))
    });
    if let Some((ratio, case)) = to_log_off.min_by(|a, b| a.0.total_cmp(&b.0)) {
        let what = "depth 1: throughput with log relative to without".to_owned();
        add(what, AtLeast(0.85), Some(ratio), format!(" at worst ({case})"));
    }
    let records = all.figure("depth32", Peer::OursLogged, Metric::Rate).map(|rate| 2.0 * rate);
    add("depth 32: log records per second".into(), AtLeast(2e6), records, none());
    let idle = all.figure("idle", Peer::OursLogged, Metric::IdleBytes);
    add("resident bytes per idle connection".into(), AtMost(256.0), idle, none());
    let growth = |peer| {
        let many = all.figure("10000", peer, Metric::Cpu)?;
        Some(many / all.figure("50", peer, Metric::Cpu)?)
    };
    let own = growth(Peer::Floor).map_or_else(none, |own| format!(" (the floor: {own:.2})"));
    add("CPU with 10,000 connections relative to 50".into(), AtMost(1.5), growth(Peer::Ours), own);
    for (peer, name) in [(Peer::Floor, "the floor"), (Peer::Tokio, "tokio")] {
        let ratio = all.ratio("fairness", Peer::Ours, peer, Metric::P99);
        add(format!("50 beside streams: p99 relative to {name}"), AtMost(1.0), ratio, none());
    }
    for (name, what, min) in
        [("churn", "churn", 0.95), ("1", "1 connection", 2.0), ("procs", "50 processes", 0.97)]
    {
        let ratio = all.ratio(name, Peer::Ours, Peer::Floor, Metric::Rate);
        add(format!("{what}: throughput relative to the floor"), AtLeast(min), ratio, none());
    }
    targets
}

struct Results<'a>(&'a [CaseResults]);

impl Results<'_> {
    fn case(&self, name: &str) -> Option<&CaseResults> {
        self.0.iter().find(|case| case.case.name == name)
    }

    fn ratio(&self, case: &str, of: Peer, to: Peer, metric: Metric) -> Option<f64> {
        Some(self.case(case)?.ratio_to(of, to, metric)?.median)
    }

    fn figure(&self, case: &str, of: Peer, metric: Metric) -> Option<f64> {
        Some(self.case(case)?.summary(of, metric)?.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{case, run::Run};

    #[test]
    fn a_target_is_met_if_its_bound_holds() {
        let mut churn = CaseResults::new(case::parse("churn").unwrap());
        for (peer, rate) in [(Peer::Ours, 90.0), (Peer::Floor, 100.0), (Peer::Tokio, 80.0)] {
            churn.add(peer, 0, Ok(Run::from([(Metric::Rate, rate)])));
        }
        let targets = of(&[churn]);
        let met: Vec<_> =
            targets.iter().map(|target| (&target.measured[..], target.is_met)).collect();
        assert_eq!(met, [("1.12 at worst (churn)", true), ("0.90", false)]);
    }
}
