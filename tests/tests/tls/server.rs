//! TLS as other programs speak it: openssl and Python.

use std::{fs, net::Ipv4Addr, os::unix::fs::PermissionsExt as _, process::Command};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SerialNumber, date_time_ymd,
};
use rustix::process::Signal;
use tempfile::TempDir;
use tests::{
    net::Peer,
    programs::{EchoServer, Finished, Launch, Program, binaries::echo_client},
    requirements::{openssl, python, skip_without},
    wait::wait_until,
};

/// A CA, and certificates of it in files.
struct Certificates {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Certificates {
    /// Makes a CA, a certificate for a server, and one for a client.
    fn new() -> Self {
        let directory = TempDir::new().expect("the directory for temporary files is writable");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "CA");
        let key = KeyPair::generate().expect("there are random numbers");
        let ca = params.self_signed(&key).expect("the parameters are valid");
        fs::write(directory.path().join("ca.pem"), ca.pem()).expect("the directory is writable");
        let all = Self { directory, issuer: Issuer::new(params, key) };
        all.issue("localhost");
        all.issue("alice");
        all
    }

    fn issue(&self, name: &str) {
        self.issue_with(name, |_| {});
    }

    /// Writes `NAME.pem` and `NAME.key`, a certificate for this name and its key.
    fn issue_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let mut params = CertificateParams::new([name.to_owned()]).expect("the name is valid");
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(7));
        change(&mut params);
        let key = KeyPair::generate().expect("there are random numbers");
        let certificate = params.signed_by(&key, &self.issuer).expect("the parameters are valid");
        self.write(&format!("{name}.pem"), &certificate.pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).expect("the directory is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is our own file");
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory.path().display())
    }

    /// Returns a URL in which `@` is the directory of the certificates.
    fn listen(&self, parameters: &str) -> String {
        let own = format!("cert=@localhost.pem&key=@localhost.key{parameters}");
        format!("tls://127.0.0.1:0?{}", own.replace('@', &self.path("")))
    }

    fn start(&self, parameters: &str, args: &[&str]) -> EchoServer {
        let listen = self.listen(parameters);
        EchoServer::start_with(&[&["--listen", &listen], args].concat())
    }

    /// Runs `openssl s_client` with this input, which ends the session. `@` in an argument is the directory of the
    /// certificates.
    fn s_client(&self, address: &str, args: &str, input: &str) -> Finished {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-ign_eof", "-connect", address]);
        command.args(["-verify_return_error", "-CAfile", &self.path("ca.pem")]);
        command.args(args.replace('@', &self.path("")).split_whitespace());
        let mut client = Program::spawn(command);
        client.feed(input.as_bytes());
        client.finish()
    }
}

/// Returns the address of a listener without its scheme.
fn host_port(server: &EchoServer, index: usize) -> &str {
    server.addresses()[index].strip_prefix("tls://").expect("it is a TLS listener")
}

/// Returns the address of the first listener.
fn address(server: &EchoServer) -> &str {
    host_port(server, 0)
}

/// Runs a Python script with arguments, and returns its output.
fn run_python(script: &str, args: &[&str]) -> String {
    let mut command = Command::new("python3");
    command.args(["-c", script]).args(args);
    let finished = Program::spawn(command).finish();
    assert_eq!(finished.code(), 0, "{finished:?}");
    finished.stdout_text().to_owned()
}

#[test]
fn both_versions_are_served() {
    if skip_without(&[openssl()]) {
        return;
    }
    let certificates = Certificates::new();
    let server = certificates.start("&alpn=h9,echo", &[]);
    for (args, version) in [("-tls1_2", "TLS 1.2"), ("-tls1_3 -alpn echo", "TLS 1.3")] {
        let client = certificates.s_client(address(&server), args, "hello\nexit\n");
        assert!(client.stdout_text().contains("hello\nGoodbye!\n"), "{client:?}");
        server.wait_for_log(&format!(r"TLS handshake with 127\.0\.0\.1:\d+: {version}, TLS_"));
    }
    server.wait_for_log("ALPN echo");
    let client = certificates.s_client(address(&server), "-alpn other", "");
    assert!(client.stderr.contains("no application protocol"), "{client:?}");
}

