//! A running `echo-server`, its addresses and its log.

use std::{
    ffi::{OsStr, OsString},
    net::SocketAddr,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal};

use crate::{
    log,
    net::Peer,
    programs::{binaries, output::Output},
    system::{process, procfs},
    wait::wait_until,
};

/// Running `echo-server` that accepts connections. Dropping this kills it.
#[derive(Debug)]
pub struct EchoServer {
    child: Child,
    addresses: Vec<String>,
    log: Output,
}

/// Options for the start of an `echo-server`.
#[derive(Debug)]
pub struct Launch {
    args: Vec<OsString>,
    /// `None` if the arguments or the environment set it.
    port: Option<u16>,
    descriptor_limit: Option<u32>,
    stderr_closed: bool,
    wrapper: Vec<String>,
    logs_start: bool,
    has_own_process_group: bool,
    environment: Vec<(String, OsString)>,
    passed: Option<OwnedFd>,
}

impl EchoServer {
    /// Starts a server on a free port of 127.0.0.1, with these further arguments.
    #[must_use]
    pub fn start(args: &[&str]) -> Self {
        Launch::new(args).start()
    }

    /// Starts a server on a free port of 127.0.0.1 that does not log messages.
    #[must_use]
    pub fn start_quiet() -> Self {
        Self::start(&["--log-messages", "off"])
    }

    /// Starts a server with exactly these arguments, which set its listeners.
    #[must_use]
    pub fn start_with(args: &[&str]) -> Self {
        Launch::new(args).without_port().start()
    }

    /// Returns the address of its first listener, which has to be for TCP or a protocol over it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let first = self.addresses[0].rsplit('/').next().unwrap_or_default();
        first.parse().unwrap_or_else(|error| panic!("{error}: {first:?}"))
    }

    /// Returns the addresses of its listeners, as its log names them, in the order of its arguments.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Connects to it.
    #[must_use]
    pub fn connect(&self) -> Peer {
        Peer::connect(self.address())
    }

    /// Returns its standard error.
    #[must_use]
    pub fn log(&self) -> &Output {
        &self.log
    }

    /// Waits for a log line that matches `pattern` (see [`log::pattern`]).
    pub fn wait_for_log(&self, pattern: &str) {
        let _ = self.log.wait_for_line(pattern);
    }

    /// Waits until the log reports the end of a connection, and returns all lines that name its peer; see
    /// [`log::lines_of`].
    #[must_use]
    pub fn session_log(&self, peer: SocketAddr) -> Vec<String> {
        let name = regex::escape(&peer.to_string());
        let _ = self.log.wait_for_line(&format!("Connection with {name} closed$"));
        log::lines_of(&self.log.text(), peer)
    }

    /// Returns its process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(&self.child, signal);
    }

    /// Stops all of its threads, as a debugger does, and waits until none of them runs. The kernel still serves its sockets.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        wait_until("the server has stopped", || procfs::has_stopped(self.pid()));
    }

    /// Continues after [`EchoServer::pause`].
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    ///
    /// If it still runs at the deadline.
    #[must_use]
    pub fn wait(&mut self) -> ExitStatus {
        process::wait(&mut self.child)
            .unwrap_or_else(|| panic!("the server still runs; its log:\n{}", self.log.text()))
    }

    /// Waits until it ends by itself. Returns the exit status and the whole log.
    #[must_use]
    pub fn wait_with_log(mut self) -> (ExitStatus, String) {
        let status = self.wait();
        let log = self.log.read_to_end();
        (status, String::from_utf8(log).expect("the log is UTF-8, whatever peers send"))
    }

    /// Sends it a SIGTERM and waits until it ends. Returns the exit status and the whole log.
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
            #[expect(clippy::print_stderr, reason = "a failed test shows the server's log")]
            {
                eprintln!("the server's log:\n{}", tail(&self.log.text(), 8 * 1024));
            }
        }
    }
}

