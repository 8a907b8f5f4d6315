//! Tests of `docs/deploy/podmonitor.yaml`, which the Prometheus Operator reads.

use std::process::Command;

use serde_json::Value;
use tests::{
    deployment::text,
    programs::Program,
    requirements::{node_package, skip_without},
};

/// Package whose checks are generated from the sources of the operator.
const PACKAGE: &str = "@kubernetes-models/prometheus-operator";

/// Checks the object in its first argument against the definition of the operator.
const CHECK: &str = "
    const models = process.env.NODE_PATH + '/@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
    import(models + '/PodMonitor.js').then(({ PodMonitor }) => {
        new PodMonitor(JSON.parse(process.argv[1])).validate();
        console.log('valid');
    });";

fn monitor() -> Value {
    serde_saphyr::from_str(&text("podmonitor.yaml")).expect("it is YAML")
}

fn check(monitor: &Value) -> (bool, String) {
    let mut command = Command::new("node");
    command.args(["-e", CHECK, &monitor.to_string()]);
    let checked = Program::spawn(command).finish();
    (checked.stdout_text() == "valid\n", checked.stderr)
}

#[test]
fn the_definition_of_the_operator_accepts_the_monitor() {
    if skip_without(&[node_package(PACKAGE)]) {
        return;
    }
    let mut monitor = monitor();
    assert_eq!(check(&monitor), (true, String::new()));
    // The check finds errors.
    monitor["spec"]["podMetricsEndpoints"][0]["interval"] = "15".into();
    let (is_valid, error) = check(&monitor);
    assert!(!is_valid && error.contains("interval must match pattern"), "{error}");
}

/// The definition ignores fields that it does not know, which an operator drops.
#[test]
fn the_monitor_has_no_field_that_the_operator_drops() {
    let monitor = monitor();
    let fields = |value: &Value| -> Vec<String> {
        value.as_object().expect("it is an object").keys().cloned().collect()
    };
    assert_eq!(fields(&monitor), ["apiVersion", "kind", "metadata", "spec"]);
    let known = ["namespaceSelector", "podMetricsEndpoints", "selector"];
    assert!(fields(&monitor["spec"]).iter().all(|name| known.contains(&&name[..])), "{monitor}");
    let known = ["interval", "path", "port", "relabelings", "scheme", "scrapeTimeout"];
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    assert!(fields(endpoint).iter().all(|name| known.contains(&&name[..])), "{endpoint}");
    let known = ["action", "regex", "replacement", "separator", "sourceLabels", "targetLabel"];
    let relabeling = &endpoint["relabelings"][0];
    assert!(fields(relabeling).iter().all(|name| known.contains(&&name[..])), "{relabeling}");
}
