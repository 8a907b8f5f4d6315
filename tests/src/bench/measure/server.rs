//! A running server.

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
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::usage::Usage;
use crate::candidate::Candidate;

/// Interval at which to check whether a server listens or has ended. There is no event for that, and checking without
/// a pause would take a core from the server.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Maximum time of the start and of the end of a server.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Returns the path of a program in the directory of this one.
pub(crate) fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    ensure!(program.exists(), "{} does not exist; build it first", program.display());
    Ok(program)
}

/// Returns the command that starts a candidate.
fn command(candidate: Candidate, threads: usize, log: &Path) -> anyhow::Result<Command> {
    let threads = threads.to_string();
    let mut command = match candidate {
        Candidate::Socat | Candidate::Ncat | Candidate::Python => Command::new(candidate.program()),
        _ => Command::new(sibling(candidate.program())?),
    };
    match candidate {
        Candidate::Ours | Candidate::OursLogged => {
            let messages = if candidate == Candidate::Ours { "off" } else { "on" };
            command.args(["--port", "0", "--workers", &threads, "--log-messages", messages]);
            command.arg("--log-file").arg(log)
        }
        Candidate::Floor | Candidate::Tokio => command.args(["--threads", &threads]),
        Candidate::Thread => &mut command,
        Candidate::Socat => {
            command.args(["TCP-LISTEN:0,bind=127.0.0.1,backlog=4096,fork,nodelay", "PIPE"])
        }
        Candidate::Ncat => {
            command.args(["-l", "-k", "127.0.0.1", "0", "--max-conns", "1000", "-e", "/bin/cat"])
        }
        Candidate::Python => {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/original.py");
            command.arg(script).arg(log)
        }
    };
    Ok(command)
}

/// Running server. Dropping this kills it and removes its log.
pub(crate) struct Server {
    process: Child,
    directory: TempDir,
    pub port: u16,
}

impl Server {
    pub(crate) fn start(candidate: Candidate, threads: usize) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let process = command(candidate, threads, &directory.path().join("log"))?
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", candidate.program()))?;
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
