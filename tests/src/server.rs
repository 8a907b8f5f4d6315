//! A running `echo-server`, where it listens, and what it logs.

use std::{
    ffi::{OsStr, OsString},
    net::SocketAddr,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal};

use crate::{binaries, log, output::Output, peer::Peer, process, procfs};

/// An `echo-server` that accepts; it is killed when this is dropped.
#[derive(Debug)]
pub struct EchoServer {
    child: Child,
    addresses: Vec<String>,
    log: Output,
}

/// How an `echo-server` is to be started.
#[derive(Debug)]
pub struct Launch {
    args: Vec<OsString>,
    /// `None`: the arguments say where.
    port: Option<u16>,
    descriptor_limit: Option<u32>,
    stderr_closed: bool,
    under: Vec<String>,
    announced: bool,
    apart: bool,
    environment: Vec<(String, OsString)>,
    passed: Option<OwnedFd>,
}

impl EchoServer {
    /// Starts a server on a free port of 127.0.0.1, with these arguments besides.
    #[must_use]
    pub fn start(args: &[&str]) -> Self {
        Launch::new(args).start()
    }

    /// Starts a server with exactly these arguments, which say where it listens.
    #[must_use]
    pub fn start_with(args: &[&str]) -> Self {
        Launch::new(args).listening().start()
    }

    /// Where it listens: its only address, or the first, for TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let first = &self.addresses[0];
        first.parse().unwrap_or_else(|error| panic!("{error}: {first:?}"))
    }

    /// Everything that it listens on, as its log names it, in the order of its arguments.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// A new connection to it.
    #[must_use]
    pub fn connect(&self) -> Peer {
        Peer::connect(self.address())
    }

    /// What it has written to standard error.
    #[must_use]
    pub fn log(&self) -> &Output {
        &self.log
    }

    /// Waits for a log line like `pattern` (see [`log::pattern`]).
    pub fn wait_for_log(&self, pattern: &str) {
        let _ = self.log.wait_for_line(pattern);
    }

    /// All log lines that name `peer`, as soon as the line that says it has gone is among them;
    /// see [`log::lines_of`].
    #[must_use]
    pub fn session_log(&self, peer: SocketAddr) -> Vec<String> {
        let name = regex::escape(&peer.to_string());
        let _ = self.log.wait_for_line(&format!("Connection with {name} closed$"));
        log::lines_of(&self.log.text(), peer)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(&self.child, signal);
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    ///
    /// When it still runs at the deadline.
    #[must_use]
    pub fn wait(&mut self) -> ExitStatus {
        process::wait(&mut self.child)
            .unwrap_or_else(|| panic!("the server still runs; its log:\n{}", self.log.text()))
    }

    /// Waits for it to end by itself, and for the end of its log: the status and the whole log.
    #[must_use]
    pub fn wait_with_log(mut self) -> (ExitStatus, String) {
        let status = self.wait();
        let log = self.log.to_end();
        (status, String::from_utf8(log).expect("a log is UTF-8, whatever peers send"))
    }

    /// Tells it to shut down, and waits for that: the status and the whole log.
    #[must_use]
    pub fn terminate(self) -> (ExitStatus, String) {
        self.signal(Signal::TERM);
        self.wait_with_log()
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "a failed test shows what the server said")]
            {
                eprintln!("the server's log:\n{}", tail(&self.log.text(), 8 * 1024));
            }
        }
    }
}

impl Launch {
    /// On a free port of 127.0.0.1, with these arguments besides.
    pub fn new<Arg: AsRef<OsStr>>(args: &[Arg]) -> Self {
        let args = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
        Self {
            args,
            port: Some(0),
            descriptor_limit: None,
            stderr_closed: false,
            under: Vec::new(),
            announced: true,
            apart: false,
            environment: Vec::new(),
            passed: None,
        }
    }

    /// On this port: one that an earlier server had.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Where its arguments say, or whoever starts it.
    #[must_use]
    pub fn listening(mut self) -> Self {
        self.port = None;
        self
    }

    /// With no more than this many descriptors, soft and hard.
    #[must_use]
    pub fn descriptor_limit(mut self, most: u32) -> Self {
        self.descriptor_limit = Some(most);
        self
    }

    /// Without a standard error: there is no such descriptor.
    #[must_use]
    pub fn closed_stderr(mut self) -> Self {
        self.stderr_closed = true;
        self.unannounced()
    }

    /// Started by this command, which becomes the server in the end, as `env` and `nice` do.
    #[must_use]
    pub fn under(mut self, command: &[&str]) -> Self {
        self.under = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// With arguments that keep the `Echo server started` line from standard error: the address
    /// comes from the kernel then.
    #[must_use]
    pub fn unannounced(mut self) -> Self {
        self.announced = false;
        self
    }

    /// In a process group of its own: Ctrl+C in the terminal is not for it.
    #[must_use]
    pub fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    /// With this environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// With this socket, as a service manager passes one (`sd_listen_fds(3)`).
    #[must_use]
    pub fn passing(mut self, socket: impl Into<OwnedFd>) -> Self {
        self.passed = Some(socket.into());
        self.listening()
    }

    /// Starts it and waits until it accepts.
    #[must_use]
    pub fn start(mut self) -> EchoServer {
        let mut command = self.command();
        command.args(self.port.iter().flat_map(|port| ["--port".to_owned(), port.to_string()]));
        command.args(&self.args);
        if self.apart {
            command.process_group(0);
        }
        command.envs(self.environment);
        command.stdin(self.passed.take().map_or_else(Stdio::null, Stdio::from));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server was built and can be run");
        let log = Output::collect(child.stderr.take().expect("it is piped"));
        let addresses = if self.announced {
            let _ = log.wait_for_line("Waiting for client connections");
            announced_addresses(&log.text())
        } else {
            vec![procfs::wait_for_listener(Pid::from_child(&child)).to_string()]
        };
        EchoServer { child, addresses, log }
    }

    fn command(&self) -> Command {
        let limit = self.descriptor_limit.map(|most| format!("ulimit -n {most} && "));
        let redirection = if self.stderr_closed { " 2>&-" } else { "" };
        let passed = self
            .passed
            .as_ref()
            .map(|_| "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; ");
        let mut shell = Command::new("sh");
        // The shell becomes the server: same process.
        let before = [limit.as_deref(), passed].into_iter().flatten().collect::<String>();
        let exec = format!(r#"{before}exec "$@"{redirection}"#);
        shell.arg("-c").arg(exec).arg("sh").args(&self.under).arg(binaries::echo_server());
        shell
    }
}

fn announced_addresses(log: &str) -> Vec<String> {
    let started = log::pattern(r#"Echo server started on ([^\s"]+)"#);
    started.captures_iter(log).map(|address| address[1].to_owned()).collect()
}

/// The last `most` bytes of a text, give or take a character.
fn tail(text: &str, most: usize) -> &str {
    let start = text.ceil_char_boundary(text.len().saturating_sub(most));
    &text[start..]
}
