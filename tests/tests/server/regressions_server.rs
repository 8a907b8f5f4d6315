//! Regression tests of the server: addresses, settings, the PROXY header, the log, and UDP. Each doc comment describes the
//! defect that the test has found or would find again.

use std::{
    fs,
    io::{Read as _, Write as _, pipe},
    net::{SocketAddr, SocketAddrV6, TcpStream, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream},
    },
    path::Path,
    process::{Command, Stdio},
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::Signal,
};
use socket2::SockRef;
use tempfile::tempdir;
use tests::{
    net::Peer,
    programs::{EchoServer, Launch, Program, binaries},
    requirements::{self, Requirement},
    wait::DEADLINE,
};

/// Returns a link-local address of this machine, its interface, and the number of that.
fn link_local() -> Result<(SocketAddrV6, String), &'static str> {
    let interfaces = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let lines = interfaces.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let address = lines.filter_map(|fields| {
        let [hex, index, _, _, _, name] = fields[..] else { return None };
        let ip = std::net::Ipv6Addr::from_bits(u128::from_str_radix(hex, 16).ok()?);
        let index = u32::from_str_radix(index, 16).ok()?;
        ip.is_unicast_link_local().then(|| (SocketAddrV6::new(ip, 0, 0, index), name.to_owned()))
    });
    address.into_iter().next().ok_or("a link-local IPv6 address")
}

/// Requires that a process may have a file system of its own, with another `/etc/hosts`.
fn own_hosts() -> Requirement {
    let mut command = Command::new("unshare");
    command.args(["-m", "mount", "--bind", "/etc/hosts", "/etc/hosts"]).stderr(Stdio::null());
    let is_allowed = command.status().is_ok_and(|status| status.success());
    requirements::privilege(&is_allowed.then_some(()).ok_or("the privilege to mount a file"))
}

/// Starts a server that reads this file instead of `/etc/hosts`.
fn start_with_hosts(hosts: &Path, args: &[&str]) -> EchoServer {
    let hosts = hosts.to_str().expect("the path is UTF-8");
    let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    Launch::new(args)
        .without_port()
        .wrapped_by(&["unshare", "-m", "sh", "-c", script, hosts])
        .start()
}

fn echo(mut stream: UnixStream) {
    stream.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
    stream.write_all(b"hello\n").expect("the server reads");
    let mut reply = [0; 6];
    stream.read_exact(&mut reply).expect("the server replies");
    assert_eq!(&reply, b"hello\n");
}

fn abstract_address(name: &str) -> UnixAddr {
    UnixAddr::from_abstract_name(name).expect("the name is short")
}

/// The server listened on the first address of a name alone, which may not be the one that a client uses.
#[test]
fn a_host_name_is_served_at_each_of_its_addresses() {
    if requirements::skip_without(&[own_hosts()]) {
        return;
    }
    let directory = tempdir().expect("a temporary directory");
    let hosts = directory.path().join("hosts");
    fs::write(&hosts, "127.0.0.1 many\n127.0.0.2 many\n127.0.0.1 many\n198.51.100.7 many\n")
        .expect("the file can be written");
    let server = start_with_hosts(
        &hosts,
        &["--listen", "tcp://many:0?max-connections=2", "--listen", "udp://many:0"],
    );
    server.wait_for_log(
        r"WARNING - Not listening on 198\.51\.100\.7:\d+: cannot assign requested address; ",
    );
    let [one, two, udp_one, udp_two] = server.addresses() else {
        panic!("{:?}", server.addresses())
    };
    let [one, two]: [SocketAddr; 2] =
        [one, two].map(|address| address.parse().expect("an address"));
    assert_eq!(
        (one.ip().to_string(), two.ip().to_string()),
        ("127.0.0.1".into(), "127.0.0.2".into())
    );
    assert_eq!(one.port(), two.port(), "a free port is the same at every address");
    let mut peers = [one, two].map(Peer::connect);
    for peer in &mut peers {
        peer.exchange(b"hello\n");
    }
    // The limit of the listener is that of all its addresses together.
    let mut reply = String::new();
    let mut refused = TcpStream::connect(two).expect("the socket listens");
    refused.read_to_string(&mut reply).expect("the server closes");
    assert!(reply.contains("it serves 2 connections on this listener"), "{reply}");

    let client = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    client.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
    for address in [udp_one, udp_two].map(|url| url.strip_prefix("udp://").expect("it is for UDP"))
    {
        client.send_to(b"hello", address).expect("the datagram can be sent");
        let (len, from) = client.recv_from(&mut [0; 9]).expect("an echo");
        assert_eq!((len, from.to_string().as_str()), (5, address));
    }
}

