//! Tests of the command lines of both programs: usage errors, failures at the start, help and completions.

use std::{net::TcpListener, path::Path, process::Command};

use rustix::process::Signal;
use tests::programs::{
    Program,
    binaries::{echo_client, echo_server},
};

/// Runs the script of `make run-gui` with this port.
fn run_gui(port: u16) -> Program {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
    let server = echo_server();
    let mut command = Command::new(scripts.join("run-gui.sh"));
    command.arg(server.parent().expect("it is in a directory")).arg(port.to_string());
    Program::spawn(command)
}

#[test]
fn the_url_of_the_page_is_printed_when_the_server_listens_and_not_if_it_cannot() {
    let gui = run_gui(0);
    let line = gui.stdout.wait_for_line("^Open http");
    let url = gui.stderr.wait_for_line("Echo server started on http");
    let (_, url) = url.split_once(" on ").expect("the pattern has it");
    assert_eq!(line, format!("Open {url}/ in a browser"));
    gui.signal(Signal::TERM);
    let ended = gui.finish();
    assert_eq!(ended.code(), 0, "{ended:?}");
    assert!(ended.stderr.contains("Server shutdown complete"), "{ended:?}");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let ended = run_gui(taken.local_addr().expect("it is bound").port()).finish();
    assert_eq!((ended.code(), ended.stdout_text()), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("address already in use"), "{ended:?}");
}

#[test]
fn the_server_reports_a_usage_error_in_one_line_and_exits_with_2() {
    for args in [
        &["--port", "99999"][..],
        &["--port", "http"],
        &["--workers", "0"],
        &["--workers", "-1"],
        &["--no-such-flag"],
        &["stray"],
        &["--protocol", "morse"],
        &["--max-connections", "0"],
        &["--write-timeout", "5"],
        &["--idle-timeout", "soon"],
        &["--log-level", "loud"],
        &["--log-messages", "maybe"],
        &["--log-format", "xml"],
        &["--log-overflow", "panic"],
    ] {
        let ended = Program::run_server(args);
        assert_eq!(ended.code(), 2, "{args:?}: {ended:?}");
        assert_eq!(ended.stdout_text(), "", "{args:?}");
        // The line names the wrong flag or its value.
        let line = ended.error_line();
        assert!(args.iter().any(|arg| line.contains(arg)), "{args:?}: {line}");
    }
}

#[test]
fn the_client_reports_a_usage_error_in_one_line_and_exits_with_2() {
    for args in [
        &["--port", "99999"][..],
        &["--no-such-flag"],
        &["--timeout", "5"],
        &["ping", "--count", "many"],
        &["ping", "--interval", "5"],
        &["http://localhost"],
        &["localhost:echo"],
        &["localhost", "70000"],
        &["7000"],
        &["tcp://localhost:0"],
        &["tcp://localhost:7?protocol=raw"],
        &["tcp://localhost", "--host", "127.0.0.1"],
        &["completions", "morse"],
    ] {
        let ended = Program::start(echo_client(), args).finish();
        assert_eq!(ended.code(), 2, "{args:?}: {ended:?}");
        assert_eq!(ended.stdout_text(), "", "{args:?}");
        let line = ended.error_line();
        assert!(args.iter().any(|arg| line.contains(arg)), "{args:?}: {line}");
    }
}

#[test]
fn the_client_distinguishes_a_misspelled_subcommand_from_an_address() {
    for (args, message) in [
        (&["pnig", "--count", "1"][..], "'pnig'; tip: a similar subcommand exists: 'ping'"),
        (&["load", "mrege", "a.json"], "'mrege'; tip: a similar subcommand exists: 'merge'"),
        (
            &["a b"],
            "expected HOST, HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH, udp://HOST:PORT, unix:///PATH or unix:@NAME;",
        ),
    ] {
        let ended = Program::run_client(args);
        assert_eq!(ended.code(), 2, "{args:?}: {ended:?}");
        assert!(ended.error_line().contains(message), "{args:?}: {ended:?}");
    }
}

#[test]
fn the_server_names_the_order_of_a_flag_and_a_subcommand() {
    let ended = Program::run_server(&["--config", "f", "config", "check"]);
    assert_eq!(ended.code(), 2, "{ended:?}");
    let line = ended.error_line();
    assert!(line.contains("'echo-server config check --config f'"), "{line}");
}

