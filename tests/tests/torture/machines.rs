//! A load from several machines: each is a network namespace of its own, on one bridge with the server.

use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::{self, Command},
};

use serde_json::Value;
use tempfile::tempdir;
use tests::{
    deployment::path,
    programs::{Program, binaries},
    requirements::{self, skip_without},
};

/// Machines that load the server.
const LOADS: u8 = 3;

/// Network of a server and its loads, without the network of the host. Dropping this removes it.
struct Network {
    /// Prefix of the names of its namespaces.
    prefix: String,
}

impl Network {
    /// Creates a network, or returns why this is not possible.
    fn create() -> Result<Self, String> {
        let network = Self { prefix: format!("echo-{}", process::id()) };
        let bridge = network.name("bridge");
        ip(&["netns", "add", &bridge])?;
        ip(&["-n", &bridge, "link", "add", "bridge", "type", "bridge"])?;
        ip(&["-n", &bridge, "link", "set", "bridge", "up"])?;
        for number in 0..=LOADS {
            let (machine, port) = (network.machine(number), format!("port{number}"));
            let address = format!("10.99.0.{}/24", number + 1);
            ip(&["netns", "add", &machine])?;
            let pair = ["type", "veth", "peer", "name", "net", "netns", &machine];
            ip(&[&["-n", &bridge, "link", "add", &port][..], &pair].concat())?;
            ip(&["-n", &bridge, "link", "set", &port, "master", "bridge", "up"])?;
            ip(&["-n", &machine, "address", "add", &address, "dev", "net"])?;
            ip(&["-n", &machine, "link", "set", "net", "up"])?;
        }
        Ok(network)
    }

    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// Returns the name of a machine; 0 is the server.
    fn machine(&self, number: u8) -> String {
        self.name(&number.to_string())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let machines = (0..=LOADS).map(|number| self.machine(number));
        for name in machines.chain([self.name("bridge")]) {
            let _ = ip(&["netns", "delete", &name]);
        }
    }
}

fn ip(args: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(args).output().map_err(|error| error.to_string())?;
    let error = || {
        format!(
            "network namespaces (ip {}: {})",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    if output.status.success() { Ok(()) } else { Err(error()) }
}

/// The script of docs/deploy reaches each machine by a program that stands in for ssh. All reports come back, and the load of
/// each machine comes from its own address.
#[test]
#[ignore = "make torture"]
fn gnu_parallel_loads_a_server_from_three_machines_at_the_same_time() {
    let network = Network::create();
    if skip_without(&[
        requirements::tool("parallel", &["--version"], "install the package parallel"),
        requirements::privilege(&network),
    ]) {
        return;
    }
    let network = network.expect("it was created");
    let directory = tempdir().expect("a temporary directory");
    let mut server = Command::new("ip");
    server.args(["netns", "exec", &network.machine(0)]).arg(binaries::echo_server());
    server.args(["--listen", "tcp://10.99.0.1:7"]);
    let server = Program::spawn(server);
    let _ = server.stderr.wait_for_line("Echo server started on");

    let ssh = directory.path().join("ssh");
    let script = "#!/bin/sh\nhost=$1\nshift 2\nexec ip netns exec \"$host\" sh -c \"$*\"\n";
    fs::write(&ssh, script).expect("the file can be written");
    fs::set_permissions(&ssh, Permissions::from_mode(0o755)).expect("the file is our own");
    let hosts: Vec<_> = (1..=LOADS).map(|number| network.machine(number)).collect();
    let mut command = Command::new(path("load-parallel.sh"));
    let programs = env::var("PATH").expect("a path");
    command.env("PATH", format!("{}:{programs}", directory.path().display()));
    command.env("PARALLEL_SSH", "ssh").env("HOSTS", hosts.join(","));
    command.env("SERVER", "tcp://10.99.0.1:7").env("START_IN", "5");
    command.env("LOAD", "--processes 2 --connections 5 --rate 500 --duration 2s");
    command.env("ECHO_CLIENT", binaries::echo_client());
    command.env("REPORTS", directory.path().join("reports"));
    command.args(["--json", "-", "--assert", "errors=0"]);
    let ended = Program::spawn(command).finish();

    assert!(matches!(ended.code(), 0 | 4), "{ended:?}");
    let merged: Value = serde_json::from_slice(&ended.stdout).expect("a report is JSON");
    assert_eq!(merged["messages"], u64::from(LOADS) * 2 * 500, "{merged:#}");
    let parts = merged["parts"].as_array().expect("a list");
    assert_eq!(parts.len(), usize::from(LOADS));
    let requested = &parts[0]["start"]["requested"];
    assert!(
        requested.is_string() && parts.iter().all(|part| part["start"]["requested"] == *requested)
    );
    let log = server.stderr.text();
    for number in 1..=LOADS {
        let clients =
            log.matches(&format!("New client connected: 10.99.0.{}:", number + 1)).count();
        // One of the connections is the preflight, if the client makes one.
        assert!((10..=11).contains(&clients), "{clients} of machine {number}: {log}");
    }
}
