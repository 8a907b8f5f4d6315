//! Signals, exits and limits of processes, by the handles of those that the test has started.

use std::{
    process::{Child, ExitStatus},
    sync::Once,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    process::{
        Pid, PidfdFlags, Resource, Rlimit, Signal, getrlimit, kill_process, pidfd_open,
        pidfd_send_signal, setrlimit,
    },
};

use crate::DEADLINE;

/// Sends a signal to a child that has not been waited for.
pub fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a child that nobody has reaped");
}

/// Waits for a child to end; `None` when it still runs at the deadline.
pub fn wait(child: &mut Child) -> Option<ExitStatus> {
    has_ended(Pid::from_child(child)).then(|| child.wait().expect("a child can be waited for"))
}

/// Waits for a process to end; whether it has, by the deadline.
#[must_use]
pub fn has_ended(pid: Pid) -> bool {
    Handle::open(pid).expect("a process that nobody has reaped").has_ended()
}

/// A process, whoever waits for it: its number can be another's by then, this cannot.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Handle {
    /// The process that has this number now, if there is one.
    #[must_use]
    pub fn open(pid: Pid) -> Option<Self> {
        pidfd_open(pid, PidfdFlags::empty()).ok().map(Self)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.0, signal).expect("a process that still runs");
    }

    /// Waits for it to end; whether it has, by the deadline.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let deadline = Timespec::try_from(DEADLINE).expect("seconds fit");
        let ended = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&deadline));
        ended.expect("a process handle can be polled") > 0
    }
}

/// Lets this process open as many descriptors as it may ever: a test with a thousand connections
/// needs more than the usual soft limit.
pub fn raise_descriptor_limit() {
    static RAISED: Once = Once::new();
    RAISED.call_once(|| {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
            .expect("a soft limit may be raised to the hard one");
    });
}