#[test]
fn the_client_prints_completions_and_writes_man_pages_into_a_directory() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = Program::run_client(&["completions", shell]);
        assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""), "{shell}: {ended:?}");
        for word in ["echo-client", "ping", "timeout", "merge"] {
            assert!(ended.stdout_text().contains(word), "{word} is missing for {shell}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let ended = Program::run_client(&["man", directory.path().to_str().unwrap()]);
    assert_eq!(ended.code(), 0, "{ended:?}");
    for page in ["echo-client.1", "echo-client-ping.1", "echo-client-load-merge.1"] {
        assert!(directory.path().join(page).exists(), "{page}");
    }
    assert!(!directory.path().join("echo-client-load-worker.1").exists());
}

/// A host that does not resolve, an address that is not local, a log file in a missing directory: the line
/// names it.
#[test]
fn the_server_reports_a_failure_at_the_start_in_one_line_and_exits_with_1() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing/echo.log");
    let missing = missing.to_str().unwrap();
    for (args, named) in [
        (["--host", "no-such-host.invalid"], "no-such-host.invalid"),
        (["--host", "192.0.2.1"], "192.0.2.1"),
        (["--log-file", missing], missing),
    ] {
        let ended = Program::run_server(&[&["--port", "0"], &args[..]].concat());
        assert_eq!(ended.code(), 1, "{args:?}: {ended:?}");
        assert_eq!(ended.stdout_text(), "", "{args:?}");
        assert!(ended.error_line().contains(named), "{args:?}: {ended:?}");
    }
}

#[test]
fn help_and_version_go_to_standard_output_and_exit_with_0() {
    for program in [echo_server(), echo_client()] {
        for flag in ["--help", "-h", "--version", "-V"] {
            let ended = Program::start(program.clone(), &[flag]).finish();
            assert_eq!(ended.code(), 0, "{flag}: {ended:?}");
            assert_eq!(ended.stderr, "", "{flag}");
            assert!(!ended.stdout.is_empty(), "{flag}");
        }
    }
}

#[test]
fn help_lists_every_flag_that_scripts_use() {
    let help = Program::run_server(&["--help"]);
    for flag in [
        "--host",
        "--port",
        "--workers",
        "--protocol",
        "--max-connections",
        "--idle-timeout",
        "--write-timeout",
        "--drain-timeout",
        "--log-level",
        "--log-messages",
        "--log-file",
        "--log-format",
        "--log-overflow",
        "127.0.0.1",
        "65432",
    ] {
        assert!(help.stdout_text().contains(flag), "{flag} is missing in:\n{}", help.stdout_text());
    }
    let help = Program::start(echo_client(), &["--help"]).finish();
    for name in ["--host", "--port", "--timeout", "-m", "ping", "127.0.0.1", "65432"] {
        assert!(help.stdout_text().contains(name), "{name} is missing in:\n{}", help.stdout_text());
    }
}

/// Returns what `--help` prints in a terminal of this width.
fn help(program: &Path, args: &[&str], columns: u32) -> String {
    let mut command = Command::new(program);
    command.args(args).arg("--help").env("COLUMNS", columns.to_string());
    Program::spawn(command).finish().stdout_text().to_owned()
}

/// Clap lays out the options, and this project what follows them.
#[test]
fn help_has_at_most_100_columns_also_in_a_wide_terminal() {
    for (program, args) in [(echo_server(), &[][..]), (echo_client(), &["load"])] {
        let help = help(&program, args, 150);
        let widths = help.lines().map(|line| line.chars().count());
        assert!(matches!(widths.max(), Some(90..=100)), "{help}");
    }
}

/// A shell would take each line of a command for a command of its own.
#[test]
fn help_has_whole_commands_also_in_a_narrow_terminal() {
    let help = help(&echo_client(), &["completions"], 40);
    for command in [
        "\n  echo-client completions fish > ~/.config/fish/completions/echo-client.fish\n",
        "\n  echo-client completions zsh > ~/.zfunc/_echo-client\n      a directory",
    ] {
        assert!(help.contains(command), "{help}");
    }
}
