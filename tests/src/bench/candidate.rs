//! The servers of the comparison.

use std::process::Command;

use clap::ValueEnum;

use crate::case::{Case, Kind};

/// Server of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Candidate {
    /// echo-server with --log-messages off
    Ours,
    /// echo-server with default settings: two log records per message, in a file
    OursLogged,
    /// bare-echo: an epoll loop per thread with recv and send
    Floor,
    /// tokio's multi-thread runtime
    Tokio,
    /// A thread per connection
    Thread,
    /// socat, with a process per connection
    Socat,
    /// ncat, with a process per connection
    Ncat,
    /// A threaded Python server like the original, which logs every message
    Python,
}

impl Candidate {
    /// Returns its name in the JSON.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("none is hidden").get_name().to_owned()
    }

    /// Returns its name in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ours => "ours, log off",
            Self::OursLogged => "ours, log on",
            Self::Floor => "floor",
            Self::Tokio => "tokio",
            Self::Thread => "threads",
            Self::Socat => "socat",
            Self::Ncat => "ncat",
            Self::Python => "Python",
        }
    }

    /// Returns true for a third-party program, which may not be installed and runs in fewer rounds and cases.
    pub(crate) fn is_foreign(self) -> bool {
        matches!(self, Self::Socat | Self::Ncat | Self::Python)
    }

    /// Returns true if its program exists.
    pub(crate) fn is_installed(self) -> bool {
        let (Self::Socat | Self::Ncat | Self::Python) = self else {
            return true;
        };
        let output = Command::new(self.program()).arg("--version").output();
        // socat has no such flag, but it runs.
        output.is_ok_and(|output| output.status.success() || self == Self::Socat)
    }

    /// Returns the name of its executable.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Ours | Self::OursLogged => "echo-server",
            Self::Floor => "bare-echo",
            Self::Tokio => "tokio-echo",
            Self::Thread => "thread-echo",
            Self::Socat => "socat",
            Self::Ncat => "ncat",
            Self::Python => "python3",
        }
    }

    /// Returns true if it runs this case. A process or a Python thread per connection does not support thousands of
    /// connections.
    pub(crate) fn supports(self, case: &Case) -> bool {
        if !self.is_foreign() {
            // A machine allows more descriptors than threads.
            return self != Self::Thread || case.kind != Kind::Idle;
        }
        match case.kind {
            Kind::Echo { connections, size, .. } => connections <= 50 && size <= 64 * 1024,
            Kind::Churn { .. } => self == Self::Python,
            Kind::Idle | Kind::Fairness | Kind::Processes(_) => false,
        }
    }
}
