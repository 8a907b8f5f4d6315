//! The queries of `docs/deploy/grafana-dashboard.json` and of docs/OBSERVE.md, as Prometheus gets them.
//!
//! It finds the queries and the names of metrics in them. Tests decide what a query has to return.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use regex::Regex;
use serde_json::Value;

use crate::deployment;

/// Name of the dashboard in `docs/deploy/`.
pub const DASHBOARD: &str = "grafana-dashboard.json";

/// A query and where it is from.
#[derive(Clone, Debug)]
pub struct Query {
    /// The panel of the dashboard, or the page.
    pub source: String,
    /// The text that Prometheus evaluates.
    pub text: String,
}

/// Returns the dashboard.
#[must_use]
pub fn dashboard() -> Value {
    serde_json::from_str(&deployment::text(DASHBOARD)).expect("the dashboard is JSON")
}

/// Returns the queries of the dashboard's panels, with the values that Grafana gives to its variables for all servers.
#[must_use]
pub fn dashboard_queries() -> Vec<Query> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let queries = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        targets.iter().map(|target| Query {
            source: panel["title"].as_str().expect("a panel has a title").to_owned(),
            text: substitute(target["expr"].as_str().expect("a target has a query")),
        })
    });
    queries.collect()
}

/// Returns the queries of docs/OBSERVE.md: its code blocks with the language `promql`.
#[must_use]
pub fn page_queries() -> Vec<Query> {
    let block = Regex::new(r"(?s)```promql\n(.*?)\n```").expect("it compiles");
    let page = page();
    let query = |text: &str| Query { source: "docs/OBSERVE.md".to_owned(), text: text.to_owned() };
    block.captures_iter(&page).map(|found| query(&found[1])).collect()
}

/// Returns the metrics that docs/OBSERVE.md explains: name, type and labels.
#[must_use]
pub fn page_metrics() -> Vec<(String, String, Vec<String>)> {
    let row =
        Regex::new(r"(?m)^\| `((?:echo|process)_\w+)` \| (\w+) \| (.*?) \|").expect("it compiles");
    let label = Regex::new(r"`(\w+)").expect("it compiles");
    let metric = |found: regex::Captures<'_>| {
        let labels = label.captures_iter(&found[3]).map(|label| label[1].to_owned());
        (found[1].to_owned(), found[2].to_owned(), labels.collect())
    };
    row.captures_iter(&page()).map(metric).collect()
}

/// Returns the names of the metrics in a query.
#[must_use]
pub fn metric_names(query: &str) -> BTreeSet<String> {
    // Selectors, strings, ranges and lists of labels have no names of metrics.
    let others = r#""[^"]*"|\{(?:[^}"]|"[^"]*")*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"#;
    let others = Regex::new(others).expect("it compiles");
    let name = Regex::new(r"[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?").expect("it compiles");
    let rest = others.replace_all(query, " ");
    let names = name.find_iter(&rest).map(|found| found.as_str().trim_end());
    let words = ["and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring"];
    let names = names.filter(|name| !name.ends_with('(') && !words.contains(name));
    names.map(str::to_owned).collect()
}

/// Returns a file of recording rules with these queries, which `promtool check rules` parses.
#[must_use]
pub fn rules(queries: &[Query]) -> String {
    let mut rules = "groups:\n- name: queries\n  rules:\n".to_owned();
    for (index, query) in queries.iter().enumerate() {
        let text = Value::from(query.text.as_str());
        writeln!(rules, "  - record: query:{index}\n    expr: {text}")
            .expect("text takes every byte");
    }
    rules
}

fn page() -> String {
    fs::read_to_string(deployment::path("../OBSERVE.md")).expect("the page exists")
}

fn substitute(query: &str) -> String {
    let mut query = query.replace("$__rate_interval", "1m");
    for variable in ["$job", "$instance", "$listener"] {
        query = query.replace(variable, ".*");
    }
    assert!(!query.contains('$'), "an unknown variable: {query}");
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_functions_and_operators_are_no_metrics() {
        for (query, names) in [
            ("up", &["up"][..]),
            ("sum by (le, instance) (rate(a_bucket{x=~\"b}c\", y!=\"d\"}[5m]))", &["a_bucket"]),
            ("a / on (job) group_left (x) b_total > bool 3 and time() - c", &["a", "b_total", "c"]),
            ("sum(a) by (b)", &["a"]),
            ("label_replace(a[1h], \"x\", \"b\", \"\", \"\")", &["a"]),
        ] {
            let found = metric_names(query);
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            assert_eq!(found, names, "{query}");
        }
    }
}
