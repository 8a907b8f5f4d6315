//! The runs of a benchmark: medians, ranges, ratios to the floor.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{candidate::Candidate, case::Case, metric::Metric};

/// Measured values of one run.
pub(crate) type Run = BTreeMap<Metric, f64>;

/// Key of the number of a run in the JSON.
const ROUND: &str = "round";

/// Median, minimum and maximum of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// Runs of a case.
pub(crate) struct CaseResults {
    pub case: Case,
    /// Runs by server and by round.
    runs: BTreeMap<Candidate, BTreeMap<usize, Run>>,
    /// Failed runs, with the error.
    pub failures: Vec<(Candidate, String)>,
}

impl Summary {
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (&min, &max) = (figures.first()?, figures.last()?);
        let middle = figures.len() / 2;
        let median = if figures.len() % 2 == 1 {
            figures[middle]
        } else {
            f64::midpoint(figures[middle - 1], figures[middle])
        };
        Some(Self { median, min, max })
    }

    fn json(self) -> Value {
        json!({ "median": self.median, "min": self.min, "max": self.max })
    }
}

impl CaseResults {
    pub(crate) fn new(case: Case) -> Self {
        Self { case, runs: BTreeMap::new(), failures: Vec::new() }
    }

    pub(crate) fn add(&mut self, candidate: Candidate, round: usize, run: anyhow::Result<Run>) {
        match run {
            Ok(run) => {
                self.runs.entry(candidate).or_default().insert(round, run);
            }
            Err(error) => self.failures.push((candidate, format!("{error:#}"))),
        }
    }

    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate> {
        self.runs.keys().copied()
    }

    pub(crate) fn has(&self, metric: Metric) -> bool {
        self.runs.values().flat_map(BTreeMap::values).any(|run| run.contains_key(&metric))
    }

    pub(crate) fn summary(&self, candidate: Candidate, metric: Metric) -> Option<Summary> {
        let runs = self.runs.get(&candidate)?;
        Summary::of(runs.values().filter_map(|run| run.get(&metric).copied()))
    }

    /// Returns the ratio to the floor.
    pub(crate) fn ratio(&self, candidate: Candidate, metric: Metric) -> Option<Summary> {
        self.ratio_to(candidate, Candidate::Floor, metric)
    }

    /// Returns the summary of the ratios within each round, in which other activity has affected both servers.
    pub(crate) fn ratio_to(&self, of: Candidate, to: Candidate, metric: Metric) -> Option<Summary> {
        let (of, to) = (self.runs.get(&of)?, self.runs.get(&to)?);
        Summary::of(of.iter().filter_map(|(round, run)| {
            let (of, to) = (run.get(&metric)?, to.get(round)?.get(&metric)?);
            (*to > 0.0).then(|| of / to)
        }))
    }

    pub(crate) fn json(&self) -> Value {
        let servers: BTreeMap<String, Value> = self
            .runs
            .iter()
            .map(|(&candidate, runs)| {
                let by_metric = |summary: &dyn Fn(Metric) -> Option<Summary>| -> Value {
                    let figures = Metric::ALL.into_iter().filter_map(|metric| {
                        Some((metric.name().to_owned(), summary(metric)?.json()))
                    });
                    Value::Object(figures.collect())
                };
                let figures = by_metric(&|metric| self.summary(candidate, metric));
                let ratios = by_metric(&|metric| self.ratio(candidate, metric));
                let runs: Vec<Value> = runs
                    .iter()
                    .map(|(round, run)| {
                        let mut run: BTreeMap<&str, Value> = run
                            .iter()
                            .map(|(metric, &value)| (metric.name(), value.into()))
                            .collect();
                        run.insert(ROUND, (*round).into());
                        json!(run)
                    })
                    .collect();
                let server = json!({ "figures": figures, "ratio_to_floor": ratios, "runs": runs });
                (candidate.name(), server)
            })
            .collect();
        let failures: Vec<Value> = self
            .failures
            .iter()
            .map(|(candidate, why)| json!({ "server": candidate.name(), "why": why }))
            .collect();
        json!({
            "name": self.case.name,
            "title": self.case.title,
            "servers": servers,
            "failures": failures,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CASES;

    #[test]
    fn a_ratio_is_to_the_floor_of_the_same_round() {
        let mut results = CaseResults::new(CASES[0]);
        for (round, (ours, floor)) in
            [(90.0, 100.0), (30.0, 50.0), (80.0, 80.0)].into_iter().enumerate()
        {
            results.add(Candidate::Ours, round, Ok(Run::from([(Metric::Rate, ours)])));
            results.add(Candidate::Floor, round, Ok(Run::from([(Metric::Rate, floor)])));
        }
        let ratio = results.ratio(Candidate::Ours, Metric::Rate).unwrap();
        assert_eq!(ratio, Summary { median: 0.9, min: 0.6, max: 1.0 });
        let median = results.summary(Candidate::Ours, Metric::Rate).unwrap().median;
        assert!((median - 80.0).abs() < 1e-9, "{median}");
    }

    #[test]
    fn the_median_of_an_even_number_of_values_is_between_two() {
        let summary = Summary::of([4.0, 1.0, 2.0, 8.0]).unwrap();
        assert_eq!(summary, Summary { median: 3.0, min: 1.0, max: 8.0 });
    }
}
