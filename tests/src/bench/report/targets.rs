//! The targets and the measured values. The report shows which targets are not met.

use crate::{candidate::Candidate, case::Kind, metric::Metric, results::CaseResults};

/// Target, and the measured value.
pub(super) struct Target {
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
pub(super) fn of(results: &[CaseResults]) -> Vec<Target> {
    let results = Results(results);
    [
        steady(&results),
        tails(&results),
        worst(&results),
        resources(&results),
        others(&results),
        tls(&results),
        websocket(&results),
        udp(&results),
        rooms(&results),
    ]
    .into_iter()
    .flatten()
    .flatten()
    .collect()
}

fn target(what: &str, bound: Bound, value: Option<f64>, remark: &str) -> Option<Target> {
    let value = value?;
    let (what, text, is_met) = (what.to_owned(), bound.text(), bound.holds(value));
    let shown = if value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    Some(Target { what, bound: text, measured: format!("{shown}{remark}"), is_met })
}

/// Returns the targets of connections that stay open, relative to the floor.
fn steady(results: &Results<'_>) -> Vec<Option<Target>> {
    let cases = [("50", "50 connections"), ("1000", "1,000 connections"), ("depth32", "depth 32")];
    let targets = cases.iter().flat_map(|(name, title)| {
        let ratio = |metric| results.ratio(name, Candidate::Ours, Candidate::Floor, metric);
        let cpu = format!("{title}: CPU relative to the floor");
        let rate = format!("{title}: throughput relative to the floor");
        [
            target(&cpu, AtMost(1.05), ratio(Metric::Cpu), ""),
            target(&rate, AtLeast(0.97), ratio(Metric::Rate), ""),
        ]
    });
    targets.collect()
}

/// Returns the targets of long round trips: of saturated connections, and on a schedule, which users feel.
fn tails(results: &Results<'_>) -> Vec<Option<Target>> {
    let p99 = |case, to| results.ratio(case, Candidate::Ours, to, Metric::P99);
    let (floor, tokio) = (Candidate::Floor, Candidate::Tokio);
    let rate = results.ratio("50", Candidate::Ours, floor, Metric::Rate);
    let lead = "50 connections: lead in throughput over the floor";
    vec![
        target("50 connections: p99 relative to the floor", AtMost(1.0), p99("50", floor), ""),
        target(lead, AtLeast(1.2), rate, ""),
        target("50 at 60 %: p99 relative to the floor", AtMost(1.0), p99("open-60", floor), ""),
        target("50 at 60 %: p99 relative to tokio", AtMost(1.0), p99("open-60", tokio), ""),
    ]
}

/// Returns the targets of the worst ratio of several cases.
fn worst(results: &Results<'_>) -> Vec<Option<Target>> {
    // A schedule sets the rate of an open loop.
    let is_closed = |kind: Kind| !kind.is_tls() && !matches!(kind, Kind::OpenLoop { .. });
    let plain = results.0.iter().filter(|case| is_closed(case.case.kind));
    let to_tokio = plain.filter_map(|case| {
        let ratio = case.ratio_to(Candidate::Ours, Candidate::Tokio, Metric::Rate)?;
        Some((ratio.median, case.case.title))
    });
    let to_log_off = ["1", "50", "1000", "10000"].into_iter().filter_map(|name| {
        let ratio = results.ratio(name, Candidate::OursLogged, Candidate::Ours, Metric::Rate)?;
        Some((ratio, results.case(name)?.case.title))
    });
    let worst = |what, bound, (ratio, case): (f64, &str)| {
        target(what, bound, Some(ratio), &format!(" at worst ({case})"))
    };
    let by_ratio = |a: &(f64, &str), b: &(f64, &str)| a.0.total_cmp(&b.0);
    let tokio = "every case: throughput relative to tokio";
    let log = "depth 1: throughput with log relative to without";
    vec![
        to_tokio.min_by(by_ratio).and_then(|ratio| worst(tokio, AtLeast(1.0), ratio)),
        to_log_off.min_by(by_ratio).and_then(|ratio| worst(log, AtLeast(0.85), ratio)),
    ]
}

/// Returns the targets of log records, memory and processor time.
fn resources(results: &Results<'_>) -> Vec<Option<Target>> {
    let records =
        results.figure("depth32", Candidate::OursLogged, Metric::Rate).map(|rate| 2.0 * rate);
    let idle = results.figure("idle", Candidate::OursLogged, Metric::IdleBytes);
    let growth = |candidate| {
        let many = results.figure("10000", candidate, Metric::Cpu)?;
        Some(many / results.figure("50", candidate, Metric::Cpu)?)
    };
    let floor = growth(Candidate::Floor);
    let floor = floor.map_or_else(String::new, |floor| format!(" (the floor: {floor:.2})"));
    let growth = growth(Candidate::Ours);
    vec![
        target("depth 32: log records per second", AtLeast(2e6), records, ""),
        target("resident bytes per idle connection", AtMost(256.0), idle, ""),
        target("CPU with 10,000 connections relative to 50", AtMost(1.5), growth, &floor),
    ]
}

/// Returns the targets of fairness, churn, a single connection and many processes.
fn others(results: &Results<'_>) -> Vec<Option<Target>> {
    let fairness =
        [(Candidate::Floor, "the floor"), (Candidate::Tokio, "tokio")].map(|(candidate, name)| {
            let what = format!("50 beside streams: p99 relative to {name}");
            target(
                &what,
                AtMost(1.0),
                results.ratio("fairness", Candidate::Ours, candidate, Metric::P99),
                "",
            )
        });
    let cases =
        [("churn", "churn", 0.95), ("1", "1 connection", 2.0), ("procs", "50 processes", 0.97)];
    let rates = cases.map(|(name, title, min)| {
        let what = format!("{title}: throughput relative to the floor");
        let ratio = results.ratio(name, Candidate::Ours, Candidate::Floor, Metric::Rate);
        target(&what, AtLeast(min), ratio, "")
    });
    fairness.into_iter().chain(rates).collect()
}

/// Returns the targets of WebSocket. The peer on tokio is tokio-tungstenite.
fn websocket(results: &Results<'_>) -> Vec<Option<Target>> {
    let ratio = |case, to, metric| results.ratio(case, Candidate::Ours, to, metric);
    let (floor, tokio) = (Candidate::Floor, Candidate::Tokio);
    let idle = results.figure("ws-idle", Candidate::Ours, Metric::IdleBytes);
    vec![
        target(
            "WebSocket, 50: CPU relative to the floor",
            AtMost(1.1),
            ratio("ws-50", floor, Metric::Cpu),
            "",
        ),
        target(
            "WebSocket, 50: throughput relative to tokio-tungstenite",
            AtLeast(1.2),
            ratio("ws-50", tokio, Metric::Rate),
            "",
        ),
        target(
            "WebSocket, 1 MB: throughput relative to tokio-tungstenite",
            AtLeast(1.5),
            ratio("ws-1m", tokio, Metric::Rate),
            "",
        ),
        target("WebSocket: resident bytes per idle connection", AtMost(400.0), idle, ""),
    ]
}

/// Returns the targets of UDP.
fn udp(results: &Results<'_>) -> Vec<Option<Target>> {
    let ratio = |case, metric| results.ratio(case, Candidate::Ours, Candidate::Floor, metric);
    let busy = [("udp-8", "UDP, 8 sockets"), ("udp-32", "UDP, 32 sockets")];
    let busy = busy.into_iter().flat_map(|(case, title)| {
        let rate = format!("{title}: throughput relative to the floor");
        let cpu = format!("{title}: CPU relative to the floor");
        [
            target(&rate, AtLeast(0.95), ratio(case, Metric::Rate), ""),
            target(&cpu, AtMost(1.1), ratio(case, Metric::Cpu), ""),
        ]
    });
    let alone = ratio("udp-1", Metric::Rate);
    let alone = target("UDP, 1 socket: throughput relative to the floor", AtLeast(2.1), alone, "");
    busy.chain([alone]).collect()
}

/// Returns the targets of rooms.
fn rooms(results: &Results<'_>) -> Vec<Option<Target>> {
    let ratio = |case, to, metric| results.ratio(case, Candidate::Ours, to, metric);
    let floor = Candidate::Floor;
    let rate = ratio("room", floor, Metric::Rate);
    let lines = ratio("room-lines", floor, Metric::Rate);
    let brokers = [(Candidate::Redis, "Redis"), (Candidate::Nats, "NATS")];
    let brokers = brokers.into_iter().flat_map(|(broker, name)| {
        let rate = format!("room: deliveries per second relative to {name}");
        let p99 = format!("room, fixed rate: p99 relative to {name}");
        [
            target(&rate, AtLeast(1.0), ratio("room", broker, Metric::Rate), ""),
            target(&p99, AtMost(1.0), ratio("room-rate", broker, Metric::P99), ""),
        ]
    });
    [
        target("room: deliveries per second relative to the floor", AtLeast(0.95), rate, ""),
        target(
            "room, lines: deliveries per second relative to the floor",
            AtLeast(0.95),
            lines,
            "",
        ),
    ]
    .into_iter()
    .chain(brokers)
    .collect()
}

/// Returns the targets of TLS.
fn tls(results: &Results<'_>) -> Vec<Option<Target>> {
    let ratio = |case, to, metric| results.ratio(case, Candidate::Ours, to, metric);
    let echo =
        [("tls-50", "TLS, 50"), ("tls-16k", "TLS, 16 KB")].into_iter().flat_map(|(case, title)| {
            [
                (
                    Metric::Rate,
                    "throughput relative to tokio-rustls",
                    AtLeast(1.0),
                    Candidate::Tokio,
                ),
                (Metric::Rate, "throughput relative to the floor", AtLeast(0.97), Candidate::Floor),
                (Metric::Cpu, "CPU relative to the floor", AtMost(1.05), Candidate::Floor),
            ]
            .map(|(metric, what, bound, to)| {
                target(&format!("{title}: {what}"), bound, ratio(case, to, metric), "")
            })
        });
    let handshakes = ratio("tls-full", Candidate::Tokio, Metric::Rate);
    let flood = ratio("tls-flood", Candidate::Tokio, Metric::P99);
    let idle = results.figure("tls-idle", Candidate::Ours, Metric::IdleBytes);
    let rest = [
        target("TLS: full handshakes relative to tokio-rustls", AtLeast(1.0), handshakes, ""),
        target("TLS: resident bytes per idle connection", AtMost(9.0 * 1024.0), idle, ""),
        target("TLS, 50 beside a flood: p99 relative to tokio-rustls", AtMost(1.0), flood, ""),
    ];
    echo.chain(rest).collect()
}

struct Results<'a>(&'a [CaseResults]);

