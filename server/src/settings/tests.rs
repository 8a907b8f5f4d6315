//! All sources together: who wins, what is refused and in which words, and what is shown.

use std::{collections::BTreeMap, time::Duration};

use clap::{Args as _, Command};
use common::protocol::Protocol;
use log::LevelFilter;

use super::*;
use crate::{
    Spin,
    logging::{Format, Overflow},
};

fn sources(flags: &[&str], variables: &[(&str, &str)]) -> Sources {
    let command = Flags::augment_args(Command::new("echo-server"));
    let typed = command.get_matches_from([&["echo-server"], flags].concat());
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    Sources::new(&typed, variables)
}

fn load(flags: &[&str], variables: &[(&str, &str)], file: &str) -> Result<Settings, Mistakes> {
    sources(flags, variables).load_from("echo.toml", file.as_bytes())
}

fn loaded(flags: &[&str], variables: &[(&str, &str)], file: &str) -> Settings {
    load(flags, variables, file).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn mistakes(flags: &[&str], variables: &[(&str, &str)], file: &str) -> String {
    load(flags, variables, file).map(|it| it.to_string()).unwrap_err().to_string()
}

/// What holds, in a form that can be compared.
fn meant(settings: &Settings) -> String {
    format!("{:?}", settings.resolve())
}

/// Each of these files has one mistake, of which this is told, or begins so.
#[track_caller]
fn assert_told(table: &[(&str, &str)]) {
    for (file, said) in table {
        let told = mistakes(&[], &[], file);
        assert!(told.starts_with(said) && !told.contains('\n'), "{file:?}:\n{told}\n{said}");
    }
}

#[test]
fn a_key_that_is_not_known_is_told_with_one_that_is() {
    assert_told(&[
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
            "echo.toml:2: unknown key 'server.port'; settings stand in no table; did you mean 'port'?",
        ),
        (
            "log.level = 'info'",
            "echo.toml:1: unknown key 'log.level'; settings stand in no table; did you mean 'log-level'?",
        ),
        (
            "\n[server]",
            "echo.toml:2: unknown table 'server'; settings stand in no table; \
             'echo-server config default' lists all keys",
        ),
    ]);
}

#[test]
fn a_value_of_another_type_is_told_what_the_key_takes() {
    assert_told(&[
        ("port = '7'", "echo.toml:1: 'port' takes a number, without quotes: port = 7"),
        ("port = 'http'", "echo.toml:1: 'port' takes a number"),
        ("port = true", "echo.toml:1: 'port' takes a number"),
        ("port = [7]", "echo.toml:1: 'port' takes a number"),
        ("[port]\nx = 1", "echo.toml:1: 'port' takes a number"),
        ("host = 7", "echo.toml:1: 'host' takes a string, in quotes: host = \"...\""),
        (
            "log-file = false",
            "echo.toml:1: 'log-file' takes a string, in quotes: log-file = \"...\"",
        ),
        (
            "idle-timeout = true",
            "echo.toml:1: 'idle-timeout' takes a string, in quotes: idle-timeout = \"...\"",
        ),
        ("log-messages = 1", "echo.toml:1: 'log-messages' takes true or false"),
        (
            "listen = 'tcp://[::1]:7'",
            "echo.toml:1: 'listen' takes an array of strings: listen = [\"...\", \"...\"]",
        ),
        (
            "listen = [7]",
            "echo.toml:1: 'listen' takes an array of strings: listen = [\"...\", \"...\"]",
        ),
        ("listen = []", "echo.toml:1: 'listen' is empty; leave it out for its default"),
    ]);
}

#[test]
fn a_value_that_cannot_be_is_told_what_was_expected() {
    assert_told(&[
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
            "echo.toml:1: invalid value 'tcp://h?prot=raw' for 'listen': 'prot=raw': there is no such \
             parameter; there are ",
        ),
    ]);
}

