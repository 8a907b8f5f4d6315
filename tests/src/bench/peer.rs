//! The servers, and a running server.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    case::{Case, Kind},
    usage::Usage,
};

/// Interval at which to check whether a server listens or has ended. There is no event for that, and checking without
/// a pause would take a core from the server.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Maximum time of the start and of the end of a server.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Server of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Peer {
    /// echo-server with --log-messages off
    Ours,
    /// echo-server with default settings: two log records per message, in a file
    OursLogged,
    /// bare-echo: an epoll loop per thread with recv and send
    Floor,
    /// tokio's multi-thread runtime
    Tokio,
    /// A thread per connection
    Thread,
    /// socat, with a process per connection
    Socat,
    /// ncat, with a process per connection
    Ncat,
    /// A threaded Python server like the original, which logs every message
    Python,
}

impl Peer {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("none is hidden").get_name().to_owned()
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ours => "ours, log off",
            Self::OursLogged => "ours, log on",
            Self::Floor => "floor",
            Self::Tokio => "tokio",
            Self::Thread => "threads",
            Self::Socat => "socat",
            Self::Ncat => "ncat",
            Self::Python => "Python",
        }
    }

    /// Returns true for a third-party program, which may not be installed and runs in fewer rounds and cases.
    pub(crate) fn is_foreign(self) -> bool {
        matches!(self, Self::Socat | Self::Ncat | Self::Python)
    }

    /// Returns true if its program exists.
    pub(crate) fn is_installed(self) -> bool {
        let (Self::Socat | Self::Ncat | Self::Python) = self else {
            return true;
        };
        let output = Command::new(self.program()).arg("--version").output();
        // socat has no such flag, but it runs.
        output.is_ok_and(|output| output.status.success() || self == Self::Socat)
    }

    fn program(self) -> &'static str {
        match self {
            Self::Ours | Self::OursLogged => "echo-server",
            Self::Floor => "bare-echo",
            Self::Tokio => "tokio-echo",
            Self::Thread => "thread-echo",
            Self::Socat => "socat",
            Self::Ncat => "ncat",
            Self::Python => "python3",
        }
    }

    /// Returns true if it runs this case. A process or a Python thread per connection does not support thousands of
    /// connections.
    pub(crate) fn supports(self, case: &Case) -> bool {
        if !self.is_foreign() {
            // A machine allows more descriptors than threads.
            return self != Self::Thread || case.kind != Kind::Idle;
        }
        match case.kind {
            Kind::Echo { connections, size, .. } => connections <= 50 && size <= 64 * 1024,
            Kind::Churn { .. } => self == Self::Python,
            Kind::Idle | Kind::Fairness | Kind::Processes(_) => false,
        }
    }

    fn command(self, threads: usize, log: &Path) -> anyhow::Result<Command> {
        let threads = threads.to_string();
        let mut command = match self {
            Self::Socat | Self::Ncat | Self::Python => Command::new(self.program()),
            _ => Command::new(sibling(self.program())?),
        };
        match self {
            Self::Ours | Self::OursLogged => {
                let messages = if self == Self::Ours { "off" } else { "on" };
                command.args(["--port", "0", "--workers", &threads, "--log-messages", messages]);
                command.arg("--log-file").arg(log)
            }
            Self::Floor | Self::Tokio => command.args(["--threads", &threads]),
            Self::Thread => &mut command,
            Self::Socat => {
                command.args(["TCP-LISTEN:0,bind=127.0.0.1,backlog=4096,fork,nodelay", "PIPE"])
            }
            Self::Ncat => command.args([
                "-l",
                "-k",
                "127.0.0.1",
                "0",
                "--max-conns",
                "1000",
                "-e",
                "/bin/cat",
            ]),
            Self::Python => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/original.py");
                command.arg(script).arg(log)
            }
        };
        Ok(command)
    }
}

/// Returns the path of a program in the directory of this one.
pub(crate) fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    ensure!(program.exists(), "{} does not exist; build it first", program.display());
    Ok(program)
}

/// Running server. Dropping this kills it and removes its log.
pub(crate) struct Server {
    process: Child,
    directory: TempDir,
    pub port: u16,
}

impl Server {
    pub(crate) fn start(peer: Peer, threads: usize) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let process = peer
            .command(threads, &directory.path().join("log"))?
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", peer.program()))?;
        let mut server = Self { process, directory, port: 0 };
        server.port = server.wait_for_listener()?.port();
        Ok(server)
    }

    fn wait_for_listener(&mut self) -> anyhow::Result<SocketAddr> {
        let start = Instant::now();
        loop {
            if let Some(address) = tests::system::procfs::listener(self.pid()) {
                return Ok(address);
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("the server has ended: {status}");
            }
            ensure!(start.elapsed() < TIMEOUT, "the server does not listen within 20 s");
            thread::sleep(POLL_INTERVAL);
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.pid())
    }

    /// Terminates it, waits until it has ended, and counts the records of messages in its log.
    pub(crate) fn count_message_records(mut self) -> anyhow::Result<u64> {
        kill_process(self.pid(), Signal::TERM)?;
        let start = Instant::now();
        while self.process.try_wait()?.is_none() {
            ensure!(start.elapsed() < TIMEOUT, "the server does not end within 20 s");
            thread::sleep(POLL_INTERVAL);
        }
        let file = fs::File::open(self.directory.path().join("log"))?;
        let mut log = BufReader::with_capacity(1024 * 1024, file);
        let (mut records, mut line) = (0, Vec::new());
        while log.read_until(b'\n', &mut line)? > 0 {
            // The text after the time: ` - INFO - Received from ...`.
            let text = line.get("2024-01-15 10:30:45".len()..).unwrap_or_default();
            let is = |start: &str| text.starts_with(start.as_bytes());
            records += u64::from(is(" - INFO - Received from ") || is(" - INFO - Echoed to "));
            ensure!(
                !text.ends_with(b" are lost\n"),
                "the log of the server reports: {}",
                String::from_utf8_lossy(text)
            );
            line.clear();
        }
        Ok(records)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its child processes end with their connections, which are closed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
