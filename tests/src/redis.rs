//! A running `redis-server`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    net::{Certificate, mock_server::own_address},
    programs::{Output, Program},
    system::procfs,
    wait::{DEADLINE, wait_until},
};

/// Attempts to start at an address.
const ATTEMPTS: usize = 100;

/// Running `redis-server` that keeps nothing on disk. Dropping this kills it.
#[derive(Debug)]
pub struct Redis {
    address: SocketAddr,
    args: Vec<String>,
    has_tls: bool,
    directory: TempDir,
    program: Option<Program>,
}

impl Redis {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        let mut redis = Self::stopped(&[]);
        redis.start_again();
        redis
    }

    /// Starts it with TLS alone.
    #[must_use]
    pub fn start_with_tls(certificate: &Certificate) -> Self {
        let Certificate { certificate_file, key_file, .. } = certificate;
        let (cert, key) = (certificate_file.display().to_string(), key_file.display().to_string());
        let args = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-auth-clients", "no"];
        // The certificate is for this address.
        let mut redis = Self { has_tls: true, ..Self::stopped_at(Ipv4Addr::LOCALHOST, &args) };
        redis.start_again();
        redis
    }

    /// Prepares one with these further arguments, which does not run.
    #[must_use]
    pub fn stopped(args: &[&str]) -> Self {
        Self::stopped_at(own_address(), args)
    }

    fn stopped_at(ip: Ipv4Addr, args: &[&str]) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("a port is free");
        Self {
            address: listener.local_addr().expect("a bound socket has an address"),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            has_tls: false,
            directory: tempfile::tempdir().expect("a temporary directory"),
            program: None,
        }
    }

    /// Starts it at its address, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If the address stays in use.
    pub fn start_again(&mut self) {
        let has_started = (0..ATTEMPTS).any(|_| self.try_start());
        assert!(has_started, "{} is in use, or redis-server does not start", self.address);
    }

    /// Starts it, unless its address is in use: a test that starts a program at this moment passes its sockets on for an instant.
    fn try_start(&mut self) -> bool {
        let (ip, port) = (self.address.ip().to_string(), self.address.port().to_string());
        let mut command = Command::new("redis-server");
        let ports = if self.has_tls { ["0", &port] } else { [&port[..], "0"] };
        command.args(["--bind", &ip, "--port", ports[0], "--tls-port", ports[1]]);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
        command.args(&self.args).current_dir(self.directory.path());
        let program = Program::spawn(command);
        let is_ready = program.stdout.wait_for("Redis is ready, or has ended", |bytes, ended| {
            let is_ready = String::from_utf8_lossy(bytes).contains("Ready to accept connections");
            (is_ready || ended).then_some(is_ready)
        });
        self.program = is_ready.then_some(program);
        is_ready
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.program = None;
    }

    /// Stops it, as a system that swaps does, or a debugger. It accepts connections and does not answer.
    pub fn pause(&self) {
        let program = self.program.as_ref().expect("it runs");
        program.signal(Signal::STOP);
        wait_until("Redis has stopped", || procfs::has_stopped(program.pid()));
    }

    /// Continues after [`Redis::pause`].
    pub fn resume(&self) {
        self.program.as_ref().expect("it runs").signal(Signal::CONT);
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.has_tls { "rediss" } else { "redis" };
        format!("{scheme}://{}", self.address)
    }

    /// Returns its host and port.
    #[must_use]
    pub fn host_port(&self) -> String {
        self.address.to_string()
    }

    /// Runs a command, and returns the first line of the answer.
    #[must_use]
    pub fn command(&self, arguments: &[&[u8]]) -> String {
        let mut line = String::new();
        BufReader::new(self.send(arguments)).read_line(&mut line).expect("it answers");
        line.trim_end().to_owned()
    }

    /// Subscribes to a channel. Returns all that arrives.
    #[must_use]
    pub fn subscribe(&self, channel: &str) -> Output {
        let output = Output::collect(self.send(&[b"SUBSCRIBE", channel.as_bytes()]));
        let _ = output.wait_for_line("subscribe");
        output
    }

    fn send(&self, arguments: &[&[u8]]) -> TcpStream {
        let mut stream = TcpStream::connect_timeout(&self.address, DEADLINE).expect("it runs");
        stream.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
        let mut command = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments {
            command.extend(format!("${}\r\n", argument.len()).into_bytes());
            command.extend([argument, &b"\r\n"[..]].concat());
        }
        stream.write_all(&command).expect("it reads");
        stream
    }

    /// Publishes a payload.
    pub fn publish(&self, channel: &str, payload: &[u8]) {
        let answer = self.command(&[b"PUBLISH", channel.as_bytes(), payload]);
        assert!(answer.starts_with(':'), "{answer}");
    }
}