#[test]
fn what_contradicts_itself_is_told_with_the_other_place() {
    assert_told(&[
        (
            "listen = ['tcp://h:7']\nport = 7",
            "echo.toml:2: 'port' contradicts 'listen' (echo.toml:1): keep one of them",
        ),
        (
            "host = 'h'\nlisten = ['tcp://h:7']",
            "echo.toml:2: 'listen' contradicts 'host' (echo.toml:1): keep one of them",
        ),
        (
            "listen = [\n'tcp://h:7',\n'unix:///s',\n'tcp://h:7?protocol=raw']",
            "echo.toml:4: tcp://h:7 is listened on twice",
        ),
        (
            "listen = ['unix:///tmp/a', 'unix:///run/.././tmp//a']",
            "echo.toml:1: unix:///run/.././tmp//a is listened on twice, as unix:///tmp/a as well",
        ),
        (
            "reuse-port = true\nlisten = ['unix:a', 'unix:./b/../a']",
            "echo.toml:2: unix:./b/../a is listened on twice, as unix:a as well",
        ),
        (
            "listen = ['tcp://0.0.0.0:7', 'tcp://127.0.0.1:7']",
            "echo.toml:1: tcp://0.0.0.0:7 takes every IPv4 address, and so tcp://127.0.0.1:7; keep one of \
             them",
        ),
        (
            "listen = [\n'udp://10.0.0.1:7',\n'udp://0.0.0.0:7']",
            "echo.toml:3: udp://0.0.0.0:7 takes every IPv4 address, and so udp://10.0.0.1:7; keep one of \
             them",
        ),
        (
            "listen = ['tcp://[::]:7?v6only=yes', 'tcp://[::1]:7']",
            "echo.toml:1: tcp://[::]:7 takes every IPv6 address, and so tcp://[::1]:7; keep one of them",
        ),
        (
            "listen = ['tcp://0.0.0.0:7', 'tcp://[::]:7']",
            "echo.toml:1: tcp://[::]:7 takes IPv4 as well, and so tcp://0.0.0.0:7; say \
             tcp://[::]:7?v6only=yes to have both",
        ),
        (
            "max-connections = 10\nmax-connections-per-ip = 11",
            "echo.toml:2: 'max-connections-per-ip' (11) is above 'max-connections' (10, echo.toml:1), so \
             it would never be reached",
        ),
        (
            "max-connections = 10\nlisten = ['unix:///s?max-connections=11']",
            "echo.toml:2: 'max-connections=11' of unix:///s is above 'max-connections' (10, echo.toml:1), \
             so it would never be reached",
        ),
    ]);
}

#[test]
fn what_has_a_place_of_its_own_is_listened_on_beside_the_others() {
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
fn what_is_no_toml_is_told_with_line_and_column() {
    assert_told(&[
        ("port = 7\nport = 8", "echo.toml:2:1: the key 'port' is there twice; keep one of them"),
        ("port 7", "echo.toml:1:6: this is no TOML: key with no value, expected `=`"),
        ("\n  host = \"é", "echo.toml:2:12: this is no TOML: invalid basic string, expected `\"`"),
        (
            "a = '''\n\n",
            "echo.toml:2:1: this is no TOML: invalid multi-line literal string, expected `'`",
        ),
    ]);
}

#[test]
fn a_text_without_quotes_is_told_how_it_is_written() {
    assert_told(&[
        (
            "log-level=info",
            "echo.toml:1:11: 'log-level' takes a string, in quotes: log-level = \"info\"",
        ),
        (
            "host = 10.0.0.1",
            "echo.toml:1:12: 'host' takes a string, in quotes: host = \"10.0.0.1\"",
        ),
        (
            "\nidle-timeout = 5m # minutes",
            "echo.toml:2:16: 'idle-timeout' takes a string, in quotes: idle-timeout = \"5m\"",
        ),
        (
            "log-file = C:\\x",
            "echo.toml:1:12: 'log-file' takes a string, in quotes: log-file = \"...\"",
        ),
        ("protocol = ", "echo.toml:1:12: 'protocol' takes a string, in quotes: protocol = \"...\""),
        ("broken = ", "echo.toml:1:10: this is no TOML: a text stands in quotes: broken = \"...\""),
        ("port = http", "echo.toml:1:8: 'port' takes a number"),
        ("log-messages = yes", "echo.toml:1:16: 'log-messages' takes true or false"),
        (
            "listen = [tcp://h:7]",
            "echo.toml:1:11: 'listen' takes an array of strings: listen = [\"...\", \"...\"]",
        ),
        (
            "listen = [\n  tcp://h:7,\n]",
            "echo.toml:2:3: this is no TOML: a text stands in quotes: \"...\"",
        ),
    ]);
}

#[test]
fn what_is_not_text_is_no_file() {
    for (file, position) in [(&b"port = 7\nhost = '\xff'\n"[..], "2:9"), (b"port = 7\n\xff", "2:1")]
    {
        let mistakes = sources(&[], &[]).load_from("echo.toml", file);
        assert_eq!(
            mistakes.unwrap_err().to_string(),
            format!("echo.toml:{position}: this is not UTF-8, which a configuration file must be")
        );
    }
}

#[test]
fn every_mistake_of_a_file_is_told_in_the_order_of_the_lines() {
    let told = mistakes(&[], &[], "workers = 0\nprot = 7\nlog-level = 'loud'\nspin = []\n");
    let lines: Vec<_> = told.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(lines, ["echo.toml:1:", "echo.toml:2:", "echo.toml:3:", "echo.toml:4:"], "{told}");
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    for (variables, said) in [
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
            "ECHO_SERVER_PORT: 'port' contradicts 'listen' (ECHO_SERVER_LISTEN): keep one of them",
        ),
        (
            &[("ECHO_SERVER_PORT", "tcp://10.0.0.1:7")],
            "ECHO_SERVER_PORT: expected a port, from 0 to 65535, not the address 'tcp://10.0.0.1:7'; \
             ECHO_SERVER_LISTEN takes addresses. If you did not set it, a service named echo-server did, by \
             Kubernetes or a Docker link: say 'enableServiceLinks: false' in the pod, or name the service \
             otherwise",
        ),
    ] {
        let told = mistakes(&[], variables, "");
        assert!(told.starts_with(said) && !told.contains('\n'), "{variables:?}:\n{told}\n{said}");
    }
}