#[test]
fn a_version_below_the_minimum_is_refused_with_an_alert() {
    if skip_without(&[openssl()]) {
        return;
    }
    let certificates = Certificates::new();
    let server = certificates.start("&tls-min=1.3", &[]);
    let client = certificates.s_client(address(&server), "-tls1_2", "");
    assert!(client.stderr.contains("alert protocol version"), "{client:?}");
    server.wait_for_log("WARNING.*it offers no version of TLS that this listener accepts");
}

#[test]
fn a_session_is_resumed_and_early_data_is_not_accepted() {
    if skip_without(&[openssl()]) {
        return;
    }
    let certificates = Certificates::new();
    let server = certificates.start("", &[]);
    for version in ["-tls1_2", "-tls1_3"] {
        let save = format!("{version} -sess_out @session");
        let first = certificates.s_client(address(&server), &save, "hello\nexit\n");
        assert!(first.stdout_text().contains("\nNew, TLSv1."), "{first:?}");
        let resume = format!("{version} -sess_in @session");
        let second = certificates.s_client(address(&server), &resume, "hello\nexit\n");
        assert!(second.stdout_text().contains("\nReused, TLSv1."), "{second:?}");
        assert!(!second.stdout_text().contains("Early data was accepted"), "{second:?}");
        server.wait_for_log("TLS handshake with .*, resumed$");
    }
}

