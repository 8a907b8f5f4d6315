//! The schema: every setting with its name, help, form, default and parser. It is the only definition of a
//! setting; the command line, the environment, the file, the template and `config show` follow from it.

use clap::ValueHint;
use common::{
    cli::{at_least_one, duration},
    endpoint::parse_host,
    protocol::{DEFAULT_HOST, Protocol},
};

use super::{
    details,
    setting::{DefaultValue, Form, Setting},
    values::{
        LogLevel, RemovedUsers, choice, history, keep, log_file, non_empty, parse, path, port,
        possible_values, relay_url, spin, time_limit, workers,
    },
};
use crate::{
    config::{Consolidate, HistoryOverflow},
    logging::{Format, Overflow},
};

const LISTENING: &str = "Listening";
const CONNECTIONS: &str = "Connections and workers";
const TLS: &str = "TLS";
const LOGIN: &str = "Login";
const ROOMS: &str = "Rooms";
const ADMIN: &str = "Admin";
const LOG: &str = "Log";
const HISTORY: &str = "History";
const FAULTS: &str = "Faults";

/// Every setting, in the order of the help.
pub(super) static SETTINGS: [Setting; 37] = [
    Setting::new(
        "listen",
        LISTENING,
        "URL",
        "Listen on tcp://HOST:PORT, tls://, udp://, http://, https:// or unix:///PATH; can be repeated",
    )
    .details(details::LISTEN)
    .form(Form::List)
    .default(DefaultValue::Unset("--host and --port"))
    .hint(ValueHint::Url)
    .conflicts(&["host", "port"])
    .set(|values, text| parse(text, str::parse).map(|url| values.listen.push(url))),
    Setting::new("host", LISTENING, "HOST", "Host name or address to listen on")
        .details("The server listens on every address of a name.")
        .default(DefaultValue::Text(DEFAULT_HOST))
        .hint(ValueHint::Hostname)
        .conflicts(&["listen"])
        .set(|values, text| {
            let host = parse(non_empty(text)?, |text| {
                parse_host(text).map_err(|error| error.to_string())
            });
            host.map(|host| values.host = host)
        }),
    Setting::new("port", LISTENING, "PORT", "TCP port to listen on; 0 selects any free port")
        .details("The log line 'Echo server started on' names the selected port.")
        .form(Form::Number)
        .default(DefaultValue::Text("65432"))
        .conflicts(&["listen"])
        .set(|values, text| parse(text, port).map(|value| values.port = value)),
    Setting::new("protocol", LISTENING, "NAME", "Protocol of the connections")
        .form(Form::Choice(possible_values::<Protocol>))
        .default(DefaultValue::Text("text"))
        .set(|values, text| parse(text, choice).map(|value| values.protocol = value)),
    Setting::new(
        "reuse-port",
        LISTENING,
        "ON|OFF",
        "Share the address with another server that has this setting",
    )
    .details("The other server can take over while this one drains.")
    .rare()
    .needs_restart()
    .form(Form::Switch)
    .default(DefaultValue::Text("off"))
    .implied("on")
    .set(|values, text| parse(text, choice).map(|value| values.reuse_port = value)),
    Setting::new("max-connections", CONNECTIONS, "N", "Limit the number of open connections")
        .details(details::MAX_CONNECTIONS)
        .form(Form::Number)
        .default(DefaultValue::Unset("as the descriptor limit allows"))
        .set(|values, text| {
            parse(text, at_least_one).map(|value| values.max_connections = Some(value))
        }),
    Setting::new(
        "max-connections-per-ip",
        CONNECTIONS,
        "N",
        "Limit the number of open connections from one IPv4 address or one IPv6 network of 64 bits",
    )
    .rare()
    .form(Form::Number)
    .default(DefaultValue::Unset("unlimited"))
    .set(|values, text| {
        parse(text, at_least_one).map(|value| values.max_connections_per_ip = Some(value))
    }),
    Setting::new(
        "idle-timeout",
        CONNECTIONS,
        "DUR",
        "Close a connection if nothing was received from it for this long",
    )
    .form(Form::Word)
    .default(DefaultValue::Text("off"))
    .set(|values, text| parse(text, time_limit).map(|value| values.idle_timeout = value)),
    Setting::new(
        "write-timeout",
        CONNECTIONS,
        "DUR",
        "Close a connection if nothing could be written to it for this long",
    )
    .details("The time counts only while bytes wait to be sent.")
    .rare()
    .form(Form::Word)
    .default(DefaultValue::Text("30s"))
    .set(|values, text| parse(text, time_limit).map(|value| values.write_timeout = value)),
    Setting::new(
        "proxy-timeout",
        CONNECTIONS,
        "DUR",
        "Close a connection if its PROXY header is not complete after this long",
    )
    .details(details::PROXY_TIMEOUT)
    .rare()
    .form(Form::Word)
    .default(DefaultValue::Text("5s"))
    .set(|values, text| parse(text, time_limit).map(|value| values.proxy_timeout = value)),
    Setting::new(
        "drain-timeout",
        CONNECTIONS,
        "DUR",
        "Wait at most this long for clients to disconnect when the server shuts down",
    )
    .rare()
    .form(Form::Word)
    .default(DefaultValue::Text("5s"))
    .set(|values, text| parse(text, duration).map(|value| values.drain_timeout = value)),
    Setting::new(
        "drain-delay",
        CONNECTIONS,
        "DUR",
        "Go on serving and accepting for this long when the server shuts down, before it drains",
    )
    .details(details::DRAIN_DELAY)
    .rare()
    .form(Form::Word)
    .default(DefaultValue::Text("0s"))
    .set(|values, text| parse(text, duration).map(|value| values.drain_delay = value)),
    Setting::new("workers", CONNECTIONS, "N", "Number of worker threads, which serve connections")
        .needs_restart()
        .form(Form::Number)
        .default(DefaultValue::Unset("one per core"))
        .set(|values, text| parse(text, workers).map(|value| values.workers = Some(value))),
    Setting::new(
        "spin",
        CONNECTIONS,
        "auto|off|DUR",
        "Busy-poll before sleeping: auto (while it finds events), off, or always for this long",
    )
    .rare()
    .needs_restart()
    .form(Form::Word)
    .default(DefaultValue::Text("auto"))
    .set(|values, text| parse(text, spin).map(|value| values.spin = value)),
    Setting::new("consolidate", CONNECTIONS, "auto|off", "Use fewer workers if they share cores")
        .rare()
        .needs_restart()
        .form(Form::Choice(possible_values::<Consolidate>))
        .default(DefaultValue::Text("auto"))
        .set(|values, text| parse(text, choice).map(|value| values.consolidate = value)),
    Setting::new("tls-cert", TLS, "FILE", "Certificate of TLS listeners, with its chain (PEM)")
        .details(
            "It is for listeners without a certificate of their own (?cert=). SIGHUP reads all certificates and \
            keys again; if one cannot be used, nothing changes.",
        )
        .rare()
        .default(DefaultValue::Unset("none"))
        .hint(ValueHint::FilePath)
        .conflicts(&["tls-self-signed"])
        .set(|values, text| path(text).map(|path| values.tls_cert = Some(path))),
    Setting::new("tls-key", TLS, "FILE", "Private key of that certificate (PEM)")
        .rare()
        .conflicts(&["tls-self-signed"])
        .default(DefaultValue::Unset("in the file of the certificate"))
        .hint(ValueHint::FilePath)
        .set(|values, text| path(text).map(|path| values.tls_key = Some(path))),
    Setting::new(
        "tls-self-signed",
        TLS,
        "ON|OFF",
        "Make a certificate for this run, to try TLS; the log shows how to connect",
    )
    .form(Form::Switch)
    .default(DefaultValue::Text("off"))
    .implied("on")
    .conflicts(&["tls-cert", "tls-key"])
    .set(|values, text| parse(text, choice).map(|value| values.tls_self_signed = value)),
    Setting::new(
        "handshake-timeout",
        TLS,
        "DUR",
        "Close a connection if its TLS handshake and its login are not complete after this long",
    )
    .details(
        "The time begins with the connection, so it includes a PROXY header. With off, idle-timeout limits the wait.",
    )
    .rare()
    .form(Form::Word)
    .default(DefaultValue::Text("10s"))
    .set(|values, text| parse(text, time_limit).map(|value| values.handshake_timeout = value)),
    Setting::new("max-handshakes", TLS, "N", "Limit the number of TLS handshakes in progress")
        .details(
            "A client over the limit is closed, because it cannot read a reason before its handshake. The default \
            leaves half of all connections to clients that have completed theirs.",
        )
        .rare()
        .form(Form::Number)
        .default(DefaultValue::Unset("half of max-connections"))
        .set(|values, text| {
            parse(text, at_least_one).map(|value| values.max_handshakes = Some(value))
        }),
    Setting::new(
        "max-handshakes-per-ip",
        TLS,
        "N",
        "Limit the TLS handshakes in progress from one IPv4 address or one IPv6 network of 64 bits",
    )
    .rare()
    .form(Form::Number)
    .default(DefaultValue::Unset("unlimited"))
    .set(|values, text| {
        parse(text, at_least_one).map(|value| values.max_handshakes_per_ip = Some(value))
    }),
    Setting::new(
        "tls-key-log",
        TLS,
        "FILE",
        "Append the session secrets of TLS to this file, to decrypt captured packets with Wireshark",
    )
    .details(details::TLS_KEY_LOG)
    .rare()
    .default(DefaultValue::Unset("off"))
    .hint(ValueHint::FilePath)
    .set(|values, text| path(text).map(|path| values.tls_key_log = Some(path))),
    Setting::new("users", LOGIN, "FILE", "Users who may log in at listeners with login=required")
        .details(
            "'echo-server user' writes the file. It holds no password, but only its owner and its group may be able to \
            read it. SIGHUP reads it again; if a line is wrong, nothing changes.",
        )
        .default(DefaultValue::Unset("none"))
        .hint(ValueHint::FilePath)
        .set(|values, text| path(text).map(|path| values.users = Some(path))),
    Setting::new(
        "max-connections-per-user",
        LOGIN,
        "N",
        "Limit the number of open connections of one user",
    )
    .rare()
    .form(Form::Number)
    .default(DefaultValue::Unset("unlimited"))
    .set(|values, text| {
        parse(text, at_least_one).map(|value| values.max_connections_per_user = Some(value))
    }),
    Setting::new(
        "removed-users",
        LOGIN,
        "NAME",
        "Connections of a user whom a reload removes: keep or close",
    )
    .rare()
    .form(Form::Choice(possible_values::<RemovedUsers>))
    .default(DefaultValue::Text("keep"))
    .set(|values, text| parse(text, choice).map(|value| values.removed_users = value)),
    Setting::new("rooms", ROOMS, "URL", "Share the rooms with other servers through Redis: redis://HOST")
        .details(details::ROOMS)
        .needs_restart()
        .secret()
        .default(DefaultValue::Unset("each server has its own"))
        .hint(ValueHint::Url)
        .set(|values, text| parse(text, relay_url).map(|url| values.rooms = Some(url))),
    Setting::new(
        "admin",
        ADMIN,
        "URL",
        "Serve health, metrics and connections to operators at http://HOST:PORT or unix:///PATH",
    )
    .details(details::ADMIN)
    .needs_restart()
    .default(DefaultValue::Unset("off"))
    .hint(ValueHint::Url)
    .set(|values, text| parse(text, str::parse).map(|url| values.admin = Some(url))),
    Setting::new("log-level", LOG, "LEVEL", "Lowest level that is logged")
        .form(Form::Choice(possible_values::<LogLevel>))
        .default(DefaultValue::Text("info"))
        .set(|values, text| parse(text, choice).map(|value| values.log_level = value)),
    Setting::new(
        "log-messages",
        LOG,
        "ON|OFF",
        "Log every message when it is received and when it is echoed",
    )
    .rare()
    .form(Form::Switch)
    .default(DefaultValue::Text("on"))
    .set(|values, text| parse(text, choice).map(|value| values.log_messages = value)),
    Setting::new(
        "log-receipts",
        LOG,
        "ON|OFF",
        "Log with each closed connection its duration, bytes, messages, cause and round-trip time",
    )
    .details("A log in JSON always has them as fields.")
    .rare()
    .form(Form::Switch)
    .default(DefaultValue::Text("off"))
    .set(|values, text| parse(text, choice).map(|value| values.log_receipts = value)),
    Setting::new("log-file", LOG, "PATH", "Append the log to this file")
        .details("SIGHUP reopens the file, so that a log rotation can rename it. A - is standard output.")
        .needs_restart()
        .default(DefaultValue::Unset("standard error"))
        .hint(ValueHint::FilePath)
        .set(|values, text| log_file(text).map(|value| values.log_file = value)),
    Setting::new("log-format", LOG, "NAME", "Format of log records")
        .rare()
        .needs_restart()
        .form(Form::Choice(possible_values::<Format>))
        .default(DefaultValue::Text("text"))
        .set(|values, text| parse(text, choice).map(|value| values.log_format = value)),
    Setting::new(
        "log-overflow",
        LOG,
        "NAME",
        "Behaviour when records arrive faster than they can be written",
    )
    .rare()
    .needs_restart()
    .form(Form::Choice(possible_values::<Overflow>))
    .default(DefaultValue::Text("block"))
    .set(|values, text| parse(text, choice).map(|value| values.log_overflow = value)),
    Setting::new("history", HISTORY, "FILE", "Record every message in this SQLite database")
        .details(
            "'echo-server history' searches it while the server records. The file is created if it is missing. \
            Messages are committed within 100 ms, and what is committed survives the end of the process.",
        )
        .needs_restart()
        .default(DefaultValue::Unset("none"))
        .hint(ValueHint::FilePath)
        .set(|values, text| history(text).map(|path| values.history = Some(path))),
    Setting::new(
        "history-keep",
        HISTORY,
        "AGE|SIZE",
        "Delete older messages, such as those after 30d, or the oldest beyond 10GB; or both: 30d,10GB",
    )
    .rare()
    .needs_restart()
    .form(Form::Word)
    .default(DefaultValue::Text("all"))
    .set(|values, text| parse(text, keep).map(|value| values.history_keep = value)),
    Setting::new(
        "history-overflow",
        HISTORY,
        "NAME",
        "Behaviour when messages arrive faster than they can be recorded",
    )
    .rare()
    .needs_restart()
    .form(Form::Choice(possible_values::<HistoryOverflow>))
    .default(DefaultValue::Text("block"))
    .set(|values, text| parse(text, choice).map(|value| values.history_overflow = value)),
    Setting::new(
        "fault-log",
        FAULTS,
        "FILE",
        "Append a line of JSON to this file for each fault that a listener injects on purpose",
    )
    .details(details::FAULT_LOG)
    .rare()
    .needs_restart()
    .default(DefaultValue::Unset("none"))
    .hint(ValueHint::FilePath)
    .set(|values, text| path(text).map(|path| values.fault_log = Some(path))),
];

/// Returns the setting with this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Returns whether one source must not set both.
pub(super) fn conflict(one: &str, other: &str) -> bool {
    find(one).is_some_and(|setting| setting.conflicts.contains(&other))
}
