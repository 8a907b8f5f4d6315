//! Tests of `docs/deploy/kubernetes.yaml`, `load-job.yaml` and `podmonitor.yaml`, and of the container that they run.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;
use tests::{
    deployment::{command, find, path, text, time},
    programs::{EchoServer, Program, binaries},
    promql::page_queries,
    requirements::{self, node_package, skip_without},
};

/// Returns the document of this kind in the manifest.
fn manifest(kind: &str) -> Value {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text("kubernetes.yaml")).expect("the manifest is YAML");
    let found = documents.into_iter().find(|document| document["kind"] == kind);
    found.unwrap_or_else(|| panic!("the manifest has no {kind}"))
}

fn container() -> Value {
    manifest("Deployment")["spec"]["template"]["spec"]["containers"][0].clone()
}

fn words(list: &Value) -> Vec<String> {
    serde_json::from_value(list.clone()).unwrap_or_else(|error| panic!("{error}: {list}"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value}"))
}

#[test]
fn the_server_accepts_the_command_line_of_the_container() {
    let file = text("Containerfile");
    assert_eq!(command(&file, "^ENTRYPOINT (.*)$"), ["/echo-server"]);
    for args in [command(&file, "^CMD (.*)$"), words(&container()["args"])] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let checked = Program::run_server(&[&["config", "check"], &args[..]].concat());
        assert_eq!(checked.code(), 0, "{args:?}: {checked:?}");
    }
}

#[test]
fn the_first_probe_and_the_health_check_of_the_image_are_round_trips() {
    let check = command(&text("Containerfile"), r"(?s)^HEALTHCHECK [^\[]*?CMD (\[.*?\])$");
    let probe = words(&container()["startupProbe"]["exec"]["command"]);
    let server = EchoServer::start(&[]);
    let listening = server.address().to_string();
    for probe in [probe, check] {
        let [program, args @ ..] = &probe[..] else { panic!("the command is empty") };
        assert_eq!(program, "/echo-client");
        let probe = |address: &str| {
            let args: Vec<_> =
                args.iter().map(|arg| arg.replace("127.0.0.1:65432", address)).collect();
            Program::start(binaries::echo_client(), &args).finish()
        };
        assert_eq!(probe(&listening).code(), 0, "{args:?}");
        // No program listens on port 1.
        assert_eq!(probe("127.0.0.1:1").code(), 1, "{args:?}");
    }
}

/// Sends the request of a node for a probe, which names the address of the pod. Returns the status.
fn probe(admin: &str, probe: &Value) -> String {
    let request = &probe["httpGet"];
    assert_eq!(request["port"], "admin", "{probe}");
    let path = request["path"].as_str().expect("a path");
    let mut stream = TcpStream::connect(admin).expect("the admin listener accepts");
    let head =
        "Host: 10.1.2.3:9465\r\nUser-Agent: kube-probe/1.37\r\nAccept: */*\r\nConnection: close";
    write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\n\r\n").expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers");
    response.split(' ').nth(1).expect("a status").to_owned()
}

#[test]
fn a_server_that_shuts_down_is_alive_and_not_ready_for_the_probes() {
    let container = container();
    let probes = ["readinessProbe", "livenessProbe"].map(|probe| &container[probe]);
    let server = EchoServer::start(&["--admin", "http://127.0.0.1:0", "--drain-delay", "1h"]);
    let line = server.log().wait_for_line("Admin listener started on http://");
    let admin = line.rsplit('/').next().expect("an address");
    assert_eq!(probes.map(|of| probe(admin, of)), ["200", "200"]);
    server.signal(Signal::TERM);
    server.wait_for_log("Shutting down: the server serves for another 1h");
    assert_eq!(probes.map(|of| probe(admin, of)), ["503", "200"]);
}

#[test]
fn the_manifests_follow_the_schema_of_kubernetes() {
    if skip_without(&[requirements::tool(
        "kubernetes-validate",
        &["--version"],
        "run pip install kubernetes-validate",
    )]) {
        return;
    }
    for name in ["kubernetes.yaml", "kubernetes-http.yaml", "load-job.yaml"] {
        let file = path(name);
        let args = ["--strict", file.to_str().expect("the path is UTF-8")];
        let checked = Program::start("kubernetes-validate".into(), &args).finish();
        assert_eq!(checked.code(), 0, "{name}: {checked:?}");
    }
}