impl Launch {
    /// A server on a free port of 127.0.0.1, with these further arguments.
    pub fn new<Arg: AsRef<OsStr>>(args: &[Arg]) -> Self {
        let args = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
        Self {
            args,
            port: Some(0),
            descriptor_limit: None,
            stderr_closed: false,
            wrapper: Vec::new(),
            logs_start: true,
            has_own_process_group: false,
            environment: Vec::new(),
            passed: None,
        }
    }

    /// Sets the port: that of an earlier server.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Adds no port: the arguments, the environment or a passed socket set the listeners.
    #[must_use]
    pub fn without_port(mut self) -> Self {
        self.port = None;
        self
    }

    /// Sets the soft and the hard limit of descriptors.
    #[must_use]
    pub fn descriptor_limit(mut self, limit: u32) -> Self {
        self.descriptor_limit = Some(limit);
        self
    }

    /// Closes the descriptor of standard error.
    #[must_use]
    pub fn closed_stderr(mut self) -> Self {
        self.stderr_closed = true;
        self.without_start_line()
    }

    /// Starts it through a command that replaces itself with the server, as `env` and `nice` do.
    #[must_use]
    pub fn wrapped_by(mut self, command: &[&str]) -> Self {
        self.wrapper = command.iter().map(|&argument| argument.to_owned()).collect();
        self
    }

    /// Takes the address from the kernel: standard error will not have the line `Echo server started`.
    #[must_use]
    pub fn without_start_line(mut self) -> Self {
        self.logs_start = false;
        self
    }

    /// Starts it in its own process group, so that Ctrl+C in the terminal does not reach it.
    #[must_use]
    pub fn in_own_process_group(mut self) -> Self {
        self.has_own_process_group = true;
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Passes a socket as a service manager does (`sd_listen_fds(3)`).
    #[must_use]
    pub fn inheriting(mut self, socket: impl Into<OwnedFd>) -> Self {
        self.passed = Some(socket.into());
        self.without_port()
    }

    /// Starts the server and waits until it accepts connections.
    #[must_use]
    pub fn start(mut self) -> EchoServer {
        let mut command = self.command();
        command.args(self.port.iter().flat_map(|port| ["--port".to_owned(), port.to_string()]));
        command.args(&self.args);
        if self.has_own_process_group {
            command.process_group(0);
        }
        command.envs(self.environment);
        command.stdin(self.passed.take().map_or_else(Stdio::null, Stdio::from));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server is built and can be run");
        let log = Output::collect(child.stderr.take().expect("the stream is a pipe"));
        let addresses = if self.logs_start {
            let _ = log.wait_for_line("Waiting for client connections");
            logged_addresses(&log.text())
        } else {
            vec![procfs::wait_for_listener(Pid::from_child(&child)).to_string()]
        };
        EchoServer { child, addresses, log }
    }

    fn command(&self) -> Command {
        let limit = self.descriptor_limit.map(|limit| format!("ulimit -n {limit} && "));
        let redirection = if self.stderr_closed { " 2>&-" } else { "" };
        let passed = self
            .passed
            .as_ref()
            .map(|_| "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; ");
        let mut shell = Command::new("sh");
        // The shell replaces itself with the server, so the process stays the same.
        let before = [limit.as_deref(), passed].into_iter().flatten().collect::<String>();
        let exec = format!(r#"{before}exec "$@"{redirection}"#);
        shell.arg("-c").arg(exec).arg("sh").args(&self.wrapper).arg(binaries::echo_server());
        shell
    }
}

fn logged_addresses(log: &str) -> Vec<String> {
    let started = log::pattern(r#"Echo server started on ([^\s"]+)"#);
    started.captures_iter(log).map(|address| address[1].to_owned()).collect()
}

/// Returns the last `max` bytes of a text, from a character boundary.
fn tail(text: &str, max: usize) -> &str {
    let start = text.ceil_char_boundary(text.len().saturating_sub(max));
    &text[start..]
}
