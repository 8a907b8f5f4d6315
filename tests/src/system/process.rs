//! Signals, exits and limits of processes.

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

use crate::wait::DEADLINE;

/// Sends a signal to a child.
pub fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("the child is not reaped");
}

/// Waits until a child ends. Returns `None` if it still runs at the deadline.
pub fn wait(child: &mut Child) -> Option<ExitStatus> {
    has_ended(Pid::from_child(child)).then(|| child.wait().expect("a child can be waited for"))
}

/// Waits until a process ends. Returns false if it still runs at the deadline.
#[must_use]
pub fn has_ended(pid: Pid) -> bool {
    Handle::open(pid).expect("the process is not reaped").has_ended()
}

/// Handle of a process. Unlike a process id, it cannot come to mean another process.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Handle {
    /// Opens the process that has this id now, if there is one.
    #[must_use]
    pub fn open(pid: Pid) -> Option<Self> {
        pidfd_open(pid, PidfdFlags::empty()).ok().map(Self)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.0, signal).expect("the process runs");
    }

    /// Waits until it ends. Returns false if it still runs at the deadline.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let deadline = Timespec::try_from(DEADLINE).expect("seconds fit");
        let ended = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&deadline));
        ended.expect("a process handle can be polled") > 0
    }
}

/// Raises the soft limit of descriptors of this process to the hard limit: a test with a thousand connections needs
/// more than the usual soft limit.
pub fn raise_descriptor_limit() {
    static RAISED: Once = Once::new();
    RAISED.call_once(|| {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
            .expect("the soft limit may be raised to the hard limit");
    });
}
