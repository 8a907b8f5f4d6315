//! Tests of the configuration of the server: the file, the environment and flags.

use std::{fs, path::PathBuf, process::Command};

use tempfile::{TempDir, tempdir};
use tests::programs::{EchoServer, Finished, Launch, Program, binaries::echo_server};

/// Writes a configuration file into a temporary directory; returns both.
fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = tempdir().expect("a temporary directory");
    let path = directory.path().join("echo.toml");
    fs::write(&path, text).expect("the file can be written");
    (directory, path)
}

/// Runs the server in the directory of the file, so that `echo.toml` names it.
fn run(text: &str, variables: &[(&str, &str)], args: &[&str]) -> Finished {
    let (directory, _path) = file(text);
    let mut command = Command::new(echo_server());
    command.current_dir(&directory).envs(variables.iter().copied()).args(args);
    Program::spawn(command).finish()
}

const CHECK: [&str; 4] = ["config", "check", "--config", "echo.toml"];
const SHOW: [&str; 4] = ["config", "show", "--config", "echo.toml"];

#[test]
fn the_server_applies_its_configuration_file() {
    let (_directory, path) = file(
        "# Two listeners.\n\
         listen = ['tcp://127.0.0.1:0', 'tcp://127.0.0.1:0?protocol=raw']\n\
         protocol = 'length'\n\
         log-messages = false\n",
    );
    let server = EchoServer::start_with(&["--config", path.to_str().expect("the path is UTF-8")]);
    let [length, raw] = server.addresses() else { panic!("the file names two listeners") };
    let mut peer = tests::net::Peer::connect(length.parse().expect("an address"));
    peer.send(b"\0\0\0\x04exit");
    peer.expect_to_end(b"\0\0\0\x08Goodbye!");
    drop(peer);
    let mut peer = tests::net::Peer::connect(raw.parse().expect("an address"));
    peer.send(b"exit\n");
    peer.expect(b"exit\n");
    drop(peer);
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert!(!log.contains("Received from"), "{log}");
}

#[test]
fn a_flag_overrides_the_environment_and_the_environment_overrides_the_file() {
    let file = "protocol = 'raw'\nlog-level = 'error'\nport = 1\n";
    let variables = [("ECHO_SERVER_PROTOCOL", "length"), ("ECHO_SERVER_PORT", "2")];
    let shown = run(file, &variables, &[&SHOW[..], &["--port", "3"]].concat());
    assert_eq!((shown.code(), &*shown.stderr), (0, ""), "{shown:?}");
    for line in [
        "port = 3 # --port\n",
        "protocol = \"length\" # ECHO_SERVER_PROTOCOL\n",
        "log-level = \"error\" # echo.toml:2\n",
        "log-format = \"text\" # default\n",
    ] {
        assert!(shown.stdout_text().contains(line), "{line}: {shown:?}");
    }
}

#[test]
fn the_environment_alone_configures_the_server() {
    let server = Launch::new::<&str>(&[])
        .without_port()
        .wrapped_by(&[
            "env",
            "ECHO_SERVER_PORT=0",
            "ECHO_SERVER_PROTOCOL=raw",
            "ECHO_SERVER_WORKRES=3",
        ])
        .start();
    let mut peer = server.connect();
    peer.send(b"exit\n");
    peer.expect(b"exit\n");
    server.wait_for_log(
        "WARNING - ECHO_SERVER_WORKRES: unknown variable; did you mean ECHO_SERVER_WORKERS",
    );
}

#[test]
fn config_check_validates_a_file_without_serving() {
    let checked = run("port = 7\n", &[], &CHECK);
    assert_eq!((checked.code(), checked.stdout_text()), (0, "echo.toml: ok\n"), "{checked:?}");

    let checked = run("prot = 7\nworkers = 0\n", &[], &CHECK);
    assert_eq!((checked.code(), checked.stdout_text()), (2, ""), "{checked:?}");
    assert_eq!(
        checked.stderr,
        "echo.toml:1: unknown key 'prot'; did you mean 'port'?\n\
         echo.toml:2: invalid value '0' for 'workers': expected a whole number, at least 1\n"
    );
    // The server reports the same error, and does not start.
    let served = run("prot = 7\n", &[], &["--config", "echo.toml"]);
    assert_eq!((served.code(), served.stdout_text()), (2, ""), "{served:?}");
    assert_eq!(served.error_line(), "error: echo.toml:1: unknown key 'prot'; did you mean 'port'?");
}

#[test]
fn reports_an_invalid_configuration_in_one_line_and_exits_with_2() {
    for (variables, args, message) in [
        (
            &[][..],
            &["--config", "no.toml"][..],
            "error: --config: cannot read the configuration file 'no.toml': no such file or directory",
        ),
        (
            &[("ECHO_SERVER_PORT", "http")],
            &[],
            "error: ECHO_SERVER_PORT: invalid value 'http' for 'port': expected a port, from 0 to 65535",
        ),
        (
            &[("ECHO_SERVER_MAX_CONNECTIONS", "3")],
            &["--max-connections-per-ip", "4"],
            "error: --max-connections-per-ip: 'max-connections-per-ip' (4) is above 'max-connections' (3, \
             ECHO_SERVER_MAX_CONNECTIONS), so it is never reached",
        ),
        (
            &[],
            &["--port", "7", "config", "show"],
            "error: the subcommand 'config' cannot be used with '--port <PORT>'; tip: flags follow the subcommand: \
             'echo-server config show --port 7' (see --help)",
        ),
    ] {
        let ended = run("", variables, args);
        assert_eq!(ended.code(), 2, "{ended:?}");
        assert_eq!(ended.error_line(), message);
    }
}

#[test]
fn config_prints_a_valid_configuration_file() {
    for args in [&["config", "default"][..], &["config", "show", "--port", "7", "--reuse-port"]] {
        let printed = run("", &[], args);
        assert_eq!((printed.code(), &*printed.stderr), (0, ""), "{printed:?}");
        let checked = run(printed.stdout_text(), &[], &CHECK);
        assert_eq!(checked.stdout_text(), "echo.toml: ok\n", "{checked:?}\n{printed:?}");
    }
}

#[test]
fn completions_and_man_pages_contain_every_flag_and_command() {
    let script = run("", &[], &["completions", "bash"]);
    assert_eq!(script.code(), 0, "{script:?}");
    for word in ["--max-connections-per-ip", "--config", "check", "completions"] {
        assert!(script.stdout_text().contains(word), "{word}: {script:?}");
    }
    let directory = tempdir().expect("a temporary directory");
    let path = directory.path().to_str().expect("the path is UTF-8");
    assert_eq!(run("", &[], &["man", path]).code(), 0);
    for page in ["echo-server.1", "echo-server-config-check.1"] {
        let page = fs::read_to_string(directory.path().join(page)).expect("the page exists");
        assert!(page.contains("\\-\\-max\\-connections\\-per\\-ip"), "{page}");
    }
}
