//! Tests of `docs/deploy/grafana-dashboard.json` and of the queries in docs/OBSERVE.md.

use std::{collections::BTreeSet, fs};

use serde_json::Value;
use tempfile::tempdir;
use tests::{
    programs::Program,
    promql::{
        Query, dashboard, dashboard_queries, metric_names, page_metrics, page_queries, rules,
    },
    requirements::{promtool, skip_without},
};

/// The queries of the dashboard and of the page.
fn queries() -> Vec<Query> {
    [dashboard_queries(), page_queries()].concat()
}

fn panels() -> Vec<Value> {
    dashboard()["panels"].as_array().expect("it has panels").clone()
}

#[test]
fn the_page_explains_each_metric_of_a_query() {
    let mut known: BTreeSet<String> = BTreeSet::from(["up".to_owned()]);
    for (name, form, _) in page_metrics() {
        match &form[..] {
            "histogram" => {
                known.extend(["bucket", "count", "sum"].map(|part| format!("{name}_{part}")));
            }
            "counter" | "gauge" => {
                assert_eq!(form == "counter", name.ends_with("_total"), "{name} is a {form}");
                known.insert(name);
            }
            form => panic!("{name} has the unknown type {form}"),
        }
    }
    for query in queries() {
        let names = metric_names(&query.text);
        assert!(!names.is_empty(), "no metric in {query:?}");
        for name in names {
            assert!(known.contains(&name), "docs/OBSERVE.md does not explain {name} of {query:?}");
        }
    }
}

#[test]
fn the_dashboard_shows_each_metric_of_the_page() {
    let shown: BTreeSet<String> =
        dashboard_queries().iter().flat_map(|query| metric_names(&query.text)).collect();
    for (name, form, _) in page_metrics() {
        let name = if form == "histogram" { format!("{name}_bucket") } else { name };
        assert!(shown.contains(&name), "the dashboard does not show {name}");
    }
}

#[test]
fn prometheus_parses_each_query() {
    if skip_without(&[promtool()]) {
        return;
    }
    let queries = queries();
    assert!(queries.len() > 40, "{queries:?}");
    let directory = tempdir().expect("a temporary directory");
    let path = directory.path().join("queries.yml");
    fs::write(&path, rules(&queries)).expect("the file can be written");
    let path = path.to_str().expect("the path is UTF-8");
    let checked = Program::start("promtool".into(), &["check", "rules", path]).finish();
    assert_eq!(checked.code(), 0, "{checked:?}");
    let found = format!("{} rules found", queries.len());
    assert!(checked.stdout_text().contains(&found), "{checked:?}");
}

#[test]
fn each_panel_has_a_description_and_takes_the_data_source_of_the_variable() {
    let dashboard = dashboard();
    assert_eq!(dashboard["schemaVersion"], 42, "of Grafana 12.2 and later");
    let variables = dashboard["templating"]["list"].as_array().expect("it has variables");
    let names: Vec<_> = variables.iter().map(|variable| &variable["name"]).collect();
    assert_eq!(names, ["datasource", "job", "instance", "listener"]);
    let data_source = serde_json::json!({"type": "prometheus", "uid": "${datasource}"});
    for variable in &variables[1..] {
        assert_eq!(variable["datasource"], data_source, "{variable}");
    }
    let panels = panels();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{panel}");
        assert_eq!(panel["datasource"], data_source, "{panel}");
        let targets = panel["targets"].as_array().expect("a panel has queries");
        let ids: BTreeSet<_> = targets.iter().map(|target| target["refId"].to_string()).collect();
        assert_eq!(ids.len(), targets.len(), "{panel}");
        assert!(targets.iter().all(|target| target["datasource"] == data_source), "{panel}");
    }
}

#[test]
fn panels_have_numbers_of_their_own_and_do_not_overlap() {
    let panels = panels();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut taken = BTreeSet::new();
    for panel in &panels {
        let place = |of: &str| panel["gridPos"][of].as_u64().expect("a panel has a place");
        assert!(place("x") + place("w") <= 24, "{panel}");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "it overlaps with another: {panel}");
            }
        }
    }
}
