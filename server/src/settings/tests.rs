//! All sources together: their precedence, the errors, and `config show`.

use std::{collections::BTreeMap, time::Duration};

use clap::{Args as _, Command};
use common::protocol::Protocol;
use log::LevelFilter;

use super::{
    diagnostic::Diagnostics,
    schema::{SETTINGS, find},
    setting::DefaultValue,
    settings::Settings,
    sources::{Flags, Sources, variable},
    template::template,
};
use crate::{
    Config, Consolidate, LogReceipts, Spin,
    logging::{Destination, Format, Overflow},
};

fn sources(flags: &[&str], variables: &[(&str, &str)]) -> Sources {
    let command = Flags::augment_args(Command::new("echo-server"));
    let typed = command.get_matches_from([&["echo-server"], flags].concat());
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    Sources::new(&typed, variables)
}

fn load(flags: &[&str], variables: &[(&str, &str)], file: &str) -> Result<Settings, Diagnostics> {
    sources(flags, variables).load_from("echo.toml", file.as_bytes())
}

fn loaded(flags: &[&str], variables: &[(&str, &str)], file: &str) -> Settings {
    load(flags, variables, file).unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(flags: &[&str], variables: &[(&str, &str)], file: &str) -> String {
    load(flags, variables, file).map(|it| it.to_string()).unwrap_err().to_string()
}

/// Returns the resolved settings in a form that can be compared.
fn resolved(settings: &Settings) -> String {
    format!("{:?}", settings.resolve())
}

/// Asserts that each of these files has one error, which begins with this message.
#[track_caller]
fn assert_errors(table: &[(&str, &str)]) {
    for (file, expected) in table {
        let error = errors(&[], &[], file);
        assert!(
            error.starts_with(expected) && !error.contains('\n'),
            "{file:?}:\n{error}\n{expected}"
        );
    }
}

#[test]
fn an_unknown_key_is_reported_with_a_similar_one() {
    assert_errors(&[
        ("\n\nprot = 7", "echo.toml:3: unknown key 'prot'; did you mean 'port'?"),
        (
            "idle_timeout = '5m'",
            "echo.toml:1: unknown key 'idle_timeout'; did you mean 'idle-timeout'?",
        ),
        ("zzz = 1", "echo.toml:1: unknown key 'zzz'; 'echo-server config default' lists all keys"),
        (
            "config = 'other.toml'",
            "echo.toml:1: unknown key 'config'; it is for the command line and the environment only",
        ),
        (
            "'a\\nb' = 1",
            "echo.toml:1: unknown key 'a\\\\nb'; 'echo-server config default' lists all keys",
        ),
        (
            "help = true",
            "echo.toml:1: unknown key 'help'; 'echo-server config default' lists all keys",
        ),
        (
            "[server]\nport = 7",
            "echo.toml:2: unknown key 'server.port'; settings are not in a table; did you mean 'port'?",
        ),
        (
            "log.level = 'info'",
            "echo.toml:1: unknown key 'log.level'; settings are not in a table; did you mean 'log-level'?",
        ),
        (
            "\n[server]",
            "echo.toml:2: unknown table 'server'; settings are not in a table; \
             'echo-server config default' lists all keys",
        ),
    ]);
}

#[test]
fn a_value_of_the_wrong_type_is_reported_with_the_right_one() {
    assert_errors(&[
        ("port = '7'", "echo.toml:1: 'port' must be a number, without quotes: port = 7"),
        ("port = 'http'", "echo.toml:1: 'port' must be a number"),
        ("port = true", "echo.toml:1: 'port' must be a number"),
        ("port = [7]", "echo.toml:1: 'port' must be a number"),
        ("[port]\nx = 1", "echo.toml:1: 'port' must be a number"),
        ("host = 7", "echo.toml:1: 'host' must be a string, in quotes: host = \"...\""),
        (
            "log-file = false",
            "echo.toml:1: 'log-file' must be a string, in quotes: log-file = \"...\"",
        ),
        (
            "idle-timeout = true",
            "echo.toml:1: 'idle-timeout' must be a string, in quotes: idle-timeout = \"...\"",
        ),
        ("log-messages = 1", "echo.toml:1: 'log-messages' must be true or false"),
        (
            "listen = 'tcp://[::1]:7'",
            "echo.toml:1: 'listen' must be an array of strings: listen = [\"...\", \"...\"]",
        ),
        (
            "listen = [7]",
            "echo.toml:1: 'listen' must be an array of strings: listen = [\"...\", \"...\"]",
        ),
        ("listen = []", "echo.toml:1: 'listen' is empty; omit it for its default"),
    ]);
}

#[test]
fn an_invalid_value_is_reported_with_the_expected_ones() {
    assert_errors(&[
        (
            "port = 65536",
            "echo.toml:1: invalid value '65536' for 'port': expected a port, from 0 to 65535",
        ),
        (
            "port = -1",
            "echo.toml:1: invalid value '-1' for 'port': expected a port, from 0 to 65535",
        ),
        (
            "port = 7.5",
            "echo.toml:1: invalid value '7.5' for 'port': expected a port, from 0 to 65535",
        ),
        (
            "workers = 0",
            "echo.toml:1: invalid value '0' for 'workers': expected a whole number, at least 1",
        ),
        (
            "\n\n\n\nidle-timeout = 5",
            "echo.toml:5: invalid value '5' for 'idle-timeout': expected a duration like 500ms, 30s or \
             5m, or off",
        ),
        (
            "drain-timeout = 'soon'",
            "echo.toml:1: invalid value 'soon' for 'drain-timeout': expected a duration like 500ms, 30s \
             or 5m",
        ),
        (
            "protocol = 'udp'",
            "echo.toml:1: invalid value 'udp' for 'protocol': expected text, raw or length",
        ),
        (
            "log-messages = 'maybe'",
            "echo.toml:1: invalid value 'maybe' for 'log-messages': expected on or off",
        ),
        ("host = ''", "echo.toml:1: invalid value '' for 'host': it is empty"),
        (
            "listen = [\n  'tcp://[::1]:7',\n  'tcp://:8',\n]",
            "echo.toml:3: invalid value 'tcp://:8' for 'listen': the host is missing; 0.0.0.0 is every \
             IPv4 address of this machine, [::] every address",
        ),
        (
            "listen = ['tcp://h?prot=raw']",
            "echo.toml:1: invalid value 'tcp://h?prot=raw' for 'listen': 'prot=raw': unknown \
             parameter; the parameters are ",
        ),
    ]);
}

#[test]
fn a_contradiction_is_reported_with_the_other_place() {
    assert_errors(&[
        (
            "listen = ['tcp://h:7']\nport = 7",
            "echo.toml:2: 'port' conflicts with 'listen' (echo.toml:1); keep one of them",
        ),
        (
            "host = 'h'\nlisten = ['tcp://h:7']",
            "echo.toml:2: 'listen' conflicts with 'host' (echo.toml:1); keep one of them",
        ),
        (
            "max-connections = 10\nmax-connections-per-ip = 11",
            "echo.toml:2: 'max-connections-per-ip' (11) is above 'max-connections' (10, echo.toml:1), so \
             it is never reached",
        ),
        (
            "max-connections = 10\nlisten = ['unix:///s?max-connections=11']",
            "echo.toml:2: 'max-connections=11' of unix:///s is above 'max-connections' (10, echo.toml:1), \
             so it is never reached",
        ),
    ]);
}

#[test]
fn listeners_with_a_common_address_are_refused() {
    assert_errors(&[
        (
            "listen = [\n'tcp://h:7',\n'unix:///s',\n'tcp://h:7?protocol=raw']",
            "echo.toml:4: tcp://h:7 is configured twice",
        ),
        (
            "listen = ['unix:///tmp/a', 'unix:///run/.././tmp//a']",
            "echo.toml:1: unix:///run/.././tmp//a is configured twice, also as unix:///tmp/a",
        ),
        (
            "reuse-port = true\nlisten = ['unix:a', 'unix:./b/../a']",
            "echo.toml:2: unix:./b/../a is configured twice, also as unix:a",
        ),
        (
            "listen = ['tcp://0.0.0.0:7', 'tcp://127.0.0.1:7']",
            "echo.toml:1: tcp://0.0.0.0:7 covers every IPv4 address, including tcp://127.0.0.1:7; keep one of \
             them",
        ),
        (
            "listen = [\n'udp://10.0.0.1:7',\n'udp://0.0.0.0:7']",
            "echo.toml:3: udp://0.0.0.0:7 covers every IPv4 address, including udp://10.0.0.1:7; keep one of \
             them",
        ),
        (
            "listen = ['tcp://[::]:7?v6only=yes', 'tcp://[::1]:7']",
            "echo.toml:1: tcp://[::]:7 covers every IPv6 address, including tcp://[::1]:7; keep one of them",
        ),
        (
            "listen = ['tcp://0.0.0.0:7', 'tcp://[::]:7']",
            "echo.toml:1: tcp://[::]:7 covers IPv4 as well, including tcp://0.0.0.0:7; use \
             tcp://[::]:7?v6only=yes to have both",
        ),
    ]);
}

#[test]
fn listeners_without_a_common_address_are_accepted() {
    for listen in [
        "'tcp://0.0.0.0:7', 'udp://127.0.0.1:7'",
        "'tcp://0.0.0.0:7', 'tcp://127.0.0.1:8'",
        "'tcp://0.0.0.0:0', 'tcp://127.0.0.1:0', 'tcp://0.0.0.0:0'",
        "'tcp://127.0.0.1:7', 'tcp://127.0.0.2:7', 'tcp://[::1]:7'",
        "'tcp://[::]:7?v6only=yes', 'tcp://0.0.0.0:7'",
        "'tcp://0.0.0.0:7', 'tcp://[::1]:7'",
        "'unix:a', 'unix:../a', 'unix:/a'",
    ] {
        loaded(&[], &[], &format!("listen = [{listen}]"));
    }
    let shared = "'tcp://0.0.0.0:7', 'tcp://127.0.0.1:7', 'tcp://[::]:7', 'tcp://[::1]:7'";
    loaded(&[], &[], &format!("reuse-port = true\nlisten = [{shared}]"));
}

#[test]
fn a_syntax_error_is_reported_with_line_and_column() {
    assert_errors(&[
        ("port = 7\nport = 8", "echo.toml:2:1: duplicate key 'port'; keep one of them"),
        ("port 7", "echo.toml:1:6: this is not valid TOML: key with no value, expected `=`"),
        (
            "\n  host = \"é",
            "echo.toml:2:12: this is not valid TOML: invalid basic string, expected `\"`",
        ),
        (
            "a = '''\n\n",
            "echo.toml:2:1: this is not valid TOML: invalid multi-line literal string, expected `'`",
        ),
    ]);
}

#[test]
fn a_string_without_quotes_is_reported_with_its_right_form() {
    assert_errors(&[
        (
            "log-level=info",
            "echo.toml:1:11: 'log-level' must be a string, in quotes: log-level = \"info\"",
        ),
        (
            "host = 10.0.0.1",
            "echo.toml:1:12: 'host' must be a string, in quotes: host = \"10.0.0.1\"",
        ),
        (
            "\nidle-timeout = 5m # minutes",
            "echo.toml:2:16: 'idle-timeout' must be a string, in quotes: idle-timeout = \"5m\"",
        ),
        (
            "log-file = C:\\x",
            "echo.toml:1:12: 'log-file' must be a string, in quotes: log-file = \"...\"",
        ),
        (
            "protocol = ",
            "echo.toml:1:12: 'protocol' must be a string, in quotes: protocol = \"...\"",
        ),
        (
            "broken = ",
            "echo.toml:1:10: this is not valid TOML: a string needs quotes: broken = \"...\"",
        ),
        ("port = http", "echo.toml:1:8: 'port' must be a number"),
        ("log-messages = yes", "echo.toml:1:16: 'log-messages' must be true or false"),
        (
            "listen = [tcp://h:7]",
            "echo.toml:1:11: 'listen' must be an array of strings: listen = [\"...\", \"...\"]",
        ),
        (
            "listen = [\n  tcp://h:7,\n]",
            "echo.toml:2:3: this is not valid TOML: a string needs quotes: \"...\"",
        ),
    ]);
}

#[test]
fn a_file_that_is_not_utf_8_is_refused() {
    for (file, position) in [(&b"port = 7\nhost = '\xff'\n"[..], "2:9"), (b"port = 7\n\xff", "2:1")]
    {
        let errors = sources(&[], &[]).load_from("echo.toml", file);
        assert_eq!(
            errors.unwrap_err().to_string(),
            format!("echo.toml:{position}: the file is not valid UTF-8")
        );
    }
}

#[test]
fn every_error_of_a_file_is_reported_in_the_order_of_the_lines() {
    let errors = errors(&[], &[], "workers = 0\nprot = 7\nlog-level = 'loud'\nspin = []\n");
    let lines: Vec<_> = errors.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(lines, ["echo.toml:1:", "echo.toml:2:", "echo.toml:3:", "echo.toml:4:"], "{errors}");
}

#[test]
fn an_error_in_the_environment_names_the_variable() {
    for (variables, expected) in [
        (
            &[("ECHO_SERVER_IDLE_TIMEOUT", "5")][..],
            "ECHO_SERVER_IDLE_TIMEOUT: invalid value '5' for 'idle-timeout': expected a duration like \
             500ms, 30s or 5m, or off",
        ),
        (
            &[("ECHO_SERVER_LISTEN", "tcp://h:7 tcp://h:8,tcp://h:9")],
            "ECHO_SERVER_LISTEN: invalid value 'tcp://h:8,tcp://h:9' for 'listen': expected",
        ),
        (
            &[("ECHO_SERVER_LISTEN", "tcp://h:7"), ("ECHO_SERVER_PORT", "7")],
            "ECHO_SERVER_PORT: 'port' conflicts with 'listen' (ECHO_SERVER_LISTEN); keep one of them",
        ),
        (
            &[("ECHO_SERVER_PORT", "tcp://10.0.0.1:7")],
            "ECHO_SERVER_PORT: expected a port, from 0 to 65535, not the address 'tcp://10.0.0.1:7'; \
             ECHO_SERVER_LISTEN takes addresses. If you did not set it, Kubernetes or a Docker link \
             did for a service named echo-server: set 'enableServiceLinks: false' in the pod, or rename the \
             service",
        ),
    ] {
        let error = errors(&[], variables, "");
        assert!(
            error.starts_with(expected) && !error.contains('\n'),
            "{variables:?}:\n{error}\n{expected}"
        );
    }
}

#[test]
fn a_contradiction_between_sources_names_both() {
    assert_eq!(
        errors(&["--max-connections", "5"], &[("ECHO_SERVER_MAX_CONNECTIONS_PER_IP", "9")], ""),
        "ECHO_SERVER_MAX_CONNECTIONS_PER_IP: 'max-connections-per-ip' (9) is above 'max-connections' (5, \
         --max-connections), so it is never reached"
    );
}

/// The variables that Kubernetes and Docker set for a service named echo-server.
#[test]
fn variables_of_service_links_are_ignored() {
    let links = [
        ("ECHO_SERVER_PORT", "tcp://10.0.0.1:7"),
        ("ECHO_SERVER_PORT_7_TCP", "tcp://10.0.0.1:7"),
        ("ECHO_SERVER_PORT_7_TCP_ADDR", "10.0.0.1"),
        ("ECHO_SERVER_PORT_7_TCP_PORT", "7"),
        ("ECHO_SERVER_PORT_7_TCP_PROTO", "tcp"),
        ("ECHO_SERVER_SERVICE_HOST", "10.0.0.1"),
        ("ECHO_SERVER_SERVICE_PORT", "7"),
        ("ECHO_SERVER_NAME", "/web/echo-server"),
        ("ECHO_SERVER_ENV_LOG_LEVEL", "debug"),
    ];
    let settings = loaded(&[], &links, "port = 8");
    assert_eq!(settings.origin("port", 0).to_string(), "echo.toml:1");
    let [warning] = settings.warnings() else { panic!("{:?}", settings.warnings()) };
    let expected = "ECHO_SERVER_PORT: 'tcp://10.0.0.1:7' was set by Kubernetes";
    assert!(warning.to_string().starts_with(expected), "{warning}");
}

#[test]
fn a_misspelled_variable_causes_a_warning() {
    let variables = [("ECHO_SERVER_WORKER", "3"), ("ECHO_SERVER_QQ", "1"), ("ECHO_WORKERS", "3")];
    let warnings: Vec<_> =
        loaded(&[], &variables, "").warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["ECHO_SERVER_WORKER: unknown variable; did you mean ECHO_SERVER_WORKERS?"]
    );
}

