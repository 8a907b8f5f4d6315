use super::*;
use clap::{CommandFactory as _, Parser as _};
use common::endpoint::HostPort;
use std::time::Duration;

fn config(args: &[&str]) -> Config {
    let args = [&["echo-client"], args].concat();
    Config::try_from(Args::try_parse_from(args).unwrap()).unwrap()
}

/// Returns the text of the contradiction between these arguments.
fn contradiction(args: &[&str]) -> String {
    let args = Args::try_parse_from([&["echo-client"], args].concat()).unwrap();
    Config::try_from(args).unwrap_err().to_string()
}

fn error(args: &[&str]) -> String {
    Args::try_parse_from([&["echo-client"], args].concat()).unwrap_err().to_string()
}

#[test]
fn the_definition_of_the_arguments_is_valid() {
    Args::command().debug_assert();
}

#[test]
fn without_arguments_it_is_a_session_with_the_server_of_the_original() {
    let timeout = Duration::from_secs(5);
    let endpoint = Endpoint::Tcp(HostPort { host: "127.0.0.1".to_owned(), port: 65432 });
    let target = Target::new(endpoint, timeout);
    assert_eq!(config(&[]), Config { target, tls: None, login: None, mode: Mode::Interactive });
}

#[test]
fn passes_messages_unchanged() {
    let mode = config(&["-m", "-1 \u{e9}", "-m", ""]).mode;
    assert_eq!(mode, Mode::Messages(vec!["-1 \u{e9}".into(), Vec::new()]));
}

#[test]
fn accepts_the_server_before_and_after_ping() {
    let before = config(&["--host", "[::1]", "--port", "7", "ping", "--count", "0"]);
    let after = config(&["ping", "--count", "0", "--port", "7", "--host", "::1"]);
    assert_eq!(before, after);
    assert_eq!(before.target.to_string(), "[::1]:7");
    let Mode::Ping(ping) = before.mode else { panic!("{:?}", before.mode) };
    assert_eq!(
        ping,
        PingConfig { count: None, interval: Duration::from_secs(1), size: 64, uses_pings: false }
    );
}

#[test]
fn accepts_a_url_before_and_after_a_subcommand() {
    for args in [
        &["unix:///run/echo.sock"][..],
        &["unix:///run/echo.sock", "-m", "x"],
        &["ping", "unix:///run/echo.sock", "--count", "1"],
        &["unix:///run/echo.sock", "ping"],
    ] {
        let endpoint = config(args).target.endpoint;
        assert_eq!(endpoint, Endpoint::Unix("/run/echo.sock".into()), "{args:?}");
    }
    assert_eq!(config(&["load", "tcp://[::1]:7"]).target.to_string(), "[::1]:7");
}

#[test]
fn refuses_a_server_that_is_named_twice() {
    for (args, named) in [
        (&["tcp://a", "--host", "b"][..], "'--host'"),
        (&["--host", "b", "ping", "tcp://a"], "'--host'"),
        (&["load", "tcp://a", "--port", "1"], "'--port'"),
        (&["tcp://a", "ping", "tcp://b:1"], "the URL 'tcp://b:1'"),
        (&["tcp://a", "ping", "b"], "the host 'b'"),
        (&["tcp://a", "7"], "the port '7'"),
    ] {
        let expected = format!("the URL 'tcp://a:65432' cannot be used with {named}");
        assert_eq!(contradiction(args), expected, "{args:?}");
    }
}

#[test]
fn refuses_udp_for_a_session() {
    for args in [&["udp://a"][..], &["udp://a", "-m", "x"]] {
        let args = Args::try_parse_from([&["echo-client"], args].concat()).unwrap();
        let error = Config::try_from(args).unwrap_err().to_string();
        assert!(error.contains("'udp://a:65432'"), "{error}");
    }
}

