//! What is aimed at, next to what was measured: nobody should have to look for what is not met.

use crate::{metric::Metric, peer::Peer, results::CaseResults};

/// Something to be reached, and how far it was.
pub(crate) struct Target {
    pub what: String,
    pub asked: String,
    /// What was measured, and what belongs to it.
    pub got: String,
    pub is_met: bool,
}

/// A figure's bound.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};

impl Bound {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::AtMost(most) => format!("≤ {most}"),
        }
    }
}

/// All targets whose cases were run.
pub(crate) fn of(results: &[CaseResults]) -> Vec<Target> {
    let all = Results(results);
    let mut targets = Vec::new();
    let mut add = |what: String, bound: Bound, figure: Option<f64>, more: String| {
        let Some(figure) = figure else { return };
        let (asked, is_met) = (bound.text(), bound.holds(figure));
        let shown = if figure >= 1000.0 { format!("{figure:.0}") } else { format!("{figure:.2}") };
        targets.push(Target { what, asked, got: format!("{shown}{more}"), is_met });
    };
    let none = String::new;
    for (name, title) in
        [("50", "50 connections"), ("1000", "1,000 connections"), ("depth32", "depth 32")]
    {
        let (cpu, rate) = (format!("{title}: CPU, to the floor's"), format!("{title}: throughput"));
        let ratio = |metric| all.ratio(name, Peer::Ours, Peer::Floor, metric);
        add(cpu, AtMost(1.05), ratio(Metric::Cpu), none());
        add(format!("{rate}, to the floor's"), AtLeast(0.97), ratio(Metric::Rate), none());
    }
    let to_tokio = results.iter().filter_map(|case| {
        let ratio = case.ratio_to(Peer::Ours, Peer::Tokio, Metric::Rate)?;
        Some((ratio.median, case.case.title))
    });
    if let Some((ratio, case)) = to_tokio.min_by(|a, b| a.0.total_cmp(&b.0)) {
        let what = "every case: throughput, to tokio's".to_owned();
        add(what, AtLeast(1.0), Some(ratio), format!(" at worst ({case})"));
    }
    let to_log_off = ["1", "50", "1000", "10000"].into_iter().filter_map(|name| {
        let ratio = all.ratio(name, Peer::OursLogged, Peer::Ours, Metric::Rate)?;
        Some((ratio, all.case(name)?.case.title))
    });
    if let Some((ratio, case)) = to_log_off.min_by(|a, b| a.0.total_cmp(&b.0)) {
        let what = "depth 1: throughput with log, to that without".to_owned();
        add(what, AtLeast(0.85), Some(ratio), format!(" at worst ({case})"));
    }
    let records = all.figure("depth32", Peer::OursLogged, Metric::Rate).map(|rate| 2.0 * rate);
    add("depth 32: log records a second".into(), AtLeast(2e6), records, none());
    let idle = all.figure("idle", Peer::OursLogged, Metric::IdleBytes);
    add("resident bytes of an idle connection".into(), AtMost(256.0), idle, none());
    let growth = |peer| {
        let many = all.figure("10000", peer, Metric::Cpu)?;
        Some(many / all.figure("50", peer, Metric::Cpu)?)
    };
    let own = growth(Peer::Floor).map_or_else(none, |own| format!(" (the floor: {own:.2})"));
    add("CPU with 10,000 connections, to 50".into(), AtMost(1.5), growth(Peer::Ours), own);
    for (peer, whose) in [(Peer::Floor, "the floor's"), (Peer::Tokio, "tokio's")] {
        let ratio = all.ratio("fairness", Peer::Ours, peer, Metric::P99);
        add(format!("50 beside streams: p99, to {whose}"), AtMost(1.0), ratio, none());
    }
    for (name, what, least) in
        [("churn", "churn", 0.95), ("1", "1 connection", 2.0), ("procs", "50 processes", 0.97)]
    {
        let ratio = all.ratio(name, Peer::Ours, Peer::Floor, Metric::Rate);
        add(format!("{what}: throughput, to the floor's"), AtLeast(least), ratio, none());
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
    fn what_is_met_and_what_is_not() {
        let mut churn = CaseResults::new(case::parse("churn").unwrap());
        for (peer, rate) in [(Peer::Ours, 90.0), (Peer::Floor, 100.0), (Peer::Tokio, 80.0)] {
            churn.add(peer, 0, Ok(Run::from([(Metric::Rate, rate)])));
        }
        let targets = of(&[churn]);
        let met: Vec<_> = targets.iter().map(|target| (&target.got[..], target.is_met)).collect();
        assert_eq!(met, [("1.12 at worst (churn)", true), ("0.90", false)]);
    }
}
