//! What HAProxy and nginx make of each fault of the servers behind them.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    thread,
};

use rustix::process::Signal;
use tempfile::TempDir;
use tests::{
    net::Peer,
    programs::{Output, Program},
    requirements::{curl, haproxy, nginx, skip_without},
    system::process,
};

use crate::faulty::Faulty;

/// Running proxy with its configuration; a drop ends it.
struct Proxy {
    child: Child,
    address: SocketAddr,
    log: Output,
    _directory: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A kill would leave the workers of nginx behind.
        process::signal(&self.child, Signal::TERM);
        let _ = self.child.wait();
    }
}

impl Proxy {
    /// Starts `HAProxy` in this mode in front of both listeners, with further lines, and options of the first server.
    fn haproxy(mode: &str, server: &Faulty, lines: &str, first: &str) -> Self {
        let text = |_: &str| {
            format!(
                "defaults
                    mode {mode}
                    timeout connect 30s
                    timeout client 30s
                    timeout server 30s
                listen echo
                    bind fd@0
                    {lines}
                    server one {} {first}
                    server two {}\n",
                server.address(0),
                server.address(1)
            )
        };
        Self::start(Command::new("haproxy"), &["-db", "-f"], text)
    }

    /// Starts nginx in front of both listeners, with further lines of its location.
    fn nginx(server: &Faulty, lines: &str) -> Self {
        let text = |address: &str| {
            format!(
                "daemon off;
                user root;
                worker_processes 1;
                pid nginx.pid;
                error_log stderr warn;
                events {{ }}
                http {{
                    access_log off;
                    client_body_temp_path body;
                    proxy_temp_path proxy;
                    fastcgi_temp_path fastcgi;
                    uwsgi_temp_path uwsgi;
                    scgi_temp_path scgi;
                    upstream echo {{
                        server {} max_fails=2 fail_timeout=1h;
                        server {};
                    }}
                    server {{
                        listen {address};
                        proxy_http_version 1.1;
                        location / {{
                            proxy_pass http://echo;
                            {lines}
                        }}
                    }}
                }}\n",
                server.address(0),
                server.address(1)
            )
        };
        let mut command = Command::new("nginx");
        // As at an upgrade of its binary, it takes the listener from its parent, so no free port has to be guessed.
        command.env("NGINX", "0;");
        Self::start(command, &["-e", "stderr", "-c"], text)
    }

    fn start(mut command: Command, args: &[&str], text: impl FnOnce(&str) -> String) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let path = directory.path().join("proxy.conf");
        fs::write(&path, text(&address.to_string())).expect("the directory is writable");
        command.args(args).arg(path);
        if args.contains(&"-c") {
            command.arg("-p").arg(directory.path());
        }
        command.stdin(OwnedFd::from(listener)).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the proxy is installed");
        let log = Output::collect(child.stderr.take().expect("the stream is a pipe"));
        Self { child, address, log, _directory: directory }
    }

    /// Returns the statuses of these numbers of requests, one after the other.
    fn statuses(&self, requests: usize) -> Vec<String> {
        let get = || {
            let mut command = Command::new("curl");
            command.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]);
            command.arg(format!("http://{}/", self.address));
            Program::spawn(command).finish().stdout_text().to_owned()
        };
        (0..requests).map(|_| get()).collect()
    }
}

/// A server of HTTP with a listener that has these faults, and one without.
fn http(faults: &str) -> Faulty {
    Faulty::start("http", &[faults, ""], &["--drain-timeout=100ms"])
}

#[test]
fn haproxy_retries_a_reset_answer_only_if_it_is_told_to() {
    if skip_without(&[haproxy(), curl()]) {
        return;
    }
    for faults in ["refuse=100%", "reset-after=20", "close-after=0"] {
        let server = http(faults);
        let retries = "balance roundrobin\nretries 3\noption redispatch 1";
        // A reset may arrive before HAProxy has looked at its new connection, which it retries then.
        if faults != "refuse=100%" {
            let proxy = Proxy::haproxy("http", &server, retries, "");
            assert_eq!(proxy.statuses(4), ["502", "200", "502", "200"], "{faults}");
        }
        let retry_on = format!("{retries}\nretry-on conn-failure empty-response");
        let proxy = Proxy::haproxy("http", &server, &retry_on, "");
        assert_eq!(proxy.statuses(4), ["200"; 4], "{faults}");
    }
}

#[test]
fn haproxy_takes_a_server_out_while_its_checks_fail_and_back_afterwards() {
    if skip_without(&[haproxy()]) {
        return;
    }
    // Two of them wait for a time limit.
    thread::scope(|scope| {
        for (faults, reason) in [
            ("refuse=100%", "Socket error"),
            ("truncate=0", "Layer7 timeout"),
            ("close-after=0", "Layer7 invalid response"),
            ("delay=1h", "Layer7 timeout"),
        ] {
            scope.spawn(move || expect_checks_to_find(faults, reason));
        }
    });
}

/// Checks a server with these faults until `HAProxy` takes it out for this reason, clears them, and waits until it is back.
fn expect_checks_to_find(faults: &str, reason: &str) {
    let server = Faulty::start("tcp", &[faults, ""], &[]);
    let checks = "option tcp-check
        tcp-check send ping\\n
        tcp-check expect string ping
        timeout check 2s";
    // `inter` is also the limit on a connect.
    let first = "check inter 2s fastinter 50ms downinter 50ms fall 2 rise 2";
    let proxy = Proxy::haproxy("tcp", &server, checks, first);
    let down = proxy.log.wait_for_line("Server echo/one is DOWN");
    assert!(down.contains(reason), "{faults}: {down}");
    for _ in 0..4 {
        let mut peer = Peer::connect(proxy.address);
        peer.exchange(b"served by the other one\n");
    }
    server.change(&["clear"]);
    let _ = proxy.log.wait_for_line("Server echo/one is UP");
}

#[test]
fn nginx_tries_the_next_server_and_takes_one_out_that_has_failed_twice() {
    if skip_without(&[nginx(), curl()]) {
        return;
    }
    // One of them waits for a time limit.
    thread::scope(|scope| {
        for (faults, failed) in
            [("refuse=100%", "502"), ("reset-after=20", "502"), ("delay=1h", "504")]
        {
            scope.spawn(move || expect_nginx_to_take_out(faults, failed));
        }
    });
}

/// Tries a server with these faults through nginx, which answers with the status `failed` if it may not try the other one.
fn expect_nginx_to_take_out(faults: &str, failed: &str) {
    let server = http(faults);
    // Also a failure to connect is a failed attempt, and none is repeated.
    let proxy = Proxy::nginx(&server, "proxy_read_timeout 2s; proxy_next_upstream off;");
    assert_eq!(proxy.statuses(6), [failed, "200", failed, "200", "200", "200"], "{faults}");
    let _ = proxy.log.wait_for_line("upstream server temporarily disabled");
    let proxy = Proxy::nginx(&server, "proxy_read_timeout 2s;");
    assert_eq!(proxy.statuses(6), ["200"; 6], "{faults}");
    let _ = proxy.log.wait_for_line("upstream server temporarily disabled");
    assert_eq!(server.records().len(), 4, "each proxy tries the faulty server twice");
}