#[test]
fn kubernetes_leaves_time_for_the_drain() {
    let deployment = manifest("Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    let container = container();
    let args = words(&container["args"]).join("\n");
    let (before, drain) =
        (time(&args, "^--drain-delay=(.*)$"), time(&args, "^--drain-timeout=(.*)$"));
    let grace = Duration::from_secs(number(&pod["terminationGracePeriodSeconds"]));
    assert!(grace > before + drain, "{grace:?} is not more than {before:?} and {drain:?}");
    let probe = &container["startupProbe"];
    let own = time(&words(&probe["exec"]["command"]).join("\n"), "^--timeout=(.*)$");
    let max = Duration::from_secs(number(&probe["timeoutSeconds"]));
    assert!(own < max, "the probe would not end by its own timeout");
    // New clients go elsewhere before the listeners close.
    let ready = &container["readinessProbe"];
    let noticed = number(&ready["periodSeconds"]) * number(&ready["failureThreshold"]);
    assert!(Duration::from_secs(noticed) < before, "{ready}");
}

#[test]
fn the_manifests_agree_with_each_other_and_with_the_container() {
    let (deployment, service) = (manifest("Deployment"), manifest("Service"));
    let (budget, policy) = (manifest("PodDisruptionBudget"), manifest("NetworkPolicy"));
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert!(labels.is_object());
    for selector in [
        &deployment["spec"]["selector"]["matchLabels"],
        &service["spec"]["selector"],
        &budget["spec"]["selector"]["matchLabels"],
        &policy["spec"]["podSelector"]["matchLabels"],
        &monitor()["spec"]["selector"]["matchLabels"],
    ] {
        assert_eq!(selector, labels);
    }
    let container = container();
    let [port, admin] = [0, 1].map(|index| &container["ports"][index]);
    assert_eq!(service["spec"]["ports"][0]["targetPort"], port["name"]);
    assert_eq!(monitor()["spec"]["podMetricsEndpoints"][0]["port"], admin["name"]);
    let args = words(&container["args"]).join("\n");
    assert_eq!(
        find(&args, r"^--admin=http://0\.0\.0\.0:(\d+)$"),
        admin["containerPort"].to_string()
    );
    let rules = &policy["spec"]["ingress"];
    let open = [0, 1].map(|index| &rules[index]["ports"][0]["port"]);
    assert_eq!(open, [&port["name"], &admin["name"]]);
    assert!(rules[0]["from"].is_null() && rules[1]["from"].is_array(), "{rules}");
    let file = text("Containerfile");
    assert_eq!(find(&file, "^EXPOSE (.*)$"), port["containerPort"].to_string());
    let user = &deployment["spec"]["template"]["spec"]["securityContext"]["runAsUser"];
    assert_eq!(find(&file, r"^USER (\d+):"), user.to_string());
    let replicas = number(&deployment["spec"]["replicas"]);
    assert!(
        replicas > number(&budget["spec"]["maxUnavailable"]),
        "a disruption can stop all replicas"
    );
}

#[test]
fn the_load_job_runs_the_image_of_the_servers_against_their_service() {
    let job: Value = serde_saphyr::from_str(&text("load-job.yaml")).expect("it is YAML");
    let load = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(load["image"], container()["image"]);
    let service = manifest("Service");
    let (name, port) = (&service["metadata"]["name"], &service["spec"]["ports"][0]["port"]);
    let server = format!("tcp://{}:{port}", name.as_str().expect("a name"));
    let args = words(&load["args"]);
    assert_eq!(args[0], server);
    // Each process of the client has a core.
    let processes = find(&args.join("\n"), r"^--processes=(\d+)$").to_owned();
    assert_eq!(load["resources"]["requests"]["cpu"], processes);
    assert_eq!(job["spec"]["completions"], job["spec"]["parallelism"]);
}

/// With service links, a Service with the name echo-server sets `ECHO_SERVER_PORT`.
#[test]
fn a_service_of_the_same_name_does_not_configure_the_server() {
    assert_eq!(manifest("Deployment")["spec"]["template"]["spec"]["enableServiceLinks"], false);
}

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

#[test]
fn prometheus_and_its_operator_give_the_servers_the_job_of_the_alerts_and_of_the_queries() {
    let relabelings = &monitor()["spec"]["podMetricsEndpoints"][0]["relabelings"];
    assert_eq!(relabelings[0]["targetLabel"], "job");
    let job = relabelings[0]["replacement"].as_str().expect("a name").to_owned();
    assert_eq!(find(&text("prometheus.yml"), r"^ +- job_name: (\S+)$"), job);
    let queries = page_queries().into_iter().map(|query| query.text);
    for text in queries.chain([text("prometheus-alerts.yml")]) {
        for other in text.split("job=\"").skip(1) {
            assert!(other.starts_with(&format!("{job}\"")), "another job than {job}: {text}");
        }
    }
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
