//! Judgement on the faults that take time: nothing may come too early. How much later it comes is a figure, and no judgement.

use common::fault::{Direction, Fault, FaultAct};

use super::{connection::Connection, judgement::Judgement};
use crate::load::stats::format::time;

/// Nanoseconds of a second.
const SECOND: u128 = 1_000_000_000;

/// Finds the faults that take time.
pub(super) fn judge(connection: &Connection<'_>, judgement: &mut Judgement) {
    for act in connection.acts {
        match act.fault {
            Fault::Delay | Fault::Coalesce => {
                judge_delay(act, chunk_time(connection, act), judgement);
            }
            Fault::AcceptDelay | Fault::HandshakeStall => {
                judge_delay(act, connection.seen.times.first_byte, judgement);
            }
            Fault::StallAfter => judge_delay(act, stall_time(connection, act.offset), judgement),
            Fault::Throttle | Fault::Drip => judge_rate(connection, act, judgement),
            // Segments are not seen in a stream: that nothing is wrong with it is all.
            Fault::Split if act.offset <= connection.seen.received => judgement.find(act),
            Fault::Split => judgement.miss(act),
            _ => {}
        }
    }
}

/// Compares a delay with the time that passed; `None`: the client does not know it.
pub(super) fn judge_delay(act: &FaultAct, passed: Option<u64>, judgement: &mut Judgement) {
    let (Some(passed), asked) = (passed, act.delay_ns.unwrap_or(0)) else {
        return judgement.miss(act);
    };
    if let Some(excess) = passed.checked_sub(asked) {
        judgement.find(act);
        judgement.excess.push(excess);
    } else {
        judgement.disagree(format!(
            "the server delayed {} {} by {} ({}); the client waited {}",
            if act.message.is_some() { "datagram" } else { "byte" },
            act.offset,
            time(asked),
            act.fault.name(),
            time(passed)
        ));
    }
}

/// Returns the time from the send of the last byte of a chunk, at which the server had not received it yet, to the return of a message
/// that ends in the chunk. The server cannot have answered it before it had the chunk.
fn chunk_time(connection: &Connection<'_>, act: &FaultAct) -> Option<u64> {
    let messages = &connection.seen.times.messages;
    let end = act.offset + act.bytes.unwrap_or(0);
    let in_chunk = messages.iter().filter(|(sent, ..)| (act.offset + 1..=end).contains(sent));
    let returned = in_chunk.map(|&(.., returned)| returned).find(|&returned| returned > 0)?;
    let &(_, begun, _) = messages.iter().find(|(sent, ..)| *sent >= end)?;
    returned.checked_sub(begun)
}

/// Returns the time from the send of the message to which the byte at an offset belongs, to the arrival of this byte. In front of the
/// first echo are bytes of layers, which belong to no message: there it counts from the connect.
fn stall_time(connection: &Connection<'_>, offset: u64) -> Option<u64> {
    let times = &connection.seen.times;
    let &(_, arrived) = times.reads.iter().find(|(received, _)| *received > offset)?;
    let is_behind_echo =
        times.messages.iter().any(|&(.., returned)| (1..arrived).contains(&returned));
    let later = times.messages.iter().filter(|(.., returned)| *returned >= arrived);
    let begun = later.map(|&(_, begun, _)| begun).min();
    let begun = begun.filter(|&begun| is_behind_echo && begun < arrived);
    Some(arrived - begun.unwrap_or(0))
}

fn judge_rate(connection: &Connection<'_>, act: &FaultAct, judgement: &mut Judgement) {
    let seen = connection.seen;
    let Some(bytes) = act.bytes.filter(|_| act.offset < seen.received.max(1)) else {
        return judgement.miss(act);
    };
    let limit = match (act.fault, act.direction, act.delay_ns) {
        (Fault::Throttle, Direction::Sent, _) => {
            u128::from(bytes) * u128::from(seen.times.last_read) / SECOND + 1
        }
        // The first portion goes at once.
        (Fault::Drip, _, Some(every @ 1..)) => {
            u128::from(bytes) * (u128::from(seen.times.last_read / every) + 1)
        }
        // The echo of what the server has read tells no more than its own direction.
        _ => return judgement.find(act),
    };
    judgement.check(act, u128::from(seen.received) <= limit, || {
        format!(
            "the server limited the rate ({} {bytes}); the client received {} bytes in {}, which are more than {limit}",
            act.fault.name(),
            seen.received,
            time(seen.times.last_read)
        )
    });
}
