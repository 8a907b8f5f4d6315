//! A program in a pseudo-terminal, and its screen as a user sees it.

use std::{
    cell::Cell,
    fmt,
    io::Write,
    net::SocketAddr,
    num::NonZero,
    path::{Path, PathBuf},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::Pid;

use crate::{
    programs::{binaries, output::Output},
    system::process,
};

/// Size of the terminal at its start: wide enough for the lines of a session.
const ROWS: NonZero<u16> = NonZero::new(40).expect("not zero");
const COLUMNS: NonZero<u16> = NonZero::new(100).expect("not zero");

/// Bytes that keys without a character send.
pub mod keys {
    /// The Enter key.
    pub const ENTER: &str = "\r";
    /// Ctrl+C.
    pub const CTRL_C: &str = "\x03";
    /// Ctrl+D.
    pub const CTRL_D: &str = "\x04";
    /// The arrow up: the previous line of the history.
    pub const UP: &str = "\x1b[A";
    /// The arrow left.
    pub const LEFT: &str = "\x1b[D";
    /// The key Page Up.
    pub const PAGE_UP: &str = "\x1b[5~";
    /// The Escape key.
    pub const ESCAPE: &str = "\x1b";
    /// The Tab key.
    pub const TAB: &str = "\t";
}

/// Running program in its own terminal. Dropping this kills it.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    written: Output,
    master: Box<dyn MasterPty + Send>,
    /// Rows and columns.
    size: Cell<(NonZero<u16>, NonZero<u16>)>,
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").field("screen", &self.screen()).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Starts `program` with `home` as the home directory, where it saves its files.
    #[must_use]
    pub fn start(program: PathBuf, args: &[&str], home: &Path) -> Self {
        let pty = native_pty_system()
            .openpty(pty_size(ROWS, COLUMNS))
            .expect("a pseudo-terminal is free");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("HOME", home);
        for variable in ["XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(variable);
        }
        let child = pty.slave.spawn_command(command).expect("the program is built and can be run");
        // Only the program has the terminal open now, so that the output ends with the program.
        drop(pty.slave);
        let written = Output::collect(pty.master.try_clone_reader().expect("descriptors are left"));
        let keyboard = pty.master.take_writer().expect("the writer is taken once");
        Self { child, keyboard, written, master: pty.master, size: Cell::new((ROWS, COLUMNS)) }
    }

    /// Starts `echo-client` for `server`.
    #[must_use]
    pub fn client(server: SocketAddr, args: &[&str], home: &Path) -> Self {
        let (host, port) = (server.ip().to_string(), server.port().to_string());
        let args = [&["--host", &host, "--port", &port], args].concat();
        Self::start(binaries::echo_client(), &args, home)
    }

    /// Returns its process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        pid(&*self.child)
    }

    /// Changes the size of the terminal. A program that draws the whole screen draws it again.
    pub fn resize(&self, rows: u16, columns: u16) {
        let not_zero = |size| NonZero::new(size).expect("a terminal has rows and columns");
        let (rows, columns) = (not_zero(rows), not_zero(columns));
        self.size.set((rows, columns));
        self.master.resize(pty_size(rows, columns)).expect("the terminal is open");
    }

    /// Types these characters, or the bytes of keys that are not UTF-8.
    pub fn send(&mut self, keys: impl AsRef<[u8]>) {
        self.keyboard.write_all(keys.as_ref()).expect("the terminal is open");
        self.keyboard.flush().expect("the terminal is open");
    }

    /// Types a line and Enter.
    pub fn enter(&mut self, line: &str) {
        self.send(format!("{line}{}", keys::ENTER));
    }

    /// Waits until the screen contains `text`.
    pub fn wait_for(&self, text: &str) {
        self.wait_for_screen(text, |screen| screen.contains(text));
    }

    /// Waits until the screen ends with `text`: a prompt without input.
    pub fn wait_for_prompt(&self, text: &str) {
        self.wait_for_screen(&format!("{text} at the end"), |screen| screen.ends_with(text));
    }

    /// Waits until `condition` is true for the screen; `what` describes it.
    pub fn wait_for_screen(&self, what: &str, condition: impl Fn(&str) -> bool) {
        self.written.wait_for(&format!("a screen with {what}"), |bytes, _| {
            condition(&screen(bytes, self.size.get())).then_some(())
        });
    }

    /// Returns the screen without trailing blanks.
    #[must_use]
    pub fn screen(&self) -> String {
        self.written.wait_for("anything", |bytes, _| Some(screen(bytes, self.size.get())))
    }

    /// Returns everything that it has written to the terminal, with control sequences.
    #[must_use]
    pub fn raw_text(&self) -> String {
        self.written.text()
    }

    /// Waits until it ends by itself. Returns the exit status and the last screen.
    ///
    /// # Panics
    ///
    /// If it still runs at the deadline.
    #[must_use]
    pub fn finish(mut self) -> (u32, String) {
        assert!(has_ended(&*self.child), "it still runs; its screen:\n{}", self.screen());
        let status = self.child.wait().expect("a child can be waited for");
        assert_eq!(status.signal(), None, "a signal ended it; its screen:\n{}", self.screen());
        (status.exit_code(), screen(&self.written.read_to_end(), self.size.get()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has_ended(child: &dyn Child) -> bool {
    process::has_ended(pid(child))
}

fn pid(child: &dyn Child) -> Pid {
    let pid = child.process_id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
    pid.expect("a child on Unix has a process id")
}

fn pty_size(rows: NonZero<u16>, columns: NonZero<u16>) -> PtySize {
    PtySize { rows: rows.get(), cols: columns.get(), pixel_width: 0, pixel_height: 0 }
}

/// Returns the screen after these bytes, without trailing blanks in each line and at the end.
fn screen(bytes: &[u8], (rows, columns): (NonZero<u16>, NonZero<u16>)) -> String {
    let mut parser = vt100::Parser::new(rows, columns, 0);
    parser.process(bytes);
    let contents = parser.screen().contents();
    let lines: Vec<&str> = contents.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}
