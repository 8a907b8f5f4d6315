//! A program whose standard streams are pipes.

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

use crate::{
    programs::{binaries, output::Output},
    system::process,
};

/// Running program. Dropping this kills it.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Its standard output.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
}

/// Program that has ended.
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: String,
}

impl Program {
    /// Starts `program` with pipes for its three standard streams.
    pub fn start<Arg: AsRef<OsStr>>(program: PathBuf, args: &[Arg]) -> Self {
        let mut command = Command::new(program);
        command.args(args);
        Self::spawn(command)
    }

    /// Like [`Program::start`], for a command with an environment, a working directory or the like.
    #[must_use]
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program is built and can be run");
        Self {
            stdin: child.stdin.take(),
            stdout: Output::collect(child.stdout.take().expect("the stream is a pipe")),
            stderr: Output::collect(child.stderr.take().expect("the stream is a pipe")),
            child,
        }
    }

    /// Runs `echo-server` with exactly these arguments, with which it must end by itself.
    #[must_use]
    pub fn run_server(args: &[&str]) -> Finished {
        Self::start(binaries::echo_server(), args).finish()
    }

    /// Runs `echo-client` with exactly these arguments, with which it must end by itself.
    #[must_use]
    pub fn run_client(args: &[&str]) -> Finished {
        Self::start(binaries::echo_client(), args).finish()
    }

    /// Runs `echo-client load` for `server` with these arguments, separated by spaces.
    #[must_use]
    pub fn run_load(server: SocketAddr, args: &str) -> Finished {
        let args: Vec<&str> = args.split_whitespace().collect();
        Self::client(server, &[&["load"], &args[..]].concat()).finish()
    }

    /// Starts `echo-client` for `server`. `args` come first, so that they can name a subcommand.
    #[must_use]
    pub fn client(server: SocketAddr, args: &[&str]) -> Self {
        Self::spawn(client_command(server, args))
    }

    /// Like [`Program::client`], in its own process group, so that Ctrl+C in the terminal does not reach it.
    #[must_use]
    pub fn client_in_own_process_group(server: SocketAddr, args: &[&str]) -> Self {
        let mut command = client_command(server, args);
        command.process_group(0);
        Self::spawn(command)
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

    /// Writes to its standard input and keeps it open.
    pub fn feed(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("its standard input is open");
        stdin.write_all(bytes).expect("the program reads its input");
    }

    /// Writes all of this to its standard input in the background, then closes it.
    ///
    /// The program may end before it has read everything.
    pub fn feed_all(&mut self, bytes: Vec<u8>) {
        let mut stdin = self.stdin.take().expect("its standard input is open");
        thread::spawn(move || {
            let _ = stdin.write_all(&bytes);
        });
    }

    /// Closes its standard input and waits until it ends by itself.
    ///
    /// # Panics
    ///
    /// If it still runs at the deadline.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        self.stdin = None;
        self.finish_with_open_stdin()
    }

    /// Waits until it ends by itself, and does not close its standard input.
    ///
    /// # Panics
    ///
    /// If it still runs at the deadline.
    #[must_use]
    pub fn finish_with_open_stdin(mut self) -> Finished {
        let status = process::wait(&mut self.child).unwrap_or_else(|| {
            let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
            panic!("it still runs; standard output:\n{stdout}\nstandard error:\n{stderr}")
        });
        let stderr = String::from_utf8(self.stderr.read_to_end()).expect("messages are UTF-8");
        Finished { status, stdout: self.stdout.read_to_end(), stderr }
    }
}

fn client_command(server: SocketAddr, args: &[&str]) -> Command {
    let (host, port) = (server.ip().to_string(), server.port().to_string());
    let mut command = Command::new(binaries::echo_client());
    command.args(args).args(["--host", &host, "--port", &port]);
    command
}

impl fmt::Debug for Finished {
    /// Shows the output as text, for the message of a failed test.
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
    /// Returns the exit status as a number.
    ///
    /// # Panics
    ///
    /// If a signal ended it.
    #[track_caller]
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("a signal ended it: {self:?}"))
    }

    /// Returns standard output as text.
    #[must_use]
    pub fn stdout_text(&self) -> &str {
        str::from_utf8(&self.stdout).expect("text is UTF-8")
    }

    /// Returns the only line of standard error.
    ///
    /// # Panics
    ///
    /// If there is no line or more than one, or if the line shows internals: the debug form of an error, or a panic.
    #[track_caller]
    #[must_use]
    pub fn error_line(&self) -> &str {
        let line = self.stderr.strip_suffix('\n').unwrap_or(&self.stderr);
        assert!(!line.is_empty() && !line.contains('\n'), "not one line: {self:?}");
        for internal in ["Os {", "Error {", "Err(", "Some(", "kind:", "panicked", "backtrace"] {
            assert!(!line.contains(internal), "{internal} must not be in a message: {line}");
        }
        line
    }
}
