//! The screen of recorded answers, line by line.

use super::{Shown, Text, sections};
use crate::cli::status::sample::Sample;

const STATUS: &str = r#"{
    "version":"0.1.0","started":"2026-11-26T13:00:00Z","uptime_seconds":11520.3,"phase":"running",
    "is_live":true,"stalled_threads":[],"is_ready":true,"not_ready":[],
    "connections":{"open":5,"limit":1000,"accepted":103,"refused":12,"probes":1},
    "listeners":[
        {"listener":"tls://127.0.0.1:7000","protocol":"text","open":5,"accepted":103,
         "refused":{"max-connections":10,"max-connections-per-ip":2},
         "closed":{"drain-timeout":0,"exit":20,"fin":290,"idle-timeout":3,"reset":10,"write-timeout":1},
         "received":{"bytes":1334567,"messages":35200},"sent":{"bytes":1334000,"messages":35199},
         "latency":{"count":3,"p50_seconds":0.0000124,"p99_seconds":0.00024},"is_open":true},
        {"listener":"https://[2001:db8:1:2:3:4:5:6]:7443","protocol":"http","open":0,"accepted":0,"refused":{},
         "closed":{},"received":{"bytes":0,"messages":0},"sent":{"bytes":0,"messages":0},"latency":null,"is_open":false}],
    "workers":[{"worker":1,"connections":3,"busy_seconds":230.0,"busy_ratio":0.02,"iterations":100},
               {"worker":2,"connections":2,"busy_seconds":11000.0,"busy_ratio":0.97,"iterations":1234567}],
    "dispatch_queue":{"connections":0},
    "rates":{"interval_seconds":10.0,"accepted":1.0,"received":{"bytes":1240000.0,"messages":34500.0},
             "sent":{"bytes":1240000.0,"messages":34500.0}},
    "log":{"records":34500,"dropped":2},"history":{"recorded":1,"dropped":0,"waiting":7},
    "rooms":{"rooms":1,"members":2,"deliveries":3,"dropped":0},"relay":{"is_up":true},
    "descriptors":{"open":20,"limit":1024},"panics":0,"of_a_later_version":[1]}"#;

const CONNECTIONS: &str = r#"{"open":2,"next":null,"connections":[
    {"connection":"0-3-17","peer":"127.0.0.1:5000","user":null,"listener":"tls://127.0.0.1:7000","protocol":"text",
     "layers":["proxy","tls"],"stage":"serving","worker":1,"age_seconds":4001.2,"idle_seconds":0.1,
     "received":{"bytes":1200000,"messages":2},"sent":{"bytes":12,"messages":2},"unsent_bytes":0},
    {"connection":"0-4-2","peer":"[2001:db8:a:b:c:d:e:f]:54321","user":"al\u001b[2Jice",
     "listener":"tls://127.0.0.1:7000","protocol":"text","layers":[],"stage":"serving","worker":2,"age_seconds":1.2,
     "idle_seconds":90.0,"received":{"bytes":12,"messages":2},"sent":{"bytes":12,"messages":2},"unsent_bytes":65536}]}"#;

