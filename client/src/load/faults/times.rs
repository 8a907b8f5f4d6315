//! Judgement on the faults that take time: nothing may come too early. How much later it comes is a figure, and no judgement.

use common::fault::{Direction, Fault, FaultAct};

use super::{connection::Connection, judgement::Judgement};
use crate::load::stats::format::time;

/// Nanoseconds of a second.
const SECOND: u128 = 1_000_000_000;

/// Nanoseconds in which a server saves up bytes that its rate allows and that it does not send.
const BURST: u128 = 50_000_000;

/// Finds the faults that take time.
pub(super) fn judge(connection: &Connection<'_>, judgement: &mut Judgement) {
    for act in connection.acts {
        match act.fault {
            Fault::Delay | Fault::Coalesce => {
                judge_wait(connection, act, chunk_time(connection, act), judgement);
            }
            Fault::StallAfter | Fault::Throttle | Fault::Drip | Fault::Split
                if act.offset >= connection.seen.received.max(1) =>
            {
                connection.miss(act, judgement);
            }
            Fault::AcceptDelay | Fault::HandshakeStall => {
                judge_wait(connection, act, connection.seen.times.first_byte, judgement);
            }
            Fault::StallAfter => {
                judge_wait(connection, act, stall_time(connection, act.offset), judgement);
            }
            Fault::Throttle | Fault::Drip => judge_rate(connection, act, judgement),
            // Segments are not seen in a stream: that nothing is wrong with it is all.
            Fault::Split => judgement.find(act),
            _ => {}
        }
    }
}

/// Compares a delay with the time that passed. What was held back when other faults replaced these came earlier.
fn judge_wait(
    connection: &Connection<'_>,
    act: &FaultAct,
    passed: Option<u64>,
    judgement: &mut Judgement,
) {
    let is_short = passed < act.delay_ns;
    let passed = passed.filter(|_| !(is_short && connection.replaced.contains(act)));
    judge_delay(act, passed, judgement);
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
        // Times that differ by little differ in what is shown.
        let is_close = asked - passed < asked / 50;
        let shown = |nanos| if is_close { format!("{nanos} ns") } else { time(nanos) };
        judgement.disagree(format!(
            "the server delayed {} {} by {} ({}); the client waited {}",
            if act.message.is_some() { "datagram" } else { "byte" },
            act.offset,
            shown(asked),
            act.fault.name(),
            shown(passed)
        ));
    }
}

/// Returns the time from the send of the last byte of a chunk, at which the server had not received it yet, to the return of the first
/// message of which the server has received a byte in the chunk or later. It cannot have answered it before it had the chunk.
fn chunk_time(connection: &Connection<'_>, act: &FaultAct) -> Option<u64> {
    let messages = &connection.seen.times.messages;
    let end = act.offset + act.bytes.unwrap_or(0);
    let later = messages.iter().filter(|message| message.end > act.offset);
    let returned = later.map(|message| message.returned).filter(|&returned| returned > 0).min()?;
    // Bytes in front of the first message were sent after the begin of the connect.
    let begun = messages.iter().rfind(|message| message.start < end);
    returned.checked_sub(begun.map_or(0, |message| message.begun))
}

/// Returns the time from the send of the message to which the byte at an offset belongs, to the arrival of this byte. In front of the
/// first echo are bytes of layers, which belong to no message: there it counts from the connect.
fn stall_time(connection: &Connection<'_>, offset: u64) -> Option<u64> {
    let times = &connection.seen.times;
    let &(_, arrived) = times.reads.iter().find(|(received, _)| *received > offset)?;
    let earlier = times.messages.iter().filter(|message| (1..arrived).contains(&message.returned));
    let last = earlier.max_by_key(|message| message.returned);
    let is_behind_echo = last.is_some();
    let later = times.messages.iter().filter(|message| message.returned >= arrived);
    // The byte may be in the second copy of a message.
    let copied = last.filter(|_| connection.of(Fault::Duplicate).next().is_some());
    let begun = later.chain(copied).map(|message| message.begun).min();
    let begun = begun.filter(|&begun| is_behind_echo && begun < arrived);
    Some(arrived - begun.unwrap_or(0))
}

fn judge_rate(connection: &Connection<'_>, act: &FaultAct, judgement: &mut Judgement) {
    let seen = connection.seen;
    let bytes = act.bytes.unwrap_or(0);
    let limit = match (act.fault, act.direction, act.delay_ns) {
        // Others replaced it.
        _ if connection.replaced.contains(act) => return judgement.miss(act),
        (Fault::Throttle, Direction::Sent, _) => {
            let burst = if act.offset == 0 { 0 } else { BURST };
            let nanos = u128::from(seen.times.last_read) + burst;
            u128::from(bytes) * nanos / SECOND + 1
        }
        // The first portion goes at once.
        (Fault::Drip, _, Some(every @ 1..)) => {
            u128::from(bytes) * (u128::from(seen.times.last_read / every) + 1)
        }
        // The echo of what the server has read tells no more than its own direction.
        _ => return judgement.find(act),
    };
    // Faults may be set when many bytes have passed.
    let limit = limit + u128::from(act.offset);
    judgement.check(act, u128::from(seen.received) <= limit, || {
        format!(
            "the server limited the rate ({} {bytes}); the client received {} bytes in {}, which are more than {limit}",
            act.fault.name(),
            seen.received,
            time(seen.times.last_read)
        )
    });
}