/// Each setting with its values as a flag, a variable and in a file.
const SOURCES: &[(&str, &str, &str, &str)] = &[
    ("listen", "tcp://f:1", "tcp://e:1 unix:///e", "['tcp://t:1', 'unix:///t']"),
    ("host", "f", "e", "'t'"),
    ("port", "1", "2", "3"),
    ("protocol", "raw", "length", "'text'"),
    ("reuse-port", "off", "on", "false"),
    ("max-connections", "1", "2", "3"),
    ("max-connections-per-ip", "1", "2", "3"),
    ("idle-timeout", "1s", "2s", "'off'"),
    ("write-timeout", "1s", "off", "'3s'"),
    ("proxy-timeout", "1s", "off", "'3s'"),
    ("drain-timeout", "1s", "0s", "'3s'"),
    ("drain-delay", "1s", "2s", "'3s'"),
    ("handshake-timeout", "1s", "off", "'3s'"),
    ("max-handshakes", "1", "2", "3"),
    ("max-connections-per-user", "1", "2", "3"),
    ("removed-users", "close", "keep", "'close'"),
    ("max-handshakes-per-ip", "1", "2", "3"),
    ("workers", "1", "2", "3"),
    ("spin", "1us", "off", "'auto'"),
    ("consolidate", "off", "auto", "'off'"),
    #[cfg(feature = "redis")]
    ("rooms", "redis://f", "redis://e:1", "'redis://t/2'"),
    #[cfg(feature = "admin")]
    ("admin", "http://f:1", "unix:///e", "'unix:@t'"),
    ("log-level", "debug", "error", "'warning'"),
    ("log-messages", "off", "on", "false"),
    ("log-receipts", "on", "off", "true"),
    ("log-file", "/f", "/e", "'/t'"),
    ("log-format", "json", "text", "'json'"),
    ("log-overflow", "drop", "block", "'drop'"),
    #[cfg(feature = "history")]
    ("history", "/f", "/e", "'/t'"),
    ("fault-log", "/f", "/e", "'/t'"),
];