impl Results<'_> {
    fn case(&self, name: &str) -> Option<&CaseResults> {
        self.0.iter().find(|case| case.case.name == name)
    }

    fn ratio(&self, case: &str, of: Candidate, to: Candidate, metric: Metric) -> Option<f64> {
        Some(self.case(case)?.ratio_to(of, to, metric)?.median)
    }

    fn figure(&self, case: &str, of: Candidate, metric: Metric) -> Option<f64> {
        Some(self.case(case)?.summary(of, metric)?.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{case, results::Run};

    #[test]
    fn a_target_is_met_if_its_bound_holds() {
        let mut churn = CaseResults::new(case::parse("churn").unwrap());
        for (candidate, rate) in
            [(Candidate::Ours, 90.0), (Candidate::Floor, 100.0), (Candidate::Tokio, 80.0)]
        {
            churn.add(candidate, 0, Ok(Run::from([(Metric::Rate, rate)])));
        }
        let targets = of(&[churn]);
        let met: Vec<_> =
            targets.iter().map(|target| (&target.measured[..], target.is_met)).collect();
        assert_eq!(met, [("1.12 at worst (churn)", true), ("0.90", false)]);
    }

    #[test]
    fn an_idle_websocket_has_a_target_of_its_own() {
        let mut idle = CaseResults::new(case::parse("ws-idle").unwrap());
        idle.add(Candidate::Ours, 0, Ok(Run::from([(Metric::IdleBytes, 401.0)])));
        let targets = of(&[idle]);
        let met: Vec<_> =
            targets.iter().map(|target| (&target.measured[..], target.is_met)).collect();
        assert_eq!(met, [("401.00", false)]);
    }

    #[test]
    fn udp_is_compared_with_the_loop_that_has_batches() {
        let mut busy = CaseResults::new(case::parse("udp-8").unwrap());
        for (candidate, rate, cpu) in [
            (Candidate::Ours, 95.0, 4.5),
            (Candidate::Floor, 100.0, 4.0),
            (Candidate::SingleFloor, 50.0, 9.0),
        ] {
            let run = Run::from([(Metric::Rate, rate), (Metric::Cpu, cpu)]);
            busy.add(candidate, 0, Ok(run));
        }
        let targets = of(&[busy]);
        let met: Vec<_> =
            targets.iter().map(|target| (&target.measured[..], target.is_met)).collect();
        assert_eq!(met, [("0.95", true), ("1.12", false)]);
    }

    #[test]
    fn tls_is_compared_with_tls_only() {
        let mut full = CaseResults::new(case::parse("tls-full").unwrap());
        for (candidate, rate) in [(Candidate::Ours, 90.0), (Candidate::Tokio, 100.0)] {
            full.add(candidate, 0, Ok(Run::from([(Metric::Rate, rate)])));
        }
        let mut idle = CaseResults::new(case::parse("tls-idle").unwrap());
        idle.add(Candidate::Ours, 0, Ok(Run::from([(Metric::IdleBytes, 9216.0)])));
        let targets = of(&[full, idle]);
        let met: Vec<_> =
            targets.iter().map(|target| (&target.measured[..], target.is_met)).collect();
        assert_eq!(met, [("0.90", false), ("9216", true)]);
    }
}
