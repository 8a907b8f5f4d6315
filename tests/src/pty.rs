//! A program in a pseudo-terminal, and its screen: what a person at the keyboard would see.

use std::{
    fmt,
    io::Write,
    net::SocketAddr,
    num::NonZero,
    path::{Path, PathBuf},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::Pid;

use crate::{binaries, output::Output, process};

/// The terminal's size; wide enough that no line of a transcript wraps.
const ROWS: NonZero<u16> = NonZero::new(40).expect("not zero");
const COLUMNS: NonZero<u16> = NonZero::new(100).expect("not zero");

/// What the keys send that have no character of their own.
pub mod keys {
    /// The Enter key.
    pub const ENTER: &str = "\r";
    /// Ctrl and C.
    pub const CTRL_C: &str = "\x03";
    /// Ctrl and D.
    pub const CTRL_D: &str = "\x04";
    /// The arrow up: the line before, in a program with a history.
    pub const UP: &str = "\x1b[A";
    /// The arrow left.
    pub const LEFT: &str = "\x1b[D";
}

/// A program at work in a terminal of its own; it is killed when this is dropped.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    written: Output,
    /// The terminal is there for as long as this is.
    _master: Box<dyn MasterPty + Send>,
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").field("screen", &self.screen()).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Starts `program` with `home` as the home directory: what it saves, it saves there.
    #[must_use]
    pub fn start(program: PathBuf, args: &[&str], home: &Path) -> Self {
        let size =
            PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("pseudo-terminals are left");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("HOME", home);
        for variable in ["XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(variable);
        }
        let child = pty.slave.spawn_command(command).expect("the program was built and can run");
        // The program's copies are the only ones left, so its end ends the output.
        drop(pty.slave);
        let written = Output::collect(pty.master.try_clone_reader().expect("descriptors are left"));
        let keyboard = pty.master.take_writer().expect("it is taken once");
        Self { child, keyboard, written, _master: pty.master }
    }

    /// Starts `echo-client` against `server`.
    #[must_use]
    pub fn client(server: SocketAddr, args: &[&str], home: &Path) -> Self {
        let (host, port) = (server.ip().to_string(), server.port().to_string());
        let args = [&["--host", &host, "--port", &port], args].concat();
        Self::start(binaries::echo_client(), &args, home)
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes what is typed");
        self.keyboard.flush().expect("the terminal takes what is typed");
    }

    /// Types a line and Enter.
    pub fn enter(&mut self, line: &str) {
        self.send(&format!("{line}{}", keys::ENTER));
    }

    /// Waits until the screen contains `text`.
    pub fn wait_for(&self, text: &str) {
        self.wait_for_screen(text, |screen| screen.contains(text));
    }

    /// Waits until the screen ends with `text`: a prompt, with nothing typed yet.
    pub fn wait_for_prompt(&self, text: &str) {
        self.wait_for_screen(&format!("{text} at the end"), |screen| screen.ends_with(text));
    }

    /// Waits until the screen is as `seen` wants it; `what` says how that is.
    pub fn wait_for_screen(&self, what: &str, seen: impl Fn(&str) -> bool) {
        self.written.wait_until(&format!("a screen with {what}"), |bytes, _| {
            seen(&screen(bytes)).then_some(())
        });
    }

    /// What is on the screen, without trailing blanks.
    #[must_use]
    pub fn screen(&self) -> String {
        self.written.wait_until("anything", |bytes, _| Some(screen(bytes)))
    }

    /// All that it has written so far, as it went to the terminal.
    #[must_use]
    pub fn raw_text(&self) -> String {
        self.written.text()
    }

    /// Waits for it to end by itself: its exit status and the last screen.
    ///
    /// # Panics
    ///
    /// When it still runs at the deadline.
    #[must_use]
    pub fn finish(mut self) -> (u32, String) {
        assert!(has_ended(&*self.child), "it still runs; its screen:\n{}", self.screen());
        let status = self.child.wait().expect("a child can be waited for");
        assert_eq!(status.signal(), None, "a signal ended it; its screen:\n{}", self.screen());
        (status.exit_code(), screen(&self.written.to_end()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has_ended(child: &dyn Child) -> bool {
    let pid = child.process_id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
    process::has_ended(pid.expect("a child on Unix has a process id"))
}

/// What the bytes leave on a screen, each line and the whole without trailing blanks.
fn screen(bytes: &[u8]) -> String {
    let mut parser = vt100::Parser::new(ROWS, COLUMNS, 0);
    parser.process(bytes);
    let contents = parser.screen().contents();
    let lines: Vec<&str> = contents.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}