/// Each setting in each source, and the reported source of its value.
#[test]
fn a_flag_overrides_the_environment_which_overrides_the_file_which_overrides_the_default() {
    for &(name, flag, variable, file) in SOURCES {
        assert!(find(name).is_some(), "{name}");
        let flag = format!("--{name}={flag}");
        let variable = (&*super::sources::variable(name), variable);
        let file = format!("{name} = {file}");
        let from = |flags: &[&str], variables: &[(&str, &str)], file: &str| {
            let settings = loaded(flags, variables, file);
            (settings.origin(name, 0).to_string(), resolved(&settings))
        };
        let all = from(&[&flag], &[variable], &file);
        assert_eq!(all, (format!("--{name}"), from(&[&flag], &[], "").1));
        let two = from(&[], &[variable], &file);
        assert_eq!(two, (variable.0.to_owned(), from(&[], &[variable], "").1));
        assert_eq!(from(&[], &[], &file).0, "echo.toml:1");
        assert_eq!(from(&[], &[(variable.0, "")], &file).0, "echo.toml:1");
        let (origin, default) = from(&[], &[], "");
        assert_eq!(origin, "default");
        let alone = [from(&[&flag], &[], ""), from(&[], &[variable], ""), from(&[], &[], &file)];
        assert!(alone.iter().any(|(_, resolved)| *resolved != default), "{name} has no effect");
    }
    // `tls/tests.rs` tests the settings that need files.
    // `users/tests.rs` tests the file of users.
    // The settings of a history have no effect without one; they have a test of their own.
    let tested = SOURCES.len();
    let is_here =
        |name: &str| !name.starts_with("tls-") && !name.starts_with("history-") && name != "users";
    let settings = SETTINGS
        .iter()
        .filter(|setting| is_here(setting.name))
        .filter(|setting| cfg!(feature = "redis") || setting.name != "rooms")
        .filter(|setting| cfg!(feature = "admin") || setting.name != "admin")
        .filter(|setting| cfg!(feature = "history") || setting.name != "history");
    assert_eq!(settings.count(), tested, "add the new setting above");
}

