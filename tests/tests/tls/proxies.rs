//! Programs that encrypt or decrypt between `echo-client` and `echo-server`.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
};

use rustix::process::Pid;
use tempfile::TempDir;
use tests::{
    net::{Certificate, TestCa, assert_same_bytes},
    programs::{EchoServer, Program, Report, TlsEchoServer, binaries},
    requirements::{haproxy, skip_without, socat, stunnel},
    system::procfs,
};

use crate::peer_clients::lines;

/// Running proxy, with its configuration; a drop kills it.
struct Proxy {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy {
    /// Starts `HAProxy` with options of its listener and of its server. The certificate is in the file `%`.
    fn haproxy(certificate: &Certificate, bind: &str, server: &str) -> Self {
        let configuration = format!(
            "defaults
                mode tcp
                timeout connect 30s
                timeout client 30s
                timeout server 30s
            listen echo
                bind fd@0 {bind}
                server echo {server}\n"
        );
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]);
        // HAProxy inherits the listener as its standard input, so no free port has to be guessed.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        command.stdin(OwnedFd::from(listener));
        let (child, directory) = spawn(command, certificate, &configuration);
        Self { child, address, _directory: directory }
    }

    /// Starts `stunnel` with options of its service. The certificate is in the file `%`.
    fn stunnel(certificate: &Certificate, options: &str) -> Self {
        let configuration =
            format!("foreground = yes\npid =\n[echo]\naccept = 127.0.0.1:0\n{options}\n");
        let (child, directory) = spawn(Command::new("stunnel"), certificate, &configuration);
        let address = procfs::wait_for_listener(Pid::from_child(&child));
        Self { child, address, _directory: directory }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.address.port())
    }
}

/// Starts a command whose last argument is a file with this configuration.
fn spawn(mut command: Command, certificate: &Certificate, configuration: &str) -> (Child, TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("the directory is writable");
        path
    };
    let read = |path| fs::read_to_string(path).expect("the file exists");
    let both = read(&certificate.certificate_file) + &read(&certificate.key_file);
    let pem = write("both.pem", &both);
    let configuration = configuration.replace('%', &pem.display().to_string());
    command.arg(write("proxy.conf", &configuration)).stdout(Stdio::null()).stderr(Stdio::null());
    (command.spawn().expect("the proxy is installed"), directory)
}

/// Passes a file through, which half-closes, and a load with new connections.
#[track_caller]
fn expect_every_byte(url: &str, ca: &TestCa) {
    let tls = if url.starts_with("tls") { &["--tls-ca", ca.file()][..] } else { &[] };
    let mut filter = Program::start(binaries::echo_client(), &[&[url], tls].concat());
    let sent = lines();
    filter.feed_all(sent.clone());
    let finished = filter.finish();
    assert_same_bytes(&finished.stdout, &sent);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    let args = "--connections 4 --messages 40 --size 1-5000 --churn 10";
    Report::at_url(url, &format!("{args} {}", tls.join(" "))).expect_success();
}

#[test]
fn haproxy_passes_tls_through_with_a_proxy_header() {
    if skip_without(&[haproxy()]) {
        return;
    }
    let server = TlsEchoServer::start("&proxy=required", &["--log-messages", "off"]);
    let option = format!("{} send-proxy-v2 check inter 2000", server.host_port());
    let proxy = Proxy::haproxy(&server.certificate, "", &option);
    expect_every_byte(&proxy.url("tls"), &server.ca);
    server.wait_for_log(r"New client connected: 127\.0\.0\.1:\d+ \(through 127\.0\.0\.1:\d+\)");
    server.wait_for_log("TLS handshake with .*, server name localhost, resumed$");
    let log = server.log().text();
    assert!(!log.contains("WARNING"), "also for the health checks: {log}");
}

#[test]
fn haproxy_decrypts_and_encrypts_again() {
    if skip_without(&[haproxy()]) {
        return;
    }
    let server = TlsEchoServer::start("&proxy=required", &["--log-messages", "off"]);
    let option = format!(
        "{} send-proxy-v2 ssl verify required ca-file {} sni str(localhost) verifyhost localhost check inter 2000",
        server.host_port(),
        server.ca.file(),
    );
    let proxy = Proxy::haproxy(&server.certificate, "ssl crt %", &option);
    expect_every_byte(&proxy.url("tls"), &server.ca);
    server.wait_for_log(r"New client connected: 127\.0\.0\.1:\d+ \(through 127\.0\.0\.1:\d+\)");
    let log = server.log().text();
    assert!(!log.contains("WARNING"), "also for the health checks: {log}");
}

#[test]
fn stunnel_encrypts_for_a_server_without_tls() {
    if skip_without(&[stunnel()]) {
        return;
    }
    let server = EchoServer::start_quiet();
    let ca = TestCa::new();
    let options = format!("connect = {}\ncert = %", server.address());
    let proxy = Proxy::stunnel(&ca.localhost(), &options);
    expect_every_byte(&proxy.url("tls"), &ca);
}

#[test]
fn stunnel_encrypts_for_a_client_without_tls() {
    if skip_without(&[stunnel()]) {
        return;
    }
    let server = TlsEchoServer::start("", &["--log-messages", "off"]);
    let options = format!(
        "client = yes\nconnect = {}\nCAfile = {}\nverifyChain = yes\ncheckHost = localhost",
        server.host_port(),
        server.ca.file()
    );
    let proxy = Proxy::stunnel(&server.certificate, &options);
    expect_every_byte(&proxy.url("tcp"), &server.ca);
}

#[test]
fn socat_serves_the_client() {
    if skip_without(&[socat()]) {
        return;
    }
    let ca = TestCa::new();
    let Certificate { certificate_file, key_file, .. } = ca.localhost();
    let (cert, key) = (certificate_file.display(), key_file.display());
    let mut command = Command::new("socat");
    command.args(["-d", "-d"]);
    command.arg(format!("OPENSSL-LISTEN:0,fork,bind=127.0.0.1,cert={cert},key={key},verify=0"));
    command.arg("EXEC:cat");
    let socat = Program::spawn(command);
    let line = socat.stderr.wait_for_line("listening on");
    let port = line.rsplit(':').next().expect("an address has a port");
    expect_every_byte(&format!("tls://localhost:{port}"), &ca);
}