#[test]
fn selects_udp_by_a_url_or_a_flag() {
    let endpoint = Endpoint::Udp(HostPort { host: "::1".to_owned(), port: 7 });
    for args in [
        &["ping", "udp://[::1]:7"][..],
        &["ping", "--udp", "udp://[::1]:7"],
        &["ping", "--udp", "--host", "::1", "--port", "7", "--size", "65507"],
    ] {
        assert_eq!(config(args).target.endpoint, endpoint, "{args:?}");
    }
    for (args, named) in [
        (&["ping", "--udp", "tcp://a"][..], "'--udp' cannot be used with the URL 'tcp://a:65432'"),
        (&["ping", "--udp", "unix:///a"], "'--udp' cannot be used with the URL 'unix:///a'"),
        (&["ping", "--udp", "--size", "65508"], "16 to 65507 bytes"),
        (&["ping", "udp://a", "--size", "15"], "'--size 15'"),
    ] {
        let args = Args::try_parse_from([&["echo-client"], args].concat()).unwrap();
        let error = Config::try_from(args).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    let endpoint = Endpoint::Udp(HostPort { host: "a".to_owned(), port: 7 });
    for args in [
        &["load", "udp://a:7"][..],
        &["load", "--udp", "udp://a:7"],
        &["load", "--host", "a", "--udp", "--port", "7"],
    ] {
        assert_eq!(config(args).target.endpoint, endpoint, "{args:?}");
    }
    for url in ["tcp://a:7", "unix:///a"] {
        let args = Args::try_parse_from(["echo-client", "load", "--udp", url]).unwrap();
        let error = Config::try_from(args).unwrap_err().to_string();
        assert!(error.contains("'--udp'") && error.contains(url), "{error}");
    }
}

#[test]
fn refuses_invalid_values_by_name() {
    assert!(error(&["--port", "0"]).contains("0 is not in 1..=65535"));
    assert!(error(&["--host", ""]).contains("--host"));
    assert!(error(&["--timeout", "0s"]).contains("--timeout"));
    assert!(error(&["ping", "--size", "0"]).contains("--size"));
    let both = Args::try_parse_from(["echo-client", "-m", "x", "ping"]).unwrap();
    assert_eq!(Config::try_from(both), Err(Contradiction::MessageWith("ping").into()));
    let both = Args::try_parse_from(["echo-client", "-m", "x", "load"]).unwrap();
    assert_eq!(Config::try_from(both), Err(Contradiction::MessageWith("load").into()));
}

/// As `nc` and `telnet` take them.
#[test]
fn accepts_a_host_and_a_port_in_every_form_for_every_subcommand() {
    let flags = config(&["--host", "::1", "--port", "7"]).target;
    for server in [&["[::1]:7"][..], &["::1", "7"], &["[::1]", "7"], &["::1", "--port", "7"]] {
        assert_eq!(config(server).target, flags, "{server:?}");
        for subcommand in ["ping", "load"] {
            let before = config(&[server, &[subcommand]].concat());
            assert_eq!(before.target, flags, "{server:?} {subcommand}");
            let after = config(&[&[subcommand], server].concat());
            assert_eq!(after.target, flags, "{subcommand} {server:?}");
        }
        let message = config(&[server, &["-m", "x"]].concat());
        assert_eq!(message.target, flags, "{server:?} -m");
    }
    assert_eq!(config(&["localhost"]).target.to_string(), "localhost:65432");
    let udp = config(&["ping", "--udp", "localhost:7"]).target.to_string();
    assert_eq!(udp, "udp://localhost:7");
}

#[test]
fn refuses_a_server_or_port_that_is_named_twice_in_any_form() {
    for (args, text) in [
        (&["a:1", "2"][..], "the address 'a:1' cannot be used with the port '2'"),
        (&["a:1", "--port", "2"], "the address 'a:1' cannot be used with '--port'"),
        (&["a", "1", "--port", "2"], "the port '1' cannot be used with '--port'"),
        (&["a", "--host", "b"], "the host 'a' cannot be used with '--host'"),
        (
            &["--host", "a", "ping", "--host", "a"],
            "the argument '--host' is given before and after the subcommand",
        ),
    ] {
        assert_eq!(contradiction(args), text, "{args:?}");
    }
}

#[test]
fn refuses_a_server_for_a_subcommand_that_needs_none() {
    for (args, text) in [
        (&["a", "completions", "bash"][..], "the host 'a' cannot be used with 'completions'"),
        (
            &["--timeout", "1s", "load", "merge", "x"],
            "'--timeout' cannot be used with 'load merge'",
        ),
    ] {
        let error = contradiction(args);
        assert!(error.contains(text), "{error}");
    }
    for flag in ["--host", "--port", "--timeout"] {
        let error = error(&["load", "merge", "x", flag, "1"]);
        assert!(error.contains("unexpected argument"), "{error}");
    }
}

#[test]
fn options_of_tls_need_a_tls_server_and_one_way_to_trust_it() {
    for (args, text) in [
        (&["tcp://a", "--tls-ca", "x"][..], "'--tls-ca' needs a server with TLS"),
        (&["a", "--insecure"], "'--insecure' needs a server with TLS"),
        (&["ping", "udp://a", "--tls-name", "x"], "'--tls-name' needs a server with TLS"),
        (
            &["tls://a", "--tls-ca", "x", "--insecure"],
            "'--tls-ca' cannot be used with '--insecure'",
        ),
        (&["tls://a", "--tls-key", "x"], "'--tls-key' needs '--tls-cert'"),
        (
            &["tls://a", "--tls-cert", "x", "ping", "--tls-cert", "y"],
            "the argument '--tls-cert' is given before and after the subcommand",
        ),
        (&["ping", "--udp", "tls://a"], "'--udp' cannot be used with the URL 'tls://a:65432'"),
        (&["a", "--tls-alpn", "x"], "'--tls-alpn' needs a server with TLS"),
        (
            &["unix:///a", "--tls-key-log", "x"],
            "name it as tls://HOST:PORT, wss://HOST:PORT or unix:///PATH?tls=on",
        ),
        (
            &["tls://a", "--tls-alpn", "x", "ping", "--tls-alpn", "y"],
            "the argument '--tls-alpn' is given before and after the subcommand",
        ),
        (
            &["ping", "--udp", "unix:///a?tls=on"],
            "'--udp' cannot be used with the URL 'unix:///a?tls=on'",
        ),
        (&["tls://a", "7"], "the URL 'tls://a:65432' cannot be used with the port '7'"),
        (&["--insecure", "load", "merge", "x"], "'--insecure' cannot be used with 'load merge'"),
    ] {
        let error = contradiction(args);
        assert!(error.contains(text), "{args:?}: {error}");
    }
}

#[test]
fn the_name_of_a_tls_server_is_its_host_unless_given() {
    for (args, name) in [
        (&["tls://echo.example.com:7"][..], "echo.example.com"),
        (&["tls://[fe80::1%lo]:7"], "fe80::1"),
        (&["tls://10.0.0.1", "--tls-name", "a", "ping"], "a"),
        (&["unix:///run/echo.sock?tls=on"], "localhost"),
        (&["load", "unix:@echo?tls=on", "--tls-name", "a"], "a"),
    ] {
        assert_eq!(config(args).tls.unwrap().name, name);
    }
    for without in ["tcp://a", "unix:///a", "unix:///a?tls=off"] {
        assert_eq!(config(&[without]).tls, None);
    }
    let offered = config(&["tls://a", "--tls-alpn", "b,c", "--tls-alpn", "d"]).tls.unwrap().alpn;
    assert_eq!(offered, ["b", "c", "d"]);
}

#[test]
fn a_websocket_has_its_url_its_options_and_tls_by_its_scheme() {
    let config = config(&["ws://localhost/a?b", "--ws-origin", "null", "--ws-protocol", "a,b"]);
    assert_eq!(config.target.to_string(), "ws://localhost:80/a?b");
    assert!(config.tls.is_none());
    let websocket = config.target.websocket.unwrap();
    assert_eq!((&websocket.host[..], &websocket.target[..]), ("localhost", "/a?b"));
    assert_eq!(websocket.origin.as_deref(), Some("null"));
    assert_eq!(websocket.protocols, ["a", "b"]);
    let config = self::config(&["wss://localhost", "--insecure"]);
    assert_eq!(config.target.to_string(), "wss://localhost:443");
    assert!(config.tls.is_some());
}

#[test]
fn what_needs_a_websocket_is_refused_without_one() {
    for (args, text) in [
        (&["localhost", "--ws-origin", "null"][..], "'--ws-origin' needs a server with WebSocket"),
        (&["--ws-protocol", "a"], "'--ws-protocol' needs a server with WebSocket"),
        (&["tls://localhost", "--binary"], "'--binary' needs a server with WebSocket"),
        (&["ws://localhost", "--binary", "ping"], "'--binary' cannot be used with 'ping'"),
        (&["ping", "--ws-ping"], "'--ws-ping' needs a server with WebSocket"),
        (&["mirror"], "'mirror' needs a server with WebSocket"),
        (&["mirror", "udp://localhost:1"], "'mirror' needs a server with WebSocket"),
        (&["load", "--ws-text"], "'--ws-text' needs a server with WebSocket"),
        (&["load", "udp://localhost:1", "--ws-text"], "'--ws-text' needs a server with WebSocket"),
        (&["ping", "ws://a", "--ws-ping", "--size", "126"], "a ping has at most 125 bytes"),
        (
            &["ws://localhost", "--port", "7"],
            "the URL 'ws://localhost:80' cannot be used with '--port'",
        ),
        (&["ping", "--udp", "ws://localhost"], "'--udp' cannot be used with the URL 'ws://"),
        (&["ws://localhost", "--tls-pin", &"a".repeat(64)], "'--tls-pin' needs a server with TLS"),
        (
            &["ws://a", "--ws-origin", "null", "ping", "--ws-origin", "http://b"],
            "given before and after",
        ),
    ] {
        let found = contradiction(args);
        assert!(found.contains(text), "{args:?}: {found}");
    }
}

#[test]
fn a_login_has_a_user_a_certificate_or_a_token() {
    let login = |args: &[&str]| config(args).login;
    let password = |user: &str, mechanism: Option<&str>| {
        let mechanism = mechanism.map(|name| name.parse().unwrap());
        Some(login::Options::Password { user: user.to_owned(), file: None, mechanism })
    };
    assert_eq!(login(&["a"]), None);
    assert_eq!(login(&["a", "--user", "alice"]), password("alice", None));
    // SASLprep maps the soft hyphen to nothing.
    assert_eq!(login(&["--user", "al\u{ad}ice", "ping"]), password("alice", None));
    let plain = ["tls://a", "load", "--user", "alice", "--mechanism", "plain"];
    assert_eq!(login(&plain), password("alice", Some("PLAIN")));
    let external =
        ["tls://a", "--tls-cert", "c", "--tls-key", "k", "--mechanism", "external", "-m", "x"];
    assert_eq!(login(&external), Some(login::Options::Certificate { user: None }));
    let token = login(&["ws://[::1]:7/a", "--token-file", "t"]);
    assert_eq!(token, Some(login::Options::Token("t".into())));
    for url in ["wss://example.com", "ws://localhost:1", "ws://127.9.9.9"] {
        assert_eq!(login(&[url, "--user", "alice"]), password("alice", None), "{url}");
    }
}

#[test]
fn arguments_of_a_login_that_contradict_each_other_are_refused() {
    for (args, text) in [
        (&["a", "--password-file", "f"][..], "'--password-file' needs '--user'"),
        (&["a", "--mechanism", "scram-sha-256"], "'--mechanism' needs '--user'"),
        (
            &["a", "--user", "u", "--mechanism", "plain"],
            "'--mechanism PLAIN' needs a server with TLS",
        ),
        (&["a", "--mechanism", "external"], "'--mechanism EXTERNAL' needs a server with TLS"),
        (&["tls://a", "--mechanism", "external"], "'--mechanism external' needs '--tls-cert'"),
        (
            &[
                "tls://a",
                "--tls-cert",
                "c",
                "--tls-key",
                "k",
                "--mechanism",
                "external",
                "--password-file",
                "f",
            ],
            "'--password-file' cannot be used with '--mechanism external'",
        ),
        (&["ping", "udp://a", "--user", "u"], "'--user' needs a connection, and UDP has none"),
        (&["--user", "u", "load", "merge", "x"], "'--user' cannot be used with 'load merge'"),
        (
            &["--user", "u", "ping", "--user", "u"],
            "the argument '--user' is given before and after the subcommand",
        ),
    ] {
        let found = contradiction(args);
        assert!(found.contains(text), "{args:?}: {found}");
    }
    assert!(error(&["--user", ""]).contains("it is empty"));
    assert!(error(&["--user", "a\tb"]).contains("SASLprep"));
    assert!(error(&["--mechanism", "CRAM-MD5"]).contains("expected SCRAM-SHA-256-PLUS"));
}

#[test]
fn a_secret_in_the_handshake_of_a_websocket_reaches_nobody_else() {
    for (args, text) in [
        (&["a", "--token-file", "t"][..], "'--token-file' needs a server with WebSocket"),
        (
            &["wss://a", "--token-file", "t", "--user", "u"],
            "'--user' cannot be used with '--token-file'",
        ),
        (
            &["wss://a", "--user", "u", "--mechanism", "plain"],
            "'--mechanism' cannot be used over WebSocket",
        ),
        (&["wss://a", "--user", "u:v"], "'--user' cannot have a ':' over WebSocket"),
        (
            &["ws://a:7/b", "--user", "u"],
            "'--user' needs TLS, since others can read a ws:// connection to a:7: use wss://a:7",
        ),
        (&["ws://a", "--token-file", "t"], "'--token-file' needs TLS"),
        (&["wss://a", "--insecure", "--user", "u"], "'--insecure' does not verify who gets it"),
    ] {
        let found = contradiction(args);
        assert!(found.contains(text), "{args:?}: {found}");
    }
}