#[test]
fn a_fault_log_at_the_path_of_the_log_or_of_a_socket_is_refused() {
    for (flags, message) in [
        (["--fault-log=/a/b", "--log-file=/a/./b"], "'fault-log' has the path of 'log-file'"),
        (["--fault-log=/a", "--listen=unix:/a"], "'fault-log' has the path of the listener unix:"),
    ] {
        let error = errors(&flags, &[], "");
        assert!(error.contains(message), "{error}");
    }
    loaded(&["--fault-log=/a", "--log-file=-"], &[], "");
}

#[test]
fn a_proxy_timeout_without_a_listener_that_uses_it_causes_a_warning() {
    let warnings = |flags: &[&str], variables: &[(&str, &str)], file: &str| {
        let settings = loaded(flags, variables, file);
        settings.warnings().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let flag = ["--proxy-timeout", "1s"];
    let variable = [("ECHO_SERVER_PROXY_TIMEOUT", "off")];
    let message = "'proxy-timeout' has no effect: no listener has proxy=required";
    assert_eq!(warnings(&flag, &[], ""), [format!("--proxy-timeout: {message}")]);
    let file = "listen = ['tcp://t?proxy=off', 'udp://t']";
    assert_eq!(warnings(&[], &variable, file), [format!("ECHO_SERVER_PROXY_TIMEOUT: {message}")]);
    let none: [String; 0] = [];
    assert_eq!(warnings(&flag, &variable, "listen = ['udp://t', 'unix:@t?proxy=required']"), none);
    // A default for later listeners.
    assert_eq!(warnings(&[], &[], "proxy-timeout = '1s'"), none);
}

#[test]
fn listen_and_host_and_port_override_each_other() {
    let listeners = |settings: Settings| {
        let endpoints = settings.resolve().0.listeners.into_iter();
        endpoints.map(|listener| listener.endpoint.to_string()).collect::<Vec<_>>()
    };
    let file = "listen = ['tcp://t:1', 'unix:///t']";
    assert_eq!(listeners(loaded(&["--port", "9"], &[], file)), ["tcp://127.0.0.1:9"]);
    let variable = [("ECHO_SERVER_LISTEN", " tcp://e:1\n\tunix:///e ")];
    assert_eq!(listeners(loaded(&[], &variable, "port = 9")), ["tcp://e:1", "unix:///e"]);
    assert_eq!(listeners(loaded(&["--host", "f"], &variable, "port = 9")), ["tcp://f:9"]);
    let flags = ["--listen", "tcp://f:1", "--listen", "tcp://f:2"];
    assert_eq!(listeners(loaded(&flags, &variable, file)), ["tcp://f:1", "tcp://f:2"]);
}

#[test]
fn a_file_can_have_every_setting() {
    let file = "\
        host = '::1'\n\
        port = 0x7\n\
        protocol = 'raw'\n\
        reuse-port = true\n\
        max-connections = 1_000\n\
        max-connections-per-ip = 10\n\
        idle-timeout = '5m'\n\
        write-timeout = 'off'\n\
        proxy-timeout = '1m'\n\
        drain-timeout = '2s'\n\
        workers = 3\n\
        spin = '50us'\n\
        consolidate = 'off'\n\
        log-level = 'debug'\n\
        log-messages = false\n\
        log-receipts = true\n\
        log-file = '/tmp/echo.log'\n\
        log-format = 'json'\n\
        log-overflow = 'drop'\n";
    let (config, log) = loaded(&[], &[], file).resolve();
    let [listener] = &config.listeners[..] else { panic!("{config:?}") };
    assert_eq!(listener.endpoint.to_string(), "tcp://[::1]:7");
    assert_eq!(listener.options.protocol, Protocol::Raw);
    assert_eq!(listener.options.idle_timeout, Some(Duration::from_mins(5)));
    assert_eq!(listener.options.write_timeout, None);
    assert_eq!(listener.options.proxy_timeout, Some(Duration::from_mins(1)));
    assert!(config.reuse_port && !config.log_messages);
    assert_eq!(config.log_receipts, LogReceipts::Text);
    assert_eq!((config.max_connections, config.max_connections_per_ip), (Some(1000), Some(10)));
    assert_eq!(config.drain_timeout, Duration::from_secs(2));
    assert_eq!(config.workers.get(), 3);
    assert_eq!(config.spin, Spin::For(Duration::from_micros(50)));
    assert_eq!(config.consolidate, Consolidate::Off);
    assert_eq!(log.level, LevelFilter::Debug);
    assert_eq!(log.destination, Destination::File("/tmp/echo.log".into()));
    assert_eq!((log.format, log.overflow), (Format::Json, Overflow::Drop));
}

/// A log in text has nothing to show for the system call.
#[test]
fn a_log_in_json_has_the_figures_of_the_kernel_without_a_setting() {
    let receipts = |file| loaded(&[], &[], file).resolve().0.log_receipts;
    assert_eq!(receipts(""), LogReceipts::Totals);
    assert_eq!(receipts("log-format = 'json'"), LogReceipts::Fields);
}

#[test]
fn the_output_of_show_is_an_equal_file() {
    let file = "\
        protocol = 'length'\n\
        reuse-port = 'on'\n\
        max-connections = 1_000\n\
        max-connections-per-ip = 0x10\n\
        idle-timeout = '1h 30m'\n\
        spin = '50us'\n\
        log-messages = false\n\
        log-file = \"/tmp/a \\\"b\\\" \\\\ \\u0007.log\"\n\
        log-format = 'json'\n";
    let listen = "listen = ['tcp://[::1]:7?protocol=raw', 'unix:///s?mode=660']\n";
    for (flags, file) in [
        (&[][..], String::new()),
        (&["--port", "+007"], file.to_owned()),
        (&["--host", "12"], file.to_owned()),
        (&["--reuse-port"], listen.to_owned() + file),
    ] {
        let settings = loaded(flags, &[("ECHO_SERVER_WORKERS", "3")], &file);
        let shown = settings.to_string();
        let again = loaded(&[], &[], &shown);
        assert_eq!(resolved(&again), resolved(&settings), "{shown}");
        assert_eq!(settings.changes(&again), [], "{shown}");
        assert!(shown.contains("\nworkers = 3 # ECHO_SERVER_WORKERS\n"), "{shown}");
    }
}

#[cfg(feature = "history")]
#[test]
fn a_history_is_kept_for_an_age_or_up_to_a_size_or_both() {
    use crate::config::{HistoryOverflow, Keep};

    let day = Duration::from_hours(24);
    for (typed, age, bytes) in [
        ("all", None, None),
        ("30d", Some(30 * day), None),
        ("10GB", None, Some(10 << 30)),
        ("1d,256kB", Some(day), Some(256 << 10)),
        ("2TB,12h", Some(day / 2), Some(2 << 40)),
    ] {
        let file =
            format!("history = '/h.db'\nhistory-keep = '{typed}'\nhistory-overflow = 'drop'");
        let options = loaded(&[], &[], &file).resolve().0.history.expect("there is a history");
        assert_eq!(options.keep, Keep { age, bytes });
        assert_eq!(options.overflow, HistoryOverflow::Drop);
    }
    for (typed, reason) in [
        ("1kB", "the smallest size is 256kB"),
        ("1d,2d", "it has two ages"),
        ("1MB,2MB", "it has two sizes"),
        ("0s", "expected all, an age like 30d"),
        ("10M", "expected all, an age like 30d"),
        ("99999999999TB", "expected all, an age like 30d"),
        ("", "expected all, an age like 30d"),
    ] {
        let errors = errors(&[], &[], &format!("history-keep = '{typed}'"));
        assert!(errors.contains(reason), "{typed}: {errors}");
    }
    let settings = loaded(&["--history-keep", "1d"], &[], "");
    let warnings: Vec<_> = settings.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["--history-keep: 'history-keep' has no effect: there is no history (--history FILE)"]
    );
}