fn shown(status: &str, connections: &str, width: Option<usize>) -> Vec<String> {
    let sample = Sample::parse(status.to_owned(), connections.to_owned()).unwrap();
    let mut text = Text::new(width);
    let shown = Shown {
        target: "http://127.0.0.1:9465",
        status: &sample.status,
        rates: sample.status.rates,
        connections: &sample.page.connections,
    };
    sections(&shown, &mut text);
    text.lines.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_shown(lines: &[String], expected: &str) {
    let lines = lines.join("\n");
    assert_eq!(lines, expected.trim_start_matches('\n').trim_end(), "\n{lines}\n");
}

#[test]
fn a_pipe_receives_every_line_in_full() {
    assert_shown(
        &shown(STATUS, CONNECTIONS, None),
        r"
echo-server 0.1.0 at http://127.0.0.1:9465: healthy
state        running, live, ready; up 3h 12m since 2026-11-26 13:00:00 UTC
connections  5 open of at most 1000; 103 accepted, 12 refused, 1 probe; 0 in the dispatch queue
rates        accepted 1/s; received 1.2 MB/s, 34.5k messages/s; sent 1.2 MB/s, 34.5k messages/s; over 10.0 s
log          34.5k records, 2 dropped
history      1 message, 0 dropped, 7 waiting
rooms        1 open, 2 members; 3 delivered, 0 dropped
relay        up
descriptors  20 open of at most 1024

LISTENER                                      PROTOCOL  OPEN  ACCEPTED      P50     P99
tls://127.0.0.1:7000                          text         5       103  12.4 us  240 us
    received 1.3 MB, 35.2k messages; sent 1.3 MB, 35.2k messages
    refused 12: max-connections 10, max-connections-per-ip 2; closed 324: fin 290, exit 20, reset 10, idle-timeout 3, write-timeout 1
https://[2001:db8:1:2:3:4:5:6]:7443 (closed)  http         0         0        -       -
    received 0 B, 0 messages; sent 0 B, 0 messages

WORKER  CONNECTIONS  BUSY  ITERATIONS
     1            3   2 %         100
     2            2  97 %        1.2M

BUSIEST PEER                  USER          LISTENER              WORKER  RECEIVED  SENT   UNSENT    AGE    IDLE
127.0.0.1:5000                -             tls://127.0.0.1:7000       1    1.2 MB  12 B      0 B  1h 6m      0s
[2001:db8:a:b:c:d:e:f]:54321  al\x1b[2Jice  tls://127.0.0.1:7000       2      12 B  12 B  65.5 kB     1s  1m 30s
",
    );
}

#[test]
fn a_terminal_of_80_columns_receives_the_same_in_lines_that_fit() {
    let lines = shown(STATUS, CONNECTIONS, Some(80));
    assert_shown(
        &lines,
        r"
echo-server 0.1.0 at http://127.0.0.1:9465: healthy
state        running, live, ready; up 3h 12m since 2026-11-26 13:00:00 UTC
connections  5 open of at most 1000; 103 accepted, 12 refused, 1 probe;
             0 in the dispatch queue
rates        accepted 1/s; received 1.2 MB/s, 34.5k messages/s; sent 1.2 MB/s,
             34.5k messages/s; over 10.0 s
log          34.5k records, 2 dropped
history      1 message, 0 dropped, 7 waiting
rooms        1 open, 2 members; 3 delivered, 0 dropped
relay        up
descriptors  20 open of at most 1024

LISTENER                               PROTOCOL  OPEN  ACCEPTED      P50     P99
tls://127.0.0.1:7000                   text         5       103  12.4 us  240 us
    received 1.3 MB, 35.2k messages; sent 1.3 MB, 35.2k messages
    refused 12: max-connections 10, max-connections-per-ip 2;
    closed 324: fin 290, exit 20, reset 10, idle-timeout 3, write-timeout 1
https://[2001:db8:…5:6]:7443 (closed)  http         0         0        -       -
    received 0 B, 0 messages; sent 0 B, 0 messages

WORKER  CONNECTIONS  BUSY  ITERATIONS
     1            3   2 %         100
     2            2  97 %        1.2M

BUSIEST PEER                  WORKER  RECEIVED  SENT   UNSENT    AGE    IDLE
127.0.0.1:5000                     1    1.2 MB  12 B      0 B  1h 6m      0s
    at tls://127.0.0.1:7000
[2001:db8:a:b:c:d:e:f]:54321       2      12 B  12 B  65.5 kB     1s  1m 30s
    user al\x1b[2Jice, at tls://127.0.0.1:7000
",
    );
}

#[test]
fn a_server_that_is_not_healthy_shows_why() {
    let status = STATUS
        .replace("\"is_live\":true,\"stalled_threads\":[]", "\"is_live\":false,\"stalled_threads\":[\"worker-1\"]")
        .replace(
            "\"is_ready\":true,\"not_ready\":[]",
            "\"is_ready\":false,\"not_ready\":[\"the server shuts down\",\"the server is full: it serves 5 connections\"]",
        )
        .replace("\"phase\":\"running\"", "\"phase\":\"draining\"")
        .replace("\"is_up\":true", "\"is_up\":false")
        .replace("\"panics\":0", "\"panics\":1");
    let lines = shown(&status, CONNECTIONS, None);
    assert_shown(
        &lines[..5],
        r"
echo-server 0.1.0 at http://127.0.0.1:9465: NOT HEALTHY
not live: stalled: worker-1
not ready: the server shuts down; the server is full: it serves 5 connections
state        draining, not live, not ready; up 3h 12m since 2026-11-26 13:00:00 UTC
1 panic; the log has a line for each
",
    );
    assert!(lines.iter().any(|line| line.starts_with("relay        down: ")), "{lines:?}");
}

/// Only what a healthy server always has.
#[test]
fn a_server_without_clients_workers_and_options_is_shown() {
    let status = r#"{"version":"0.2.0","uptime_seconds":0.1,"phase":"running","is_live":true,"is_ready":true,
        "rates":null,"history":null,"rooms":null,"relay":null,"connections":{"open":0,"accepted":0,"refused":0}}"#;
    assert_shown(
        &shown(status, r#"{"connections":[]}"#, Some(80)),
        r"
echo-server 0.2.0 at http://127.0.0.1:9465: healthy
state        running, live, ready; up 0s
connections  0 open; 0 accepted, 0 refused, 0 probes; 0 in the dispatch queue
rates        none yet; the first interval is not over
log          0 records, 0 dropped

LISTENER  PROTOCOL  OPEN  ACCEPTED  P50  P99

WORKER  CONNECTIONS  BUSY  ITERATIONS

BUSIEST PEER  WORKER  RECEIVED  SENT  UNSENT  AGE  IDLE
    no connection
",
    );
}

#[test]
fn of_many_workers_the_busiest_are_shown() {
    let workers =
        (1..=40).map(|number| format!(r#"{{"worker":{number},"busy_ratio":0.{number:02}}}"#));
    let workers = workers.collect::<Vec<_>>().join(",");
    let status = format!(
        r#"{{"version":"0","uptime_seconds":1,"phase":"running","is_live":true,"is_ready":true,
        "workers":[{workers}],"connections":{{"open":0,"accepted":0,"refused":0}}}}"#
    );
    let lines = shown(&status, r#"{"connections":[]}"#, None);
    let workers: Vec<_> = lines.iter().skip_while(|line| !line.starts_with("WORKER")).collect();
    assert_eq!(workers[1], "    40            0  40 %           0");
    assert_eq!(workers[17], "    and 24 less busy, at most 24 %");
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    for width in [1, 2, 8, 20, 40, 79, 200] {
        for line in shown(STATUS, CONNECTIONS, Some(width)) {
            assert!(crate::cli::table::cells(&line) <= width, "{width}: {line}");
        }
    }
}
