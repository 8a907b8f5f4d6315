//! A program that is fed, read and waited for through pipes.

use std::{
    ffi::OsStr,
    fmt,
    io::Write as _,
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
};

use rustix::process::{Pid, Signal};

use crate::{binaries, output::Output, process};

/// A running program; it is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it writes to standard output.
    pub stdout: Output,
    /// What it writes to standard error.
    pub stderr: Output,
}

/// A program that has ended.
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// All that it wrote to standard output.
    pub stdout: Vec<u8>,
    /// All that it wrote to standard error.
    pub stderr: String,
}

impl Program {
    /// Starts `program`, its three standard streams piped.
    pub fn start<Arg: AsRef<OsStr>>(program: PathBuf, args: &[Arg]) -> Self {
        let mut command = Command::new(program);
        command.args(args);
        Self::spawn(command)
    }

    /// As [`Program::start`], for a command that has more to it than its arguments.
    #[must_use]
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built and can be run");
        Self {
            stdin: child.stdin.take(),
            stdout: Output::collect(child.stdout.take().expect("it is piped")),
            stderr: Output::collect(child.stderr.take().expect("it is piped")),
            child,
        }
    }

    /// Runs `echo-server` with exactly these arguments, which must end by itself.
    #[must_use]
    pub fn run_server(args: &[&str]) -> Finished {
        Self::start(binaries::echo_server(), args).finish()
    }

    /// Runs `echo-client` with exactly these arguments, which must end by itself.
    #[must_use]
    pub fn run_client(args: &[&str]) -> Finished {
        Self::start(binaries::echo_client(), args).finish()
    }

    /// Starts `echo-client` against `server`: `args` come first, so they can name a subcommand.
    #[must_use]
    pub fn client(server: SocketAddr, args: &[&str]) -> Self {
        Self::spawn(client_command(server, args))
    }

    /// As [`Program::client`], in a process group of its own: Ctrl+C in the terminal is not for it.
    #[must_use]
    pub fn client_apart(server: SocketAddr, args: &[&str]) -> Self {
        let mut command = client_command(server, args);
        command.process_group(0);
        Self::spawn(command)
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

    /// Writes to its standard input, which stays open.
    pub fn feed(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("its input has not been closed");
        stdin.write_all(bytes).expect("the program reads its input");
    }

    /// Writes all of this to its standard input, from a thread of its own, and closes it.
    ///
    /// A program that ends before it has read everything is no error here.
    pub fn feed_all(&mut self, bytes: Vec<u8>) {
        let mut stdin = self.stdin.take().expect("its input has not been closed");
        thread::spawn(move || {
            let _ = stdin.write_all(&bytes);
        });
    }

    /// Waits for it to end by itself, its standard input closed.
    ///
    /// # Panics
    ///
    /// When it still runs at the deadline.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        self.stdin = None;
        self.finish_unprompted()
    }

    /// Waits for it to end by itself, its standard input still open unless it has been closed.
    ///
    /// # Panics
    ///
    /// When it still runs at the deadline.
    #[must_use]
    pub fn finish_unprompted(mut self) -> Finished {
        let status = process::wait(&mut self.child).unwrap_or_else(|| {
            let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
            panic!("it still runs; standard output:\n{stdout}\nstandard error:\n{stderr}")
        });
        let stderr = String::from_utf8(self.stderr.to_end()).expect("what people read is UTF-8");
        Finished { status, stdout: self.stdout.to_end(), stderr }
    }
}

fn client_command(server: SocketAddr, args: &[&str]) -> Command {
    let (host, port) = (server.ip().to_string(), server.port().to_string());
    let mut command = Command::new(binaries::echo_client());
    command.args(args).args(["--host", &host, "--port", &port]);
    command
}

impl fmt::Debug for Finished {
    /// As it was to be read, for a test that has failed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, stdout, stderr } = self;
        let stdout = String::from_utf8_lossy(stdout);
        write!(f, "{status}\n--- standard output:\n{stdout}\n--- standard error:\n{stderr}\n---")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    /// The exit status as a number.
    ///
    /// # Panics
    ///
    /// When a signal ended it.
    #[track_caller]
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("it was ended by a signal: {self:?}"))
    }

    /// Standard output as text.
    #[must_use]
    pub fn stdout_text(&self) -> &str {
        str::from_utf8(&self.stdout).expect("text is UTF-8")
    }

    /// The one line that it wrote to standard error.
    ///
    /// # Panics
    ///
    /// When there are more lines than one or none, or when the line is a program's inside turned
    /// out: an error's debug form, or a panic.
    #[track_caller]
    #[must_use]
    pub fn error_line(&self) -> &str {
        let line = self.stderr.strip_suffix('\n').unwrap_or(&self.stderr);
        assert!(!line.is_empty() && !line.contains('\n'), "not one line: {self:?}");
        for inside in ["Os {", "Error {", "Err(", "Some(", "kind:", "panicked", "backtrace"] {
            assert!(!line.contains(inside), "{inside} is nothing to show to people: {line}");
        }
        line
    }
}
