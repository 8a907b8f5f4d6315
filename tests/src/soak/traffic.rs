//! Well-behaved traffic, in rounds: steady connections and churn by `echo-client load`, then a flood that must not
//! affect the steady connections.

use std::{sync::PoisonError, time::Duration};

use tests::{
    net::Peer,
    payload::Random,
    programs::{Load, Report},
    system::procfs,
};

use crate::actors::{Action, Context};

/// The action of the actor that makes the traffic.
pub(crate) const ACTION: Action = Action { name: "traffic", pause: Duration::ZERO, run: round };

/// The connection limit of the server. All other actors together need half of it.
pub(crate) const MAX_CONNECTIONS: usize = 256;

/// Minimum number of connections of a flood that the server must refuse.
const REFUSED: usize = 20;

/// Number of processes and of connections per process with steady traffic.
const STEADY: (usize, usize) = (2, 20);

/// Arguments of the steady traffic. The rate leaves processor time to the other actors on two cores. Messages are
/// short for the reason of [`LINE`](crate::misbehaving::LINE).
const STEADY_LOAD: &str = "--rate 4000 --size 1-256 --duration 5s --timeout 20s";

/// Arguments of the churn: 2,000 connections per second with one message each.
const CHURN: &str =
    "--processes 2 --connections 8 --rate 2000 --churn 1 --duration 4s --timeout 20s";

fn round(context: &Context, _: &mut Random) {
    let (processes, connections) = STEADY;
    let steady = format!("--processes {processes} --connections {connections} {STEADY_LOAD}");
    let steady = Load::start_in_own_process_group(context.server, &steady);
    let churn = Load::start_in_own_process_group(context.server, CHURN);
    churn.finish().expect_success();
    // During a flood, the server would refuse a steady connection that is not open yet.
    if is_connected(&steady) {
        flood(context);
    }
    let steady: Report = steady.finish();
    steady.expect_success();
}

/// Returns true if all steady connections are open.
fn is_connected(steady: &Load) -> bool {
    let workers = procfs::children(steady.program.pid());
    let descriptors: usize = workers.into_iter().map(procfs::descriptor_count).sum();
    descriptors >= STEADY.0 * STEADY.1
}

/// Opens more connections than the limit: the server refuses the excess with a message and without a reset, and
/// accepts again after the flood.
fn flood(context: &Context) {
    let _alone = context.flood.write().unwrap_or_else(PoisonError::into_inner);
    let mut peers: Vec<Peer> =
        (0..MAX_CONNECTIONS + REFUSED).map(|_| Peer::connect(context.server)).collect();
    // When the last one has a reply, the server has accepted or refused all of them.
    let last = peers.pop().expect("there are many");
    let is_refused = |mut peer: Peer| {
        peer.half_close();
        let reply = peer.read_to_end();
        assert!(reply.is_empty() || reply.starts_with(b"Server is full"), "{reply:?}");
        usize::from(!reply.is_empty())
    };
    let refused = is_refused(last) + peers.into_iter().map(is_refused).sum::<usize>();
    assert!(refused >= REFUSED, "{refused} connections refused, at least {REFUSED} expected");
}