#[test]
fn show_prints_the_source_of_each_value() {
    let shown = loaded(
        &["--idle-timeout", "5m"],
        &[("ECHO_SERVER_LOG_LEVEL", "debug")],
        "log-messages = 'off'\n\nlisten = [\n  'tcp://h:7',\n  'unix:///s',\n]\n",
    );
    assert_eq!(
        shown.to_string(),
        "\
listen = [
    \"tcp://h:7\", # echo.toml:4
    \"unix:///s\", # echo.toml:5
]
# host: not used, since 'listen' is set
# port: not used, since 'listen' is set
protocol = \"text\" # default
reuse-port = false # default
# max-connections: as the descriptor limit allows
# max-connections-per-ip: unlimited
idle-timeout = \"5m\" # --idle-timeout
write-timeout = \"30s\" # default
proxy-timeout = \"5s\" # default
drain-timeout = \"5s\" # default
drain-delay = \"0s\" # default
# workers: one per core
spin = \"auto\" # default
consolidate = \"auto\" # default
# tls-cert: none
# tls-key: in the file of the certificate
tls-self-signed = false # default
handshake-timeout = \"10s\" # default
# max-handshakes: half of max-connections
# max-handshakes-per-ip: unlimited
# tls-key-log: off
# users: none
# max-connections-per-user: unlimited
removed-users = \"keep\" # default
# rooms: each server has its own
# admin: off
log-level = \"debug\" # ECHO_SERVER_LOG_LEVEL
log-messages = false # echo.toml:1
log-receipts = false # default
# log-file: standard error
log-format = \"text\" # default
log-overflow = \"block\" # default
# history: none
history-keep = \"all\" # default
history-overflow = \"block\" # default
# fault-log: none
"
    );
}