#[test]
fn clients_are_verified_by_their_certificates() {
    if skip_without(&[openssl()]) {
        return;
    }
    let certificates = Certificates::new();
    certificates.issue_with("old", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let optional = certificates.listen("&client-ca=@ca.pem&client-cert=optional");
    let server = certificates.start("&client-ca=@ca.pem", &["--listen", &optional]);
    let input = "hello\nexit\n";
    let alice = "-cert @alice.pem -key @alice.key";
    for index in [0, 1] {
        let client = certificates.s_client(host_port(&server, index), alice, input);
        assert!(client.stdout_text().contains("hello\nGoodbye!\n"), "{client:?}");
        server.wait_for_log("TLS handshake with .*, client CN=alice$");
    }
    let client = certificates.s_client(host_port(&server, 1), "", input);
    assert!(client.stdout_text().contains("hello\nGoodbye!\n"), "{client:?}");
    let client = certificates.s_client(host_port(&server, 0), "", "");
    assert!(client.stderr.contains("certificate required"), "{client:?}");
    server.wait_for_log("failed: it has no certificate, which this listener requires");
    let old = "-cert @old.pem -key @old.key";
    let client = certificates.s_client(host_port(&server, 1), old, "");
    assert!(client.stderr.contains("certificate expired"), "{client:?}");
}

#[test]
fn the_name_that_a_client_asks_for_chooses_the_certificate() {
    if skip_without(&[openssl()]) {
        return;
    }
    let certificates = Certificates::new();
    certificates.issue("*.example.com");
    let more = "&cert=@*.example.com.pem&key=@*.example.com.key&cert=@alice.pem&key=@alice.key";
    let server = certificates.start(more, &[]);
    for (args, subject) in [
        ("-servername alice", "alice"),
        ("-servername a.EXAMPLE.com", "*.example.com"),
        ("-servername other", "localhost"),
        ("-noservername", "localhost"),
    ] {
        let client = certificates.s_client(address(&server), args, "exit\n");
        let line = format!("subject=CN = {subject}\n");
        assert!(client.stdout_text().replace("CN=", "CN = ").contains(&line), "{args}: {client:?}");
    }
}

/// Sends 2 MB, ends its direction, then receives the echo and the end of the other direction.
const HALF_CLOSE: &str = r"
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(incoming, outgoing, server_hostname='localhost')
sock = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
def receive():
    data = sock.recv(65536)
    incoming.write(data) if data else incoming.write_eof()
while True:
    try:
        tls.do_handshake()
        break
    except ssl.SSLWantReadError:
        sock.sendall(outgoing.read())
        receive()
sent = b'a line of text\n' * 140000
tls.write(sent)
try:
    tls.unwrap()
except ssl.SSLWantReadError:
    pass
rest = memoryview(outgoing.read())
sock.setblocking(False)
received = b''
while True:
    try:
        rest = rest[sock.send(rest):] if rest else rest
    except BlockingIOError:
        pass
    try:
        receive()
    except BlockingIOError:
        continue
    try:
        while True:
            data = tls.read(65536)
            if not data:
                raise ssl.SSLZeroReturnError
            received += data
    except ssl.SSLWantReadError:
        continue
    except ssl.SSLZeroReturnError:
        break
sock.setblocking(True)
print(received == sent, sock.recv(1))
";

#[test]
fn a_client_may_end_its_direction_with_its_echo_in_flight() {
    if skip_without(&[python()]) {
        return;
    }
    let certificates = Certificates::new();
    let server = certificates.start("", &["--log-messages", "off", "--log-format", "json"]);
    let port = address(&server).rsplit(':').next().expect("the address has a port");
    assert_eq!(run_python(HALF_CLOSE, &[port, &certificates.path("ca.pem")]), "True b''\n");
    server.wait_for_log(r#""event":"closed".*"reason":"fin","closed_by":"client""#);
}

/// Closes the socket without a `close_notify`.
const TRUNCATE: &str = r"
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
sock = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
sock.sendall(sys.argv[3].encode())
tls = context.wrap_socket(sock, server_hostname='localhost')
tls.sendall(b'hello\n')
print(tls.recv(100))
tls.close()
";

#[test]
fn a_truncated_stream_is_named_in_the_log() {
    if skip_without(&[python()]) {
        return;
    }
    let certificates = Certificates::new();
    let server = certificates.start("", &["--log-format", "json"]);
    let port = address(&server).rsplit(':').next().expect("the address has a port");
    assert_eq!(run_python(TRUNCATE, &[port, &certificates.path("ca.pem"), ""]), "b'hello\\n'\n");
    server.wait_for_log(r#""event":"closed".*"reason":"truncated","closed_by":"client""#);
    server.wait_for_log(
        r#""event":"connected".*"tls_version":"TLS 1.3","tls_suite":"TLS_.*"tls_server_name":"localhost","tls_resumed":false"#,
    );
}

#[test]
fn a_proxy_header_precedes_the_handshake() {
    if skip_without(&[python()]) {
        return;
    }
    let certificates = Certificates::new();
    let server = certificates.start("&proxy=required", &[]);
    let port = address(&server).rsplit(':').next().expect("the address has a port");
    let header = "PROXY TCP4 203.0.113.7 10.0.0.1 5000 65432\r\n";
    let output = run_python(TRUNCATE, &[port, &certificates.path("ca.pem"), header]);
    assert_eq!(output, "b'hello\\n'\n");
    server.wait_for_log("TLS handshake with 203.0.113.7:5000: ");
}

#[test]
fn a_unix_socket_has_tls() {
    if skip_without(&[openssl()]) {
        return;
    }
    let certificates = Certificates::new();
    let socket = certificates.path("echo.sock");
    let listen = format!("unix://{socket}?tls=on");
    let both = [certificates.path("localhost.pem"), certificates.path("localhost.key")];
    let args = ["--listen", &listen, "--tls-cert", &both[0], "--tls-key", &both[1]];
    let server = EchoServer::start_with(&args);
    assert_eq!(server.addresses()[0], listen);
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-unix", &socket]);
    let mut client = Program::spawn(command);
    client.feed(b"hello\nexit\n");
    assert_eq!(client.finish().stdout_text(), "hello\nGoodbye!\n");
}

#[test]
fn a_client_without_tls_is_told_apart() {
    let certificates = Certificates::new();
    let server = certificates.start("", &[]);
    let address = address(&server).parse().expect("it is an address");
    let mut client = Peer::connect(address);
    client.send(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.read_to_end(), [21, 3, 3, 0, 2, 2, 10], "an alert");
    server.wait_for_log(
        r"WARNING - Client .* sent no TLS handshake, which this listener requires; the received bytes begin with 'GET / HTTP/1.1",
    );
}

#[test]
fn a_client_of_tls_on_a_listener_without_it_is_told_apart() {
    if skip_without(&[openssl()]) {
        return;
    }
    let server = EchoServer::start(&[]);
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &server.address().to_string()]);
    assert_ne!(Program::spawn(command).finish().code(), 0);
    server.wait_for_log("WARNING - Client .* sent a TLS handshake, and this listener has no TLS");
}

#[test]
fn a_reload_replaces_certificates_and_keeps_connections() {
    if skip_without(&[openssl()]) {
        return;
    }
    let certificates = Certificates::new();
    let server = certificates.start("", &[]);
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-connect", address(&server)]);
    let mut open = Program::spawn(command);
    open.feed(b"before\n");
    server.wait_for_log("Echoed to .*: 'before'");
    certificates
        .issue_with("localhost", |params| params.serial_number = Some(SerialNumber::from(9)));
    server.signal(Signal::HUP);
    server.wait_for_log("New connections to tls://.* use the changed settings");
    server.wait_for_log("Configuration reloaded$");
    let serial = |number: u8| {
        let client = certificates.s_client(address(&server), "-showcerts", "exit\n");
        let path = certificates.path("served.pem");
        fs::write(&path, client.stdout_text()).expect("the directory is writable");
        let serial =
            Command::new("openssl").args(["x509", "-noout", "-serial", "-in", &path]).output();
        let serial = String::from_utf8(serial.expect("openssl runs").stdout).expect("it is text");
        assert_eq!(serial.trim(), format!("serial={number:02X}"));
    };
    serial(9);
    fs::remove_file(certificates.path("localhost.key")).expect("it is our own file");
    server.signal(Signal::HUP);
    server
        .wait_for_log("ERROR - --listen: cannot read .*localhost.key': no such file or directory");
    server.wait_for_log("Configuration not reloaded; the previous one stays in force");
    serial(9);
    open.feed(b"after\nexit\n");
    assert_eq!(open.finish().stdout_text(), "before\nafter\nGoodbye!\n");
}

#[test]
fn a_self_signed_certificate_has_the_logged_fingerprint() {
    if skip_without(&[openssl()]) {
        return;
    }
    let certificates = Certificates::new();
    let server =
        Launch::new(&["--tls-self-signed", "--listen", "tls://127.0.0.1:0"]).without_port().start();
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", address(&server)]);
    let client = Program::spawn(command).finish();
    let path = certificates.path("served.pem");
    fs::write(&path, client.stdout_text()).expect("the directory is writable");
    let args = ["x509", "-noout", "-fingerprint", "-sha256", "-in", &path];
    let fingerprint = Command::new("openssl").args(args).output().expect("openssl runs");
    let fingerprint = String::from_utf8(fingerprint.stdout).expect("it is text");
    let sha256 = fingerprint.trim().rsplit('=').next().unwrap_or_default();
    let sha256 = sha256.replace(':', "").to_ascii_lowercase();
    server.wait_for_log(&format!(
        "Connect with: echo-client {} --tls-pin {sha256}$",
        server.addresses()[0]
    ));
}

#[test]
fn config_check_reads_the_files() {
    let certificates = Certificates::new();
    certificates.issue_with("old", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let check = |listen: &str| Program::run_server(&["config", "check", "--listen", listen]);
    assert_eq!(check(&certificates.listen("")).code(), 0);
    let wrong = certificates.listen("").replace("localhost.key", "alice.key");
    let refused = check(&wrong);
    assert_eq!(refused.code(), 2);
    assert!(refused.error_line().contains("does not belong to the first certificate in"));
    let old = check(&certificates.listen("").replace("localhost", "old"));
    assert_eq!(old.code(), 0);
    assert!(old.error_line().starts_with("warning: --listen: "), "{old:?}");
    assert!(
        old.error_line().contains("the certificate of CN=old expired on 2020-01-01 00:00:00 UTC"),
        "{old:?}"
    );
}

/// Starts a server with a self-signed certificate.
fn start_self_signed(args: &[&str]) -> EchoServer {
    let listen = ["--tls-self-signed", "--listen", "tls://127.0.0.1:0"];
    Launch::new(&[&listen, args].concat()).without_port().start()
}

/// Starts `echo-client`, which accepts any certificate.
fn start_client(server: &EchoServer) -> Program {
    let mut client = Program::start(echo_client(), &[&server.addresses()[0], "--insecure"]);
    client.feed(b"hello\n");
    client
}

#[test]
fn handshakes_in_progress_leave_room_for_others() {
    let server = start_self_signed(&["--max-handshakes", "2", "--max-handshakes-per-ip", "1"]);
    let at = address(&server).parse().expect("it is an address");
    let silent = |last| Peer::connect_from(Ipv4Addr::new(127, 0, 0, last).into(), at);
    let (first, _second) = (silent(2), silent(3));
    assert_eq!(silent(4).read_to_end(), b"");
    server.wait_for_log(r"Refused 127\.0\.0\.4:\d+: at the limit of 2 handshakes in progress$");
    drop(first);
    // The server notices the end of its stream at some time after this.
    wait_until("a handshake is admitted", || start_client(&server).finish().code() == 0);

    let _established: Vec<_> = (0..3)
        .map(|_| {
            let client = start_client(&server);
            let _ = client.stdout.wait_for_line("^hello$");
            client
        })
        .collect();
    assert_eq!(silent(3).read_to_end(), b"", "a second handshake of one address");
}

#[test]
fn the_session_secrets_are_written_to_the_file_of_the_flag_only() {
    let directory = TempDir::new().expect("the directory for temporary files is writable");
    let path = directory.path().join("keys");
    let file = path.to_str().expect("the path is UTF-8");
    let server = start_self_signed(&["--tls-key-log", file]);
    server.wait_for_log(
        "WARNING - --tls-key-log: the session secrets of TLS are written to '.*keys'; everyone",
    );
    assert!(!path.exists(), "the first secret creates the file");
    assert_eq!(start_client(&server).finish().code(), 0);
    let text = fs::read_to_string(&path).expect("the file exists");
    for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_TRAFFIC_SECRET_0 "] {
        assert!(text.lines().any(|line| line.starts_with(label)), "{text}");
    }
    assert_eq!(path.metadata().expect("it exists").permissions().mode() & 0o777, 0o600);

    fs::remove_file(&path).expect("it is our own file");
    let listen = ["--tls-self-signed", "--listen", "tls://127.0.0.1:0"];
    let server = Launch::new(&listen).without_port().env("SSLKEYLOGFILE", file).start();
    assert_eq!(start_client(&server).finish().code(), 0);
    assert!(!path.exists());
}

#[test]
fn settings_of_tls_without_a_tls_listener_cause_warnings() {
    let checked = Program::run_server(&["config", "check", "--handshake-timeout", "1s"]);
    assert_eq!(
        checked.error_line(),
        "warning: --handshake-timeout: 'handshake-timeout' has no effect: no listener has TLS or login=required"
    );
    let listen = ["--tls-self-signed", "--listen", "tls://127.0.0.1:0"];
    let args = [&["config", "check"], &listen[..], &["--tls-key-log", "/missing/keys"]].concat();
    assert_eq!(
        Program::run_server(&args).error_line(),
        "--tls-key-log: cannot write '/missing/keys': no such file or directory; give the path of a file \
         for the session secrets of TLS"
    );
}
