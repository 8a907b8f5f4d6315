//! Test with HAProxy in front of the server: the log names the clients that HAProxy reports.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Stdio},
};

use tests::{
    net::Peer,
    programs::EchoServer,
    requirements::{self, skip_without},
};

/// Proxy process; a drop kills it.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts HAProxy in front of the server, and returns it with its address.
fn start_haproxy(
    dir: &Path,
    front: &str,
    server: SocketAddr,
    send_option: &str,
) -> (Proxy, SocketAddr) {
    // HAProxy inherits the listener as its standard input, so no free port has to be guessed.
    let listener = TcpListener::bind(front).expect("a free port");
    let front = listener.local_addr().expect("the address of the listener");
    let configuration = dir.join("haproxy.cfg");
    let text = format!(
        "defaults
            mode tcp
            timeout connect 30s
            timeout client 30s
            timeout server 30s
        listen echo
            bind fd@0
            unique-id-format %ci:%cp
            server echo {server} {send_option} check inter 100\n"
    );
    fs::write(&configuration, text).expect("the file can be written");
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(&configuration).stdin(OwnedFd::from(listener));
    let child = command.stdout(Stdio::null()).spawn().expect("haproxy can be run");
    (Proxy(child), front)
}

#[test]
#[ignore = "make torture"]
fn logs_the_clients_that_haproxy_reports() {
    if skip_without(&[requirements::haproxy()]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    for send_option in
        ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"]
    {
        for front in ["127.0.0.1:0", "[::1]:0"] {
            let server = EchoServer::start_with(&[
                "--listen",
                "tcp://127.0.0.1:0?proxy=required",
                "--log-level",
                "debug",
            ]);
            let (_proxy, front) = start_haproxy(dir.path(), front, server.address(), send_option);

            let mut client = Peer::connect(front);
            client.exchange(b"hello\n");
            let source = client.address();
            client.send(b"exit\n");
            client.expect_to_end(b"Goodbye!\n");
            drop(client);
            let lines = server.session_log(source);
            assert!(
                lines[0].contains("New client connected: {peer} (through 127.0.0.1:"),
                "{lines:?}"
            );
            assert_eq!(lines.len(), 6, "{lines:?}");
            // The health checks of HAProxy, which send nothing after the header.
            server.wait_for_log(r"DEBUG - 127\.0\.0\.1:\d+ disconnected without sending data$");
            let log = server.log().text();
            assert!(!log.contains("WARNING"), "{log}");
        }
    }
}