/// A reload compares addresses: a socket stays open if the configuration names it in another way, and the addresses of
/// a name are looked up again.
#[test]
fn a_reload_keeps_the_addresses_that_two_names_share() {
    if requirements::skip_without(&[own_hosts()]) {
        return;
    }
    let directory = tempdir().expect("a temporary directory");
    let (hosts, config) = (directory.path().join("hosts"), directory.path().join("echo.toml"));
    let write = |path: &Path, text: &str| fs::write(path, text).expect("the file can be written");
    write(&hosts, "127.0.0.1 many\n127.0.0.2 many\n");
    write(&config, "host = 'many'\nport = 0\n");
    let server =
        start_with_hosts(&hosts, &["--config", config.to_str().expect("the path is UTF-8")]);
    let port = server.address().port();
    let mut reloads = 0;
    let mut reload = || {
        reloads += 1;
        server.signal(Signal::HUP);
        let _ = server.log().wait_for_lines("Configuration reloaded", reloads);
    };
    let is_open = |ip: [u8; 4]| TcpStream::connect(SocketAddr::from((ip, port))).is_ok();

    // Another name for one of the addresses.
    write(&config, "host = '127.0.0.2'\nport = 0\n");
    reload();
    assert!(is_open([127, 0, 0, 2]) && !is_open([127, 0, 0, 1]));
    // The addresses of the name have changed. The bind mount is of this file, so its content is replaced.
    write(&config, "host = 'many'\nport = 0\n");
    write(&hosts, "127.0.0.2 many\n127.0.0.3 many\n");
    reload();
    assert!(is_open([127, 0, 0, 2]) && is_open([127, 0, 0, 3]) && !is_open([127, 0, 0, 1]));
    // The name is unknown for now.
    write(&hosts, "\n");
    reload();
    assert!(is_open([127, 0, 0, 2]) && is_open([127, 0, 0, 3]));
    assert!(server.log().text().contains("its present addresses stay open"));
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert_eq!(log.matches("started on 127.0.0.2:").count(), 1, "it was never closed: {log}");
}

/// URLs with a zone were refused, and the log had none.
#[test]
fn a_link_local_address_has_its_interface_in_urls_and_in_the_log() {
    let found = link_local();
    if requirements::skip_without(&[requirements::privilege(&found)]) {
        return;
    }
    let Ok((address, interface)) = found else { return };
    let ip = address.ip();
    let url = format!("tcp://[{ip}%{interface}]:0");
    let server =
        EchoServer::start_with(&["--listen", &url, "--listen", &url.replacen("tcp", "udp", 1)]);
    let [tcp, udp] = server.addresses() else { panic!("{:?}", server.addresses()) };
    let start = format!("[{ip}%{interface}]:");
    assert!(tcp.starts_with(&start) && udp.starts_with(&format!("udp://{start}")), "{tcp} {udp}");
    let port = tcp.rsplit(':').next().expect("a port");
    for zone in [interface.clone(), format!("25{interface}"), address.scope_id().to_string()] {
        let ended = Program::run_client(&["-m", "hello", &format!("tcp://[{ip}%{zone}]:{port}")]);
        assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
    }
    let name = regex_of(&start);
    server.wait_for_log(&format!(r"New client connected: {name}\d+$"));
    server.wait_for_log(&format!(r"Received from {name}\d+: 'hello'$"));
    let ended = Program::run_client(&["ping", "--count", "1", udp]);
    assert_eq!(ended.code(), 0, "{ended:?}");
    assert!(ended.stdout_text().contains(&format!("from {start}")), "{ended:?}");
    server.wait_for_log(&format!(r"Echoed to {name}\d+: "));

    let ended = Program::run_client(&["-m", "hello", &format!("tcp://[{ip}%no-such]:{port}")]);
    assert!(ended.error_line().contains("there is no network interface 'no-such'"), "{ended:?}");
    let ended = Program::run_server(&["--listen", &format!("tcp://[{ip}%no-such]:0")]);
    assert!(ended.error_line().contains("there is no network interface 'no-such'"), "{ended:?}");
}

fn regex_of(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_alphanumeric() { char.into() } else { format!("\\{char}") })
        .collect()
}