/// The documentation has every setting with its variable and its default.
#[test]
fn every_setting_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONFIGURATION.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows: Vec<_> = page.lines().filter(|line| line.contains("` | `ECHO_SERVER_")).collect();
    assert_eq!(rows.len(), SETTINGS.len());
    for (row, setting) in rows.iter().zip(&SETTINGS) {
        let name = setting.name;
        let default = match setting.default {
            DefaultValue::Text(value) => format!("`{}`", setting.form.to_toml(value.as_ref())),
            DefaultValue::Unset(_) if name == "listen" => "`host` and `port`".to_owned(),
            DefaultValue::Unset(words) => words.to_owned(),
        };
        let start = format!("| `{name}` | `{}` | {default} | ", variable(name));
        assert!(row.starts_with(&start), "{start}\n{row}");
        let after_reload = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        assert_eq!(after_reload.starts_with("no"), setting.needs_restart, "{row}");
    }
}

#[test]
fn the_defaults_are_those_of_the_library() {
    let (config, _) = loaded(&[], &[], "").resolve();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}

/// The template has every setting, and its values are the defaults.
#[test]
fn the_template_is_accepted_and_changes_nothing() {
    let template = template();
    let keys = template.lines().filter_map(|line| line.strip_prefix('#')?.split_once(" = "));
    let keys: BTreeMap<_, _> = keys.filter(|(name, _)| find(name).is_some()).collect();
    // Settings of TLS need a listener with TLS, users one with a login.
    let needs_listener = |name: &str| name.starts_with("tls-") || name == "users";
    for setting in SETTINGS.iter().filter(|setting| !needs_listener(setting.name)) {
        let line = format!("{} = {}", setting.name, keys[setting.name]);
        let settings = loaded(&[], &[], &line);
        if let DefaultValue::Text(_) = setting.default {
            assert_eq!(resolved(&settings), resolved(&loaded(&[], &[], "")), "{line}");
        }
    }
    assert_eq!(resolved(&loaded(&[], &[], &template)), resolved(&loaded(&[], &[], "")));
}

