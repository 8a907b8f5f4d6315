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
use tests::{net::Certificate, system::procfs};

use super::{
    proxy::{Proxy, free_port},
    usage::{Usage, memory_kib},
};
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

/// What a server speaks.
#[derive(Clone, Copy)]
pub(crate) enum Speech<'a> {
    Plain,
    /// TLS, with this certificate.
    Tls(&'a Certificate),
    WebSocket,
    Http,
    Udp,
    /// Rooms, in lines or in frames.
    Room {
        lines: bool,
    },
}

impl Speech<'_> {
    /// Returns what carries a message over TCP.
    pub(crate) fn layer(self) -> Option<&'static str> {
        match self {
            Self::Plain | Self::Tls(_) | Self::Udp | Self::Room { .. } => None,
            Self::WebSocket => Some("websocket"),
            Self::Http => Some("http"),
        }
    }
}

/// Returns the command that starts a candidate other than a proxy.
fn command(
    candidate: Candidate,
    threads: usize,
    speech: Speech<'_>,
    log: &Path,
) -> anyhow::Result<Command> {
    let threads = threads.to_string();
    let mut command = if candidate.is_foreign() {
        Command::new(candidate.program())
    } else {
        Command::new(sibling(candidate.program())?)
    };
    if let Speech::Tls(certificate) = speech {
        let ours = candidate == Candidate::Ours;
        let flags = if ours { ["--tls-cert", "--tls-key"] } else { ["--cert", "--key"] };
        command.arg(flags[0]).arg(&certificate.certificate_file);
        command.arg(flags[1]).arg(&certificate.key_file);
    }
    match candidate {
        Candidate::Ours | Candidate::OursLogged => {
            our_command(&mut command, candidate, &threads, speech, log)
        }
        Candidate::Floor
        | Candidate::SingleFloor
        | Candidate::Tokio
        | Candidate::FastWebSockets => {
            peer_arguments(&mut command, candidate, speech).args(["--threads", &threads])
        }
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
        Candidate::Redis => {
            // It cannot report a port that the system has chosen.
            let port = free_port()?.to_string();
            // Its protection refuses clients from other addresses of the loopback interface.
            let open = ["--protected-mode", "no"];
            command.args(["--bind", "127.0.0.1", "--port", &port, "--save", ""]).args(open)
        }
        Candidate::Nats => command.args(["--addr", "127.0.0.1", "--port", "-1"]),
        Candidate::Nginx | Candidate::Stunnel => bail!("{} is a proxy", candidate.title()),
    };
    Ok(command)
}

/// Adds the arguments of the floor, and of a server on tokio, about what it speaks.
fn peer_arguments<'c>(
    command: &'c mut Command,
    candidate: Candidate,
    speech: Speech<'_>,
) -> &'c mut Command {
    match speech {
        Speech::Room { .. } => return command.arg("--fan-out"),
        Speech::Udp => command.arg("--udp"),
        _ => command.args(speech.layer().map(|layer| format!("--{layer}"))),
    };
    match (speech, candidate) {
        (Speech::WebSocket, Candidate::Tokio) => command.arg("tungstenite"),
        (Speech::WebSocket, Candidate::FastWebSockets) => command.arg("fastwebsockets"),
        (Speech::Udp, Candidate::Floor) => command.arg("batch"),
        (Speech::Udp, Candidate::SingleFloor) => command.arg("single"),
        _ => command,
    }
}

/// Adds the arguments of our server.
fn our_command<'c>(
    command: &'c mut Command,
    candidate: Candidate,
    threads: &str,
    speech: Speech<'_>,
    log: &Path,
) -> &'c mut Command {
    let messages = if candidate == Candidate::Ours { "off" } else { "on" };
    let scheme = match speech {
        Speech::Plain | Speech::Room { .. } => "tcp",
        Speech::Tls(_) => "tls",
        Speech::WebSocket | Speech::Http => "http",
        Speech::Udp => "udp",
    };
    let parameters = match speech {
        Speech::Room { lines: true } => "?protocol=room&room=bench",
        Speech::Room { lines: false } => "?protocol=room&room=bench&framing=length",
        // The load has one address.
        Speech::Udp => "?rate=off",
        _ => "",
    };
    command.arg("--listen").arg(format!("{scheme}://127.0.0.1:0{parameters}"));
    command.args(["--workers", threads, "--log-messages", messages]);
    command.arg("--log-file").arg(log)
}

/// Running server. Dropping this ends it and removes its log.
pub(crate) struct Server {
    process: Child,
    directory: TempDir,
    pub port: u16,
    /// The server behind it, if it is a proxy.
    backend: Option<Box<Server>>,
}

impl Server {
    /// Starts a candidate.
    pub(crate) fn start(
        candidate: Candidate,
        threads: usize,
        speech: Speech<'_>,
    ) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (mut command, backend) = match speech {
            Speech::Tls(certificate) if candidate.is_proxy() => {
                let backend = Self::start(Candidate::Floor, threads, Speech::Plain)?;
                let proxy = Proxy { threads, certificate, backend: backend.port };
                (proxy.command(candidate, directory.path())?, Some(Box::new(backend)))
            }
            _ => {
                let log = directory.path().join("log");
                (command(candidate, threads, speech, &log)?, None)
            }
        };
        let process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", candidate.program()))?;
        let mut server = Self { process, directory, port: 0, backend };
        server.port = server.wait_for_listener(matches!(speech, Speech::Udp))?.port();
        Ok(server)
    }

    fn wait_for_listener(&mut self, is_udp: bool) -> anyhow::Result<SocketAddr> {
        let start = Instant::now();
        loop {
            let listener = if is_udp { procfs::udp_socket } else { procfs::listener };
            if let Some(address) = listener(self.pid()) {
                return Ok(address);
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("the server has ended: {status}");
            }
            ensure!(start.elapsed() < TIMEOUT, "the server does not listen within 20 s");
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Returns its process, and that of the server behind it.
    fn pids(&self) -> Vec<Pid> {
        [self.pid()].into_iter().chain(self.backend.iter().map(|backend| backend.pid())).collect()
    }

    /// Returns the processor time so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(&self.pids())
    }

    /// Returns a value of `/proc/PID/status` in KiB.
    pub(crate) fn memory_kib(&self, name: &str) -> anyhow::Result<u64> {
        self.pids().into_iter().map(|pid| memory_kib(pid, name)).sum()
    }

    fn terminate(&mut self) -> anyhow::Result<()> {
        kill_process(self.pid(), Signal::TERM)?;
        let start = Instant::now();
        while self.process.try_wait()?.is_none() {
            ensure!(start.elapsed() < TIMEOUT, "the server does not end within 20 s");
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Terminates it, waits until it has ended, and counts the records of messages in its log.
    pub(crate) fn count_message_records(mut self) -> anyhow::Result<u64> {
        self.terminate()?;
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
        // The worker processes of a proxy end only if it terminates them.
        if self.backend.is_some() {
            let _ = self.terminate();
        }
        // Other child processes end with their connections, which are closed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