/// `unix:@name` made a file of this name.
#[test]
fn an_abstract_socket_has_no_file() {
    let directory = tempdir().expect("a temporary directory");
    let name = format!("echo-{}", std::process::id());
    let url = format!("unix:@{name}");
    let config = directory.path().join("echo.toml");
    let write = |text: String| fs::write(&config, text).expect("the file can be written");
    write(format!("listen = ['{url}', 'tcp://127.0.0.1:0']\n"));
    let mut command = Launch::new(&["--config", "echo.toml"]).without_port();
    command = command.wrapped_by(&["env", "-C", directory.path().to_str().expect("it is UTF-8")]);
    let server = command.start();
    assert_eq!(server.addresses()[0], url);
    let address = abstract_address(&name);
    echo(UnixStream::connect_addr(&address).expect("the server listens"));
    server.wait_for_log(&format!("New client connected: {url}#1$"));
    let ended = Program::run_client(&["-m", "hello", &url]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
    let second = Program::run_server(&["--listen", &url]);
    assert!(second.error_line().contains("another program listens there"), "{second:?}");

    write(format!("listen = ['{url}', 'tcp://127.0.0.1:0']\nidle-timeout = '1h'\n"));
    server.signal(Signal::HUP);
    server.wait_for_log("Configuration reloaded");
    echo(UnixStream::connect_addr(&address).expect("the listener is kept"));
    write("listen = ['tcp://127.0.0.1:0']\n".to_owned());
    server.signal(Signal::HUP);
    let _ = server.log().wait_for_lines("Configuration reloaded", 2);
    assert!(UnixStream::connect_addr(&address).is_err(), "the listener is closed");
    let files = fs::read_dir(directory.path()).expect("it exists").count();
    assert_eq!(files, 1, "only the configuration");
}

/// An abstract socket of a service manager was refused, since it has no path.
#[test]
fn an_abstract_socket_can_be_inherited() {
    let name = format!("echo-inherited-{}", std::process::id());
    let address = abstract_address(&name);
    let listener = UnixListener::bind_addr(&address).expect("the name is free");
    let server = Launch::new::<&str>(&[]).inheriting(listener).start();
    assert_eq!(server.addresses(), [format!("unix:@{name}")]);
    echo(UnixStream::connect_addr(&address).expect("the server listens"));
}

/// `config check` accepted settings with which no server starts.
#[test]
fn config_check_refuses_the_hosts_and_paths_with_which_no_server_starts() {
    let directory = tempdir().expect("a temporary directory");
    let config = directory.path().join("echo.toml");
    let path = config.to_str().expect("the path is UTF-8");
    for (setting, reason) in [
        (
            "host = '127.0.0.1:7000'",
            "it has a port: give '127.0.0.1' as the host, and 7000 as the port",
        ),
        ("host = 'localhost:7'", "it has a port"),
        ("host = '[::1]:7'", "it has a port"),
        ("host = 'tcp://localhost'", "it is neither a host name nor an address"),
        ("host = 'a b'", "it is neither a host name nor an address"),
        ("host = \"a\\u0000b\"", "it is neither a host name nor an address"),
        ("host = 'fe80::1'", "a link-local address needs the name of its network interface"),
        ("host = '::1%lo'", "only a link-local address has"),
        ("listen = ['unix:///run/a%00b']", "the path of a socket cannot contain a NUL byte"),
        ("listen = ['unix:/run/']", "names a directory"),
        ("listen = ['unix:@']", "the name of the abstract socket is missing"),
        ("listen = ['unix:@a?mode=660']", "an abstract socket has no permissions"),
        ("listen = ['tcp://a%20b:7']", "it is neither a host name nor an address"),
        ("listen = ['tcp://[::ffff:1.2.3.4]:7?v6only=yes']", "it applies to IPv6 addresses only"),
        ("listen = ['tcp://127.0.0.1:7', 'tcp://[::ffff:127.0.0.1]:7']", "is configured twice"),
        ("listen = ['tcp://localhost:7', 'tcp://LOCALHOST:7']", "is configured twice"),
        ("listen = ['tcp://[::]:7', 'tcp://[fe80::1%lo]:7']", "covers every IPv6 address"),
        ("listen = ['unix:/run/a']\nlog-file = '/run/./a'", "has the path of the listener"),
        ("log-file = \"/tmp/a\\u0000b\"", "a path has no NUL byte"),
        ("log-file = '/tmp/'", "it names a directory"),
        ("workers = 99999999", "the maximum is 10000"),
        ("host = '256.0.0.1'", "it is neither a host name nor an address"),
        ("idle-timeout = '5M'", "the unit 'M' is not one of ns, us, ms, s, m, h, d, w"),
        ("drain-timeout = '1y'", "the unit 'y' is not one of"),
    ] {
        fs::write(&config, format!("{setting}\n")).expect("the file can be written");
        for args in [&["config", "check", "--config", path][..], &["--config", path]] {
            let ended = Program::run_server(args);
            assert_eq!(ended.code(), 2, "{setting}: {ended:?}");
            assert!(ended.error_line().contains(reason), "{setting}: {ended:?}");
        }
    }
}

/// `5M` was five months.
#[test]
fn both_programs_refuse_months_in_durations() {
    let server = Program::run_server(&["--idle-timeout", "5M"]);
    assert!(
        server.error_line().contains("the unit 'M' is not one of ns, us, ms, s, m, h, d, w"),
        "{server:?}"
    );
    let client = Program::run_client(&["--timeout", "5M", "-m", "hello"]);
    assert!(client.error_line().contains("the unit 'M' is not one of"), "{client:?}");
}

/// A network load balancer sends its header with the first bytes of its client. A client that was silent for 5 s lost
/// its connection.
#[test]
fn a_listener_without_a_proxy_timeout_waits_for_the_header() {
    let server = EchoServer::start_with(&[
        "--proxy-timeout",
        "1ms",
        "--listen",
        "tcp://127.0.0.1:0?proxy=required&proxy-timeout=off",
        "--listen",
        "tcp://127.0.0.1:0?proxy=required",
    ]);
    let [patient, strict] =
        [0, 1].map(|index: usize| server.addresses()[index].parse().expect("an address"));
    let mut waiting = Peer::connect(patient);
    let late = Peer::connect(strict);
    server.wait_for_log(&format!(
        "Client {} sent no complete PROXY header within 1ms",
        late.address()
    ));
    waiting.send(b"PROXY TCP4 203.0.113.7 ::ffff:10.0.0.1 5000 65432\r\nhello\n");
    waiting.expect(b"hello\n");
    server.wait_for_log("New client connected: 203\\.0\\.113\\.7:5000 \\(through ");
}

/// `--log-file -` made a file of this name.
#[test]
fn a_dash_as_the_log_file_is_standard_output() {
    let directory = tempdir().expect("a temporary directory");
    let mut command = Command::new(binaries::echo_server());
    command.args(["--port", "0", "--log-file", "-"]).current_dir(directory.path());
    let mut server = command.stdout(Stdio::piped()).spawn().expect("the server can be run");
    let mut text = String::new();
    let mut stdout = server.stdout.take().expect("the stream is a pipe");
    while !text.contains("Waiting for client connections") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).expect("the log is there");
        text.push(byte[0].into());
    }
    server.kill().expect("it runs");
    server.wait().expect("it ends");
    assert_eq!(fs::read_dir(directory.path()).expect("it exists").count(), 0);

    let man = Program::run_server(&["man", "-"]);
    assert_eq!(man.code(), 2, "{man:?}");
}

