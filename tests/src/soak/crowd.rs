//! The honest crowd, in rounds: steady traffic and churn by `echo-client load`, and a flood between the
//! churn of two rounds, which the steady ones must not notice.

use std::{sync::PoisonError, time::Duration};

use tests::{
    load::{Load, Report},
    payload::Random,
    peer::Peer,
    procfs,
};

use crate::peers::{Act, Stage};

/// An act of its own among the peers.
pub(crate) const ACT: Act = Act { name: "crowd", pause: Duration::ZERO, play: round };

/// The server's limit. All others together are half as many.
pub(crate) const MAX_CONNECTIONS: usize = 256;

/// Of a flood that are turned away, whoever else is there.
const TURNED_AWAY: usize = 20;

/// Processes and connections of each that talk throughout.
const STEADY: (usize, usize) = (2, 20);

/// As much as leaves room on two cores for everybody else, with the time to catch up where others want
/// the cores as well; and short messages, because what is said of [`LINE`](crate::rude::LINE) holds here,
/// too.
const STEADY_LOAD: &str = "--rate 4000 --size 1-256 --duration 5s --timeout 20s";

/// 2,000 connections a second, each for one message.
const CHURN: &str =
    "--processes 2 --connections 8 --rate 2000 --churn 1 --duration 4s --timeout 20s";

fn round(stage: &Stage, _: &mut Random) {
    let (processes, connections) = STEADY;
    let steady = format!("--processes {processes} --connections {connections} {STEADY_LOAD}");
    let steady = Load::start_apart(stage.server, &steady);
    let churn = Load::start_apart(stage.server, CHURN);
    churn.finish().expect_well();
    // Who is not connected yet would be turned away with the others.
    if is_connected(&steady) {
        flood(stage);
    }
    let steady: Report = steady.finish();
    steady.expect_well();
}

/// Whether all steady connections are there, and are to stay for a while.
fn is_connected(steady: &Load) -> bool {
    let workers = procfs::children(steady.program.pid());
    let descriptors: usize = workers.into_iter().map(procfs::descriptor_count).sum();
    descriptors >= STEADY.0 * STEADY.1
}

/// More connections than the server may have: those that are too many are told so, none is reset, and
/// when it is over there is room again.
fn flood(stage: &Stage) {
    let _closed = stage.door.write().unwrap_or_else(PoisonError::into_inner);
    let mut peers: Vec<Peer> =
        (0..MAX_CONNECTIONS + TURNED_AWAY).map(|_| Peer::connect(stage.server)).collect();
    // The last one is told when all have been accepted or turned away.
    let last = peers.pop().expect("there are many");
    let told = |mut peer: Peer| {
        peer.half_close();
        let told = peer.rest();
        assert!(told.is_empty() || told.starts_with(b"Server is full"), "{told:?}");
        usize::from(!told.is_empty())
    };
    let turned_away = told(last) + peers.into_iter().map(told).sum::<usize>();
    assert!(
        turned_away >= TURNED_AWAY,
        "of {MAX_CONNECTIONS} more, {turned_away} were turned away"
    );
}