#[test]
fn what_only_contradicts_together_names_both_places() {
    assert_eq!(
        mistakes(&["--max-connections", "5"], &[("ECHO_SERVER_MAX_CONNECTIONS_PER_IP", "9")], ""),
        "ECHO_SERVER_MAX_CONNECTIONS_PER_IP: 'max-connections-per-ip' (9) is above 'max-connections' (5, \
         --max-connections), so it would never be reached"
    );
}

/// What Kubernetes and Docker put there for a service named echo-server.
#[test]
fn what_links_say_is_not_for_us() {
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
    let said = "ECHO_SERVER_PORT: 'tcp://10.0.0.1:7' is not ours but that of Kubernetes";
    assert!(warning.to_string().starts_with(said), "{warning}");
}

#[test]
fn a_variable_that_is_nearly_one_is_warned_of() {
    let variables = [("ECHO_SERVER_WORKER", "3"), ("ECHO_SERVER_QQ", "1"), ("ECHO_WORKERS", "3")];
    let warnings: Vec<_> =
        loaded(&[], &variables, "").warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["ECHO_SERVER_WORKER: this variable is not known; did you mean ECHO_SERVER_WORKERS?"]
    );
}

/// A setting as each source says it, and where the value is then said to come from.
#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let definition = Definition::new();
    for (name, flag, variable, file) in [
        ("listen", "tcp://f:1", "tcp://e:1 unix:///e", "['tcp://t:1', 'unix:///t']"),
        ("host", "f", "e", "'t'"),
        ("port", "1", "2", "3"),
        ("protocol", "raw", "length", "'text'"),
        ("reuse-port", "off", "on", "false"),
        ("max-connections", "1", "2", "3"),
        ("max-connections-per-ip", "1", "2", "3"),
        ("idle-timeout", "1s", "2s", "'off'"),
        ("write-timeout", "1s", "off", "'3s'"),
        ("drain-timeout", "1s", "0s", "'3s'"),
        ("workers", "1", "2", "3"),
        ("spin", "1us", "off", "'auto'"),
        ("log-level", "debug", "error", "'warning'"),
        ("log-messages", "off", "on", "false"),
        ("log-file", "/f", "/e", "'/t'"),
        ("log-format", "json", "text", "'json'"),
        ("log-overflow", "drop", "block", "'drop'"),
    ] {
        assert!(definition.knows(name), "{name}");
        let flag = format!("--{name}={flag}");
        let variable = (&*environment::variable(name), variable);
        let file = format!("{name} = {file}");
        let from = |flags: &[&str], variables: &[(&str, &str)], file: &str| {
            let settings = loaded(flags, variables, file);
            (settings.origin(name, 0).to_string(), meant(&settings))
        };
        let all = from(&[&flag], &[variable], &file);
        assert_eq!(all, (format!("--{name}"), from(&[&flag], &[], "").1));
        let two = from(&[], &[variable], &file);
        assert_eq!(two, (variable.0.to_owned(), from(&[], &[variable], "").1));
        assert_eq!(from(&[], &[], &file).0, "echo.toml:1");
        assert_eq!(from(&[], &[(variable.0, "")], &file).0, "echo.toml:1");
        assert_eq!(from(&[], &[], "").0, "default");
    }
    let tested = 17;
    assert_eq!(definition.names().count(), tested, "a new setting is to be added above");
}

