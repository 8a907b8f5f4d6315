//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use common::cli::{duration, positive_duration};

use crate::{
    candidate::Candidate,
    case::{self, CASES, Case},
};

/// Compare echo-server with other echo servers on this machine
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Run fewer cases, rounds and servers, in less than three minutes
    #[arg(long)]
    quick: bool,

    /// Run only these cases
    #[arg(long, value_delimiter = ',', value_name = "CASE", value_parser = case::parse)]
    only: Vec<Case>,

    /// Run only these servers; without the floor, there are no ratios
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SERVER")]
    peers: Vec<Candidate>,

    /// Number of rounds [default: 7, with --quick: 3]
    #[arg(long)]
    rounds: Option<usize>,

    /// Duration of a measurement, such as 500ms or 3s [default: 1s]
    #[arg(long, value_name = "DUR", value_parser = positive_duration)]
    seconds: Option<Duration>,

    /// Maximum time to wait until the machine is idle, for all runs together [default: 2m, with --quick: 20s]
    #[arg(long, value_name = "DUR", value_parser = duration)]
    patience: Option<Duration>,

    /// Number of threads of servers with a fixed number [default: one per core]
    #[arg(long)]
    threads: Option<usize>,

    /// Write all results to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the report to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,

    /// Write the chart to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

impl Args {
    /// Returns the selected cases.
    pub(crate) fn cases(&self) -> Vec<Case> {
        if self.only.is_empty() {
            CASES.into_iter().filter(|case| case.is_quick || !self.quick).collect()
        } else {
            self.only.clone()
        }
    }

    /// Returns the selected servers: those that are installed, and those that are not.
    pub(crate) fn candidates(&self) -> (Vec<Candidate>, Vec<Candidate>) {
        use Candidate::{
            FastWebSockets, Floor, Nats, Ncat, Nginx, Ours, OursLogged, Python, Redis, SingleFloor,
            Socat, Stunnel, Thread, Tokio,
        };
        let selected: &[Candidate] = match (&self.peers[..], self.quick) {
            ([], true) => &[Ours, OursLogged, Floor, SingleFloor, Tokio],
            ([], false) => &[
                Ours,
                OursLogged,
                Floor,
                SingleFloor,
                Tokio,
                FastWebSockets,
                Thread,
                Socat,
                Ncat,
                Python,
                Nginx,
                Stunnel,
                Redis,
                Nats,
            ],
            (named, _) => named,
        };
        selected.iter().copied().partition(|candidate| candidate.is_installed())
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { 7 }).max(1)
    }

    pub(crate) fn duration(&self) -> Duration {
        self.seconds.unwrap_or(Duration::from_secs(1))
    }

    /// Returns the maximum time to wait until the machine is idle.
    pub(crate) fn patience(&self) -> Duration {
        self.patience.unwrap_or(if self.quick {
            Duration::from_secs(20)
        } else {
            Duration::from_mins(2)
        })
    }

    pub(crate) fn threads(&self, cores: usize) -> usize {
        self.threads.unwrap_or(cores).max(1)
    }
}
