//! The servers that are compared, and one of them running.

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

/// How often to look whether a server listens, or has ended: there is no event for that from outside,
/// and looking without a pause would take a core from what starts or ends.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// How long a server may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Peer {
    /// echo-server with --log-messages off
    Ours,
    /// echo-server as it is by default: two records a message, to a file
    OursLogged,
    /// bare-echo: an epoll loop a thread, recv, send, and nothing else
    Floor,
    /// tokio's multi-thread runtime
    Tokio,
    /// A thread for each connection
    Thread,
    /// socat, a process for each connection
    Socat,
    /// ncat, a process for each connection
    Ncat,
    /// A threaded Python server built like the original, which logs every message
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

    /// Whether it is another's program, which is there or not, and run in fewer rounds and cases.
    pub(crate) fn is_foreign(self) -> bool {
        matches!(self, Self::Socat | Self::Ncat | Self::Python)
    }

    /// Whether there is a program to run.
    pub(crate) fn is_installed(self) -> bool {
        let (Self::Socat | Self::Ncat | Self::Python) = self else {
            return true;
        };
        let asked = Command::new(self.program()).arg("--version").output();
        // socat knows no such flag, but it runs.
        asked.is_ok_and(|output| output.status.success() || self == Self::Socat)
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

    /// Whether it is asked this at all: a process or an interpreter's thread for each connection
    /// takes no thousands of them.
    pub(crate) fn takes(self, case: &Case) -> bool {
        if !self.is_foreign() {
            // A machine has more descriptors than threads.
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

/// A program that has been built along with this one.
pub(crate) fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    ensure!(program.exists(), "{} is not there: build it first", program.display());
    Ok(program)
}

/// A server that runs; it has ended when this is dropped, and its log is gone.
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
        let begun = Instant::now();
        loop {
            if let Some(address) = tests::system::procfs::listener(self.pid()) {
                return Ok(address);
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("it has ended: {status}");
            }
            ensure!(begun.elapsed() < PATIENCE, "it does not listen");
            thread::sleep(LOOK_INTERVAL);
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.pid())
    }

    /// Asks it to end, waits until it has, and counts the records of messages in its log.
    pub(crate) fn records_of_messages(mut self) -> anyhow::Result<u64> {
        kill_process(self.pid(), Signal::TERM)?;
        let begun = Instant::now();
        while self.process.try_wait()?.is_none() {
            ensure!(begun.elapsed() < PATIENCE, "it does not end");
            thread::sleep(LOOK_INTERVAL);
        }
        let file = fs::File::open(self.directory.path().join("log"))?;
        let mut log = BufReader::with_capacity(1024 * 1024, file);
        let (mut records, mut line) = (0, Vec::new());
        while log.read_until(b'\n', &mut line)? > 0 {
            // Behind the time: ` - INFO - Received from ...`.
            let text = line.get("2024-01-15 10:30:45".len()..).unwrap_or_default();
            let is = |start: &str| text.starts_with(start.as_bytes());
            records += u64::from(is(" - INFO - Received from ") || is(" - INFO - Echoed to "));
            ensure!(
                !text.ends_with(b" are lost\n"),
                "its log says: {}",
                String::from_utf8_lossy(text)
            );
            line.clear();
        }
        Ok(records)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What it has forked ends with its connections, which have been closed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
