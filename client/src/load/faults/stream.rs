//! Judgement on one connection of a stream.

use common::fault::{Fault, FaultAct};

use super::{
    compare::{Masks, Received, Side, equal_len},
    connection::Connection,
    end::{self, Cause},
    expected::Expected,
    judgement::Judgement,
    layers,
    records::Checked,
    times,
};
use crate::load::{
    ipc::observation::Observation,
    worker::payload::{echo_stream::EchoStream, streams::Streams},
};

/// Compares a connection with the faults that its server has injected.
pub(super) fn judge(seen: &Observation, checked: &Checked, streams: &Streams) -> Judgement {
    let Checked { acts, replaced, .. } = checked;
    let first = (seen.first_line, seen.first_offset);
    let mut echo = EchoStream::new(streams, seen.channel, first, seen.opcode);
    let is_message =
        |act: &&FaultAct| matches!(act.fault, Fault::Drop | Fault::Duplicate | Fault::Reorder);
    let messages: Vec<_> = acts.iter().filter(is_message).collect();
    let (corrupt, others) = place_damage(seen, acts);
    let damage: Masks = seen.damage.iter().map(|damage| (damage.at, damage.mask)).collect();
    let observed = Side { pieces: &seen.pieces, masks: &damage };
    let received = Received { seen: observed, explained: &corrupt };
    let build = |echo: &mut EchoStream, messages_sent| {
        let total = echo.start_of(messages_sent);
        Expected::new(echo, &messages, total, received)
    };
    let complete = build(&mut echo, seen.messages).len;
    let expected = build(&mut echo, seen.messages + 1);
    let echoed = seen.pieces.iter().map(|piece| piece.len).sum();
    let masked = acts.iter().find(|act| act.fault == Fault::BadMask);
    let masked = masked.map(|act| echo.start_of(act.message.unwrap_or(0)));
    let mask_place = masked.and_then(|start| expected.place_of(start));
    let connection = Connection { seen, acts, replaced, echoed, expected, complete, mask_place };
    let mut judgement = Judgement::default();
    let causes = end::judge(&connection, &mut judgement);
    layers::judge(&connection, &mut judgement);
    let bytes = Bytes { observed, corrupt: &corrupt, others: &others };
    judge_bytes(&connection, &bytes, &mut echo, &causes, &mut judgement);
    times::judge(&connection, &mut judgement);
    judgement
}

/// Received bytes, and the damage of the fault log.
struct Bytes<'b> {
    observed: Side<'b>,
    /// Damage by the number of echoed bytes before.
    corrupt: &'b Masks,
    /// Places of damage, with those that are among no echoes.
    others: &'b [u64],
}

/// Compares the received bytes.
fn judge_bytes(
    connection: &Connection<'_>,
    bytes: &Bytes<'_>,
    echo: &mut EchoStream,
    causes: &[Cause],
    judgement: &mut Judgement,
) {
    let Connection { seen, echoed, expected, complete, .. } = connection;
    let is_handshake_broken = causes.contains(&Cause::Handshake);
    let limit = seen.limit_reached_at.unwrap_or(*echoed);
    let side = Side { pieces: &expected.pieces, masks: bytes.corrupt };
    let equal = equal_len(echo, bytes.observed, side, limit);
    // A damaged control frame is not recognised as one, and follows the last echo.
    let is_tail =
        equal == *complete && bytes.others.iter().any(|&at| at >= equal && at < equal + 128);
    let is_equal = equal == limit || is_tail;
    if !is_equal {
        judgement.disagree(describe(connection, echo, equal));
    }
    let is_complete = *echoed >= *complete && seen.limit_reached_at.is_none();
    for (act, place) in &expected.places {
        match () {
            () if !is_equal && *place >= equal => judgement.miss(act),
            () if *place < limit || is_complete => judgement.find(act),
            () => judgement.miss(act),
        }
    }
    if seen.tls.is_none() {
        for act in connection.of(Fault::Corrupt) {
            let place = place_on_wire(seen, act.offset);
            let is_in_echo = place.is_some_and(|place| place < limit);
            let is_read = act.offset < seen.head && is_handshake_broken;
            match () {
                () if is_in_echo && (is_equal || place < Some(equal)) => judgement.find(act),
                () if is_read || is_handshake_broken && connection.has_received(act.offset) => {
                    judgement.find(act);
                }
                () if !connection.has_received(act.offset) => connection.miss(act, judgement),
                () => judgement.miss(act),
            }
        }
    }
    if is_equal && !is_complete && seen.limit_reached_at.is_none() && causes.is_empty() {
        let message = echo.message_at(expected_position(expected, *echoed));
        judgement.disagree(format!(
            "the last {} bytes of the echo are missing, from message {message} on, and no fault explains it",
            complete - echoed
        ));
    }
}

/// Returns the masks of damaged bytes by their places in the echo, and the places of all damage behind the head, also that in control
/// frames.
fn place_damage(seen: &Observation, acts: &[FaultAct]) -> (Masks, Vec<u64>) {
    let (mut masks, mut others) = (Masks::new(), Vec::new());
    if seen.tls.is_some() {
        return (masks, others);
    }
    for act in acts.iter().filter(|act| act.fault == Fault::Corrupt) {
        let Some(mask) = act.mask else { continue };
        match place_on_wire(seen, act.offset) {
            Some(place) => {
                *masks.entry(place).or_default() ^= mask;
                others.push(place);
            }
            None => others.extend(act.offset.checked_sub(seen.head)),
        }
    }
    (masks, others)
}

/// Returns the number of echoed bytes before an offset on a socket without TLS. `None`: it is in front of the echoes, or in a
/// control frame.
fn place_on_wire(seen: &Observation, offset: u64) -> Option<u64> {
    let mut place = offset.checked_sub(seen.head)?;
    let mut passed = 0;
    for control in &seen.controls {
        if place < control.at + passed {
            break;
        }
        if place < control.at + passed + control.len {
            return None;
        }
        passed += control.len;
    }
    place -= passed;
    Some(place)
}

/// Returns the position in the echo of a byte that must arrive.
fn expected_position(expected: &Expected, mut place: u64) -> u64 {
    for piece in &expected.pieces {
        if place < piece.len {
            return piece.start + place;
        }
        place -= piece.len;
    }
    expected.pieces.last().map_or(0, |piece| piece.start + piece.len)
}

/// Describes the first byte that differs.
fn describe(connection: &Connection<'_>, echo: &mut EchoStream, place: u64) -> String {
    let Connection { seen, expected, .. } = connection;
    let position_in = |pieces: &[_]| {
        expected_position(&Expected { pieces: pieces.to_vec(), ..Expected::default() }, place)
    };
    let (received, wanted) = (position_in(&seen.pieces), position_in(&expected.pieces));
    let mask = seen.damage.iter().find(|damage| damage.at == place).map_or(0, |it| it.mask);
    let byte = echo.bytes(received, 1)[0] ^ mask;
    let (from, to) = (echo.message_at(received), echo.message_at(wanted));
    let what = if place >= expected.len {
        "comes after the end of the echo".to_owned()
    } else if received == wanted {
        format!(
            "has the bits {mask:#04x} inverted, by what was received, and others by the fault log"
        )
    } else {
        format!("is of message {from}, and by the fault log one of message {to} is due")
    };
    format!("byte {place} of the echo ({byte:#04x}) {what}")
}