/// Another process that shares standard error may make it non-blocking. The log waits for its reader, and no record is
/// lost.
#[test]
fn the_log_survives_a_non_blocking_standard_error() {
    let (mut reader, writer) = pipe().expect("a descriptor is left");
    let flags = fcntl_getfl(&writer).expect("the pipe is open");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("the pipe is open");
    let mut command = Command::new(binaries::echo_server());
    command.args(["--port", "0"]).stderr(writer);
    let mut server = command.spawn().expect("the server can be run");
    drop(command);
    let mut log = Vec::new();
    let address = loop {
        let mut byte = [0];
        reader.read_exact(&mut byte).expect("the log is there");
        log.push(byte[0]);
        let text = String::from_utf8_lossy(&log);
        if let Some((_, address)) = text.split_once("started on ")
            && let Some((address, _)) = address.split_once('\n')
        {
            break address.parse().expect("an address");
        }
    };
    // More records than the pipe holds, and nobody reads them meanwhile.
    let mut peer = Peer::connect(address);
    for number in 0..2000 {
        peer.exchange(format!("message {number}\n").as_bytes());
    }
    drop(peer);
    tests::system::process::signal(&server, Signal::TERM);
    reader.read_to_end(&mut log).expect("the log ends");
    assert!(server.wait().expect("it ends").success());
    let log = String::from_utf8_lossy(&log);
    assert_eq!(log.matches("Echoed to ").count(), 2000);
    assert!(log.contains("Server shutdown complete") && !log.contains("are lost"));
}

/// A datagram whose hop limit is exhausted has no answer, and the log says why.
#[test]
fn a_datagram_with_the_last_hop_is_refused_with_a_line() {
    let server = EchoServer::start_with(&["--listen", "udp://127.0.0.1:0", "--log-level", "debug"]);
    let address = server.addresses()[0].strip_prefix("udp://").expect("it is for UDP");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    SockRef::from(&client).set_ttl_v4(1).expect("a valid hop limit");
    client.send_to(b"hello", address).expect("the datagram can be sent");
    let from = client.local_addr().expect("it is bound");
    server.wait_for_log(&format!(
        "WARNING - Did not answer a datagram from {from}: its hop limit is exhausted"
    ));
    let (_, log) = server.terminate();
    assert!(log.contains("Answered 0 datagrams; refused 1"), "{log}");
}