#[test]
fn where_to_listen_is_one_thing_however_it_is_said() {
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
fn a_whole_file_means_what_it_says() {
    let file = "\
        host = '::1'\n\
        port = 0x7\n\
        protocol = 'raw'\n\
        reuse-port = true\n\
        max-connections = 1_000\n\
        max-connections-per-ip = 10\n\
        idle-timeout = '5m'\n\
        write-timeout = 'off'\n\
        drain-timeout = '2s'\n\
        workers = 3\n\
        spin = '50us'\n\
        log-level = 'debug'\n\
        log-messages = false\n\
        log-file = '/tmp/echo.log'\n\
        log-format = 'json'\n\
        log-overflow = 'drop'\n";
    let (config, log) = loaded(&[], &[], file).resolve();
    let [listener] = &config.listeners[..] else { panic!("{config:?}") };
    assert_eq!(listener.endpoint.to_string(), "tcp://[::1]:7");
    assert_eq!(listener.options.protocol, Protocol::Raw);
    assert_eq!(listener.options.idle_timeout, Some(Duration::from_mins(5)));
    assert_eq!(listener.options.write_timeout, None);
    assert!(config.reuse_port && !config.log_messages);
    assert_eq!((config.max_connections, config.max_connections_per_ip), (Some(1000), Some(10)));
    assert_eq!(config.drain_timeout, Duration::from_secs(2));
    assert_eq!(config.workers.get(), 3);
    assert_eq!(config.spin, Spin::For(Duration::from_micros(50)));
    assert_eq!((log.level, log.file), (LevelFilter::Debug, Some("/tmp/echo.log".into())));
    assert_eq!((log.format, log.overflow), (Format::Json, Overflow::Drop));
}

#[test]
fn what_is_shown_reads_back_the_same() {
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
        assert_eq!(meant(&again), meant(&settings), "{shown}");
        assert_eq!(settings.changes(&again), [], "{shown}");
        assert!(shown.contains("\nworkers = 3 # ECHO_SERVER_WORKERS\n"), "{shown}");
    }
}

#[test]
fn what_is_shown_says_where_it_comes_from() {
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
# max-connections: as descriptors allow
# max-connections-per-ip: any number
idle-timeout = \"5m\" # --idle-timeout
write-timeout = \"30s\" # default
drain-timeout = \"5s\" # default
# workers: one a core
spin = \"auto\" # default
log-level = \"debug\" # ECHO_SERVER_LOG_LEVEL
log-messages = false # echo.toml:1
# log-file: standard error
log-format = \"text\" # default
log-overflow = \"block\" # default
"
    );
}

/// The page that describes them has each, with its variable and its default.
#[test]
fn every_setting_is_on_its_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONFIGURATION.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows: Vec<_> = page.lines().filter(|line| line.contains("` | `ECHO_SERVER_")).collect();
    let definition = Definition::new();
    assert_eq!(rows.len(), definition.names().count());
    for (row, name) in rows.iter().zip(definition.names()) {
        let argument = definition.argument(name).unwrap();
        let default = match default_value(argument) {
            Some(value) => format!("`{}`", show::written(form(argument), value)),
            None if name == "listen" => "`host` and `port`".to_owned(),
            None => help_and_default(argument).1.unwrap(),
        };
        let start = format!("| `{name}` | `{}` | {default} | ", environment::variable(name));
        assert!(row.starts_with(&start), "{start}\n{row}");
    }
}

/// The template names every setting, and its values are the defaults.
#[test]
fn the_template_is_accepted_and_changes_nothing() {
    let template = template();
    let definition = Definition::new();
    let set = template.lines().filter_map(|line| line.strip_prefix('#')?.split_once(" = "));
    let set: BTreeMap<_, _> = set.filter(|(name, _)| definition.knows(name)).collect();
    for name in definition.names() {
        let line = format!("{name} = {}", set[name]);
        let argument = definition.argument(name).unwrap();
        let words = help_and_default(argument).1;
        assert!(words.is_some() != default_value(argument).is_some(), "{name}: one default");
        let settings = loaded(&[], &[], &line);
        if words.is_none() {
            assert_eq!(meant(&settings), meant(&loaded(&[], &[], "")), "{line}");
        }
    }
    assert_eq!(meant(&loaded(&[], &[], &template)), meant(&loaded(&[], &[], "")));
}

#[test]
fn changes_are_named_with_what_was_and_what_is() {
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
fn a_file_that_cannot_be_read_is_a_mistake_of_whoever_named_it() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("echo.toml");
    let path = missing.to_str().unwrap();
    let told = |sources: Sources| sources.load().map(|it| it.to_string()).unwrap_err().to_string();
    assert_eq!(
        told(sources(&["--config", path], &[])),
        format!(
            "--config: the configuration file '{path}' cannot be read: no such file or directory"
        )
    );
    let variables = [("ECHO_SERVER_CONFIG", directory.path().to_str().unwrap())];
    let told = told(sources(&[], &variables));
    assert!(told.starts_with("ECHO_SERVER_CONFIG: ") && told.ends_with("it is not a regular file"));

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
