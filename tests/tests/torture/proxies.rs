//! HAProxy before the server: what it says of its clients is what the log says of them.

use std::{
    fs,
    net::TcpListener,
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
};

use tests::{
    needs::{self, lacks},
    peer::Peer,
    server::EchoServer,
};

/// A proxy that is killed when this is dropped.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "make torture"]
fn haproxy_says_whom_it_has_connected_for() {
    if lacks(&[needs::program("haproxy", &["-v"])]) {
        return;
    }
    let dir = tempfile::tempdir().expect("room for a directory");
    for sends in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"]
    {
        for front in ["127.0.0.1:0", "[::1]:0"] {
            let server = EchoServer::start_with(&[
                "--listen",
                "tcp://127.0.0.1:0?proxy=required",
                "--log-level",
                "debug",
            ]);
            // It takes the listener over as its standard input, so that nobody has to find a free port.
            let listener = TcpListener::bind(front).expect("a free port");
            let front = listener.local_addr().expect("it listens");
            let configuration = dir.path().join("haproxy.cfg");
            let text = format!(
                "defaults
                    mode tcp
                    timeout connect 30s
                    timeout client 30s
                    timeout server 30s
                listen echo
                    bind fd@0
                    unique-id-format %ci:%cp
                    server echo {} {sends} check inter 100\n",
                server.address()
            );
            fs::write(&configuration, text).expect("room for a file");
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-f").arg(&configuration).stdin(OwnedFd::from(listener));
            let child = command.stdout(Stdio::null()).spawn().expect("it ran before");
            let _proxy = Proxy(child);

            let mut client = Peer::connect(front);
            client.exchange(b"hello\n");
            let source = client.address();
            client.send(b"exit\n");
            client.expect_rest(b"Goodbye!\n");
            drop(client);
            let lines = server.session_log(source);
            assert!(
                lines[0].contains("New client connected: {peer} (through 127.0.0.1:"),
                "{lines:?}"
            );
            assert_eq!(lines.len(), 6, "{lines:?}");
            // Its health checks, which say nothing more.
            server.wait_for_log(r"DEBUG - 127\.0\.0\.1:\d+ disconnected without sending data$");
            let log = server.log().text();
            assert!(!log.contains("WARNING"), "{log}");
        }
    }
}