#[test]
fn changes_have_the_previous_and_the_present_value() {
    let before = loaded(&["--workers", "2"], &[], "port = 7\nidle-timeout = '5m'\nlog-file = '/a'");
    let after = loaded(
        &["--workers", "2"],
        &[],
        "workers = 9\nlisten = ['tcp://h:7', 'unix:///s']\nlog-file = '/b'",
    );
    let changes: Vec<_> = before.changes(&after).iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        [
            "listen: --host and --port -> \"tcp://h:7\", \"unix:///s\" (echo.toml:2)",
            "host: \"127.0.0.1\" -> not used, since 'listen' is set (default)",
            "port: 7 -> not used, since 'listen' is set (default)",
            "idle-timeout: \"5m\" -> \"off\" (default)",
            "log-file: \"/a\" -> \"/b\" (echo.toml:3)",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_reported_with_the_source_of_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("echo.toml");
    let path = missing.to_str().unwrap();
    let error = |sources: Sources| sources.load().map(|it| it.to_string()).unwrap_err().to_string();
    assert_eq!(
        error(sources(&["--config", path], &[])),
        format!("--config: cannot read the configuration file '{path}': no such file or directory")
    );
    let variables = [("ECHO_SERVER_CONFIG", directory.path().to_str().unwrap())];
    let error = error(sources(&[], &variables));
    assert!(
        error.starts_with("ECHO_SERVER_CONFIG: ") && error.ends_with("it is not a regular file")
    );

    std::fs::write(&missing, "port = 7").unwrap();
    let sources = sources(&["--config", path], &variables);
    let first = sources.load().unwrap();
    assert_eq!(first.origin("port", 0).to_string(), format!("{path}:1"));
    std::fs::write(&missing, "\nport = 8").unwrap();
    let second = sources.load().unwrap();
    let [change] = &first.changes(&second)[..] else { panic!("{first} {second}") };
    assert_eq!(change.to_string(), format!("port: 7 -> 8 ({path}:2)"));
    std::fs::write(&missing, "#".repeat(1024 * 1024 + 1)).unwrap();
    assert!(sources.load().unwrap_err().to_string().ends_with("it is larger than 1 MiB"));
}

#[cfg(feature = "redis")]
#[test]
fn the_password_of_redis_is_nowhere_shown() {
    let loaded = |url: &str| loaded(&["--rooms", url], &[], "listen = ['tcp://t?protocol=room']");
    let (first, second) = (loaded("redis://:secret@h/2"), loaded("redis://bob:secret@i"));
    assert!(first.to_string().contains("rooms = \"redis://***@h/2\" # --rooms"), "{first}");
    let [change] = &first.changes(&second)[..] else { panic!("{second}") };
    let expected = "rooms: \"redis://***@h/2\" -> \"redis://***@i\" (--rooms)";
    assert_eq!((change.to_string(), change.needs_restart), (expected.to_owned(), true));
    assert!(!format!("{first:?} {:?}", first.resolve()).contains("secret"), "{first:?}");
    for url in ["redis://:secret@", "reddis://:secret@h", "redis://:secret@h?x=y"] {
        let errors = [
            errors(&["--rooms", url], &[], ""),
            errors(&[], &[("ECHO_SERVER_ROOMS", url)], ""),
            errors(&[], &[], &format!("rooms = '{url}'")),
            errors(&[], &[], &format!("rooms = ['{url}']")),
            errors(&[], &[], &format!("rooms = {url}")),
            errors(&[], &[], &format!("rooms = '{url}")),
        ];
        assert!(errors.iter().all(|error| !error.contains("secret")), "{errors:?}");
    }
}

#[cfg(feature = "redis")]
#[test]
fn shared_rooms_without_a_listener_that_has_rooms_cause_a_warning() {
    let warnings = |file: &str| loaded(&["--rooms", "redis://h"], &[], file).warnings().len();
    assert_eq!(
        (warnings("listen = ['tcp://t']"), warnings("listen = ['tcp://t?protocol=room']")),
        (1, 0)
    );
}

#[cfg(feature = "admin")]
#[test]
fn an_admin_listener_that_other_machines_can_reach_causes_a_warning() {
    let warnings = |url: &str| {
        let settings = loaded(&["--admin", url], &[], "");
        settings.warnings().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(warnings("http://127.0.0.1:9465").is_empty());
    let [warning] = &warnings("http://[::]:9465")[..] else { panic!("one warning") };
    assert!(warning.starts_with("--admin: the admin listener is reachable from other machines"));
}

#[cfg(feature = "admin")]
#[test]
fn an_admin_listener_at_the_address_of_another_listener_is_refused() {
    let error = errors(&["--admin", "http://127.0.0.1:7"], &[], "listen = ['tcp://127.0.0.1:7']");
    assert_eq!(error, "--admin: 'admin' has the address of the listener tcp://127.0.0.1:7");
}

#[cfg(feature = "admin")]
#[test]
fn the_admin_listener_shows_the_settings_as_config_show_does() {
    let settings = loaded(&["--admin", "unix:@a"], &[], "port = 9");
    let (config, _) = settings.resolve();
    let shown = config.admin.unwrap().settings.unwrap();
    assert_eq!(*shown, *settings.to_string());
    assert!(shown.contains("port = 9 # echo.toml:1\n"), "{shown}");
}
