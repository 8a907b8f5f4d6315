//! Watcher of the connection while the user types: the server may close it, or send unexpected data.
//!
//! Must not take bytes from the connection, nor know the prompt: it only raises an alarm.

use std::{
    io,
    os::unix::net::UnixStream,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags};

use crate::{
    echo::error::{Error, WrongEcho},
    net::{
        self,
        poll::{Deadline, poll},
        stream::{Received, Transport},
    },
};

/// Interval at which the alarm is repeated until the watcher stops.
const ALARM_INTERVAL: Duration = Duration::from_millis(50);

/// Thread that watches a connection on which no reply is due.
#[derive(Debug)]
pub(super) struct Watcher {
    /// Stops the thread when it is dropped.
    stop: UnixStream,
    thread: JoinHandle<Option<Error>>,
}

impl Watcher {
    /// Starts the thread. On an event it calls `alarm` repeatedly until [`Watcher::stop`], because the
    /// receiver may not be ready for the first call.
    ///
    /// # Errors
    ///
    /// The system has no descriptor or no thread left.
    pub(super) fn start(
        transport: Arc<Transport>,
        alarm: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = UnixStream::pair()?;
        let thread = thread::Builder::new()
            .name("watcher".to_owned())
            .spawn(move || watch(&transport, &stopped, alarm))?;
        Ok(Self { stop, thread })
    }

    /// Stops the thread; returns the event that it has found. Then only the caller uses the connection.
    #[must_use]
    pub(super) fn stop(self) -> Option<Error> {
        drop(self.stop);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn watch(transport: &Transport, stopped: &UnixStream, alarm: impl Fn()) -> Option<Error> {
    let event = loop {
        // TLS may hold plaintext that no event reports.
        if let Some(event) = check(transport) {
            break event;
        }
        let write = if transport.wants_write() { PollFlags::OUT } else { PollFlags::empty() };
        let mut fds = [
            PollFd::new(stopped, PollFlags::IN),
            PollFd::new(transport, PollFlags::IN | PollFlags::RDHUP | write),
        ];
        // The check has a limit in bytes, and a layer may hold the rest.
        let until =
            if transport.has_held() { Deadline::after(Duration::ZERO) } else { Deadline::NEVER };
        if let Err(error) = poll(&mut fds, until) {
            break net::Error::system("watch the connection")(error).into();
        }
        if !fds[0].revents().is_empty() {
            return None;
        }
        transport.handle_events(fds[1].revents());
    };
    loop {
        alarm();
        let mut fds = [PollFd::new(stopped, PollFlags::IN)];
        if poll(&mut fds, Deadline::after(ALARM_INTERVAL)).is_err() || !fds[0].revents().is_empty()
        {
            return Some(event);
        }
    }
}

/// Returns the event on a connection on which no reply is due.
fn check(transport: &Transport) -> Option<Error> {
    let mut head = [0; WrongEcho::CONTEXT];
    match transport.peek(&mut head) {
        Ok(Received::Nothing) => None,
        Ok(Received::End) => Some(Error::Closed),
        Ok(Received::Bytes(count)) => {
            let returned = u64::from(transport.has_answered());
            Some(Error::mismatch(returned, &[], &head[..count]))
        }
        Err(error) => Some(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write as _, sync::mpsc};

    /// Returns a watched connection, the server's end of it, and the alarm.
    fn watched() -> (Arc<Transport>, UnixStream, Watcher, mpsc::Receiver<()>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (alarm, alarms) = mpsc::channel();
        let ours = Arc::new(Transport::plain(ours.into()));
        let watcher = Watcher::start(Arc::clone(&ours), move || {
            let _ = alarm.send(());
        })
        .unwrap();
        (ours, theirs, watcher, alarms)
    }

    #[test]
    fn notices_a_server_that_closes() {
        let (_ours, theirs, watcher, alarms) = watched();
        drop(theirs);
        alarms.recv().unwrap();
        // The alarm is repeated.
        alarms.recv().unwrap();
        assert!(matches!(watcher.stop(), Some(Error::Closed)));
    }

    #[test]
    fn notices_unexpected_data_and_leaves_it_in_the_socket() {
        let (ours, mut theirs, watcher, alarms) = watched();
        theirs.write_all(b"psst").unwrap();
        alarms.recv().unwrap();
        assert_eq!(watcher.stop().unwrap().to_string(), "The server sent unexpected data: 'psst'");
        let mut bytes = [0; 4];
        assert_eq!(ours.receive(&mut bytes).unwrap(), Received::Bytes(4));
        assert_eq!(&bytes, b"psst");
    }

    #[test]
    fn a_quiet_connection_raises_no_alarm() {
        let (_ours, _theirs, watcher, alarms) = watched();
        assert!(watcher.stop().is_none());
        assert!(alarms.recv().is_err(), "an alarm without an event");
    }
}
