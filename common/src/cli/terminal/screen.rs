//! The mode of the terminal, from the first screen to its restored state.
//!
//! The terminal is restored when the screen is dropped, and before the message of a panic.

use std::{
    fmt,
    io::{self, BufWriter, Stdout, Write},
    panic,
    sync::atomic::{AtomicBool, Ordering},
};

use ratatui::{
    Frame, Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{
            DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
        },
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};

use crate::cli::stdio::{BlockingIo, stdout};

/// The terminal has another mode than at the start of the program.
static IS_CHANGED: AtomicBool = AtomicBool::new(false);

/// Terminal in full-screen mode.
pub struct Screen(Terminal<CrosstermBackend<BufWriter<BlockingIo<Stdout>>>>);

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// The terminal cannot be used.
    pub fn new() -> io::Result<Self> {
        restore_before_panics();
        IS_CHANGED.store(true, Ordering::SeqCst);
        let screen =
            enter().and_then(|()| Terminal::new(CrosstermBackend::new(BufWriter::new(stdout()))));
        screen.map(Self).inspect_err(|_| restore())
    }

    /// Draws a screen, as far as it differs from the last one.
    ///
    /// # Errors
    ///
    /// The terminal cannot be used.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(|_| ())
    }

    /// Makes the next draw a complete one.
    ///
    /// # Errors
    ///
    /// The terminal cannot be used.
    pub fn clear(&mut self) -> io::Result<()> {
        self.0.clear()
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Screen").finish_non_exhaustive()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)
}

/// Restores the terminal, unless it is restored.
fn restore() {
    if IS_CHANGED.swap(false, Ordering::SeqCst) {
        // Each is tried: a terminal that is gone needs none.
        let _ = leave(&mut stdout());
        let _ = disable_raw_mode();
    }
}

fn leave(output: &mut impl Write) -> io::Result<()> {
    execute!(output, DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen, Show)
}

/// The message of a panic would be lost with the alternate screen.
fn restore_before_panics() {
    let next = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        restore();
        next(panic);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Read as _,
        os::{fd::OwnedFd, unix::net::UnixStream},
        process::{Command, Stdio},
    };

    #[test]
    fn the_terminal_gets_back_its_screen_its_cursor_and_its_modes() {
        let mut written = Vec::new();
        leave(&mut written).unwrap();
        let written = String::from_utf8(written).unwrap();
        for sequence in ["\x1b[?1049l", "\x1b[?25h", "\x1b[?2004l", "\x1b[?1004l"] {
            assert!(written.contains(sequence), "{written:?}");
        }
    }

    /// Set in the process that panics.
    const PANICS: &str = "SCREEN_TEST_PANICS";

    #[test]
    fn panics_on_request() {
        if std::env::var_os(PANICS).is_some() {
            restore_before_panics();
            IS_CHANGED.store(true, Ordering::SeqCst);
            panic!("the message");
        }
    }

    #[test]
    fn a_panic_restores_the_terminal_before_its_message() {
        let (mut screen, theirs) = UnixStream::pair().unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "cli::terminal::screen::tests::panics_on_request"])
            .env(PANICS, "1")
            .stdin(Stdio::null())
            .stdout(OwnedFd::from(theirs.try_clone().unwrap()))
            .stderr(OwnedFd::from(theirs))
            .spawn()
            .unwrap();
        let mut written = String::new();
        screen.read_to_string(&mut written).unwrap();
        assert!(!process.wait().unwrap().success());
        let restored = written.find("\x1b[?1049l").expect("the screen is left");
        assert!(restored < written.find("the message").unwrap(), "{written}");
    }
}
