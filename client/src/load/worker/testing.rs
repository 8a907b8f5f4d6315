//! Workers for tests, on a thread of the test.

use std::{
    io::Write as _,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use super::{event_loop::EventLoop, io::channel::Channel};
use crate::load::{
    ipc::{
        message::{Command, WorkerMessage},
        wire::encode,
        worker_config::WorkerConfig,
    },
    stats::counters::Stats,
};

/// Runs a worker that receives `commands`; returns its messages.
pub(super) fn run<C: Channel>(config: &WorkerConfig, commands: &[Command]) -> Vec<WorkerMessage> {
    let (ours, mut coordinator) = UnixStream::pair().unwrap();
    for command in commands {
        coordinator.write_all(encode(command).as_bytes()).unwrap();
    }
    run_on::<C>(config, ours)
}

/// Runs a worker that receives commands from this stream; returns its messages.
pub(super) fn run_on<C: Channel>(
    config: &WorkerConfig,
    commands: UnixStream,
) -> Vec<WorkerMessage> {
    commands.set_nonblocking(true).unwrap();
    let mut messages = Vec::new();
    let commands = OwnedFd::from(commands).into();
    EventLoop::<C, _>::new(config, commands, &mut messages).unwrap().run().unwrap();
    let messages = String::from_utf8(messages).unwrap();
    messages.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the statistics of a worker that has finished.
pub(super) fn stats(messages: &[WorkerMessage]) -> Stats {
    let mut all = Stats::default();
    for message in messages {
        match message {
            WorkerMessage::Progress(progress) => all.merge(&progress.stats),
            WorkerMessage::Done(summary) => all.merge(&summary.stats),
            WorkerMessage::Ready | WorkerMessage::Observed(_) | WorkerMessage::Failed { .. } => {}
        }
    }
    assert!(matches!(messages.last(), Some(WorkerMessage::Done(_))), "{messages:?}");
    all
}
