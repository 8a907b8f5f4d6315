//! Contradictions between the records of messages and the messages that the client has sent.
//!
//! A server of lines or frames records a message by its number, its first byte and its length, and the client knows all three. A server
//! of `raw` takes what one read has returned for a message. The client does not know which one it talks to, unless it is a WebSocket.

use common::fault::{Fault, FaultAct};

use super::place::place;
use crate::load::{ipc::observation::Observation, worker::payload::echo_stream::EchoStream};

/// Returns what is impossible.
pub(super) fn check(seen: &Observation, acts: &[FaultAct], echo: &mut EchoStream) -> Vec<String> {
    let is_message =
        |act: &&FaultAct| matches!(act.fault, Fault::Drop | Fault::Duplicate | Fault::Reorder);
    let mut messages: Vec<_> = acts.iter().filter(is_message).collect();
    messages.sort_by_key(|act| (act.offset, act.message));
    if echo.has_headers() {
        let wrong = messages.into_iter().filter_map(|act| check_frame(seen, act, echo));
        return wrong.collect();
    }
    let end = echo.start_of(seen.begun);
    let beyond = messages.iter().filter(|act| end_of(act) > end);
    let mut texts: Vec<_> = beyond
        .map(|act| format!("the fault log has {}; the client sent {end} bytes", place(seen, act)))
        .collect();
    texts.extend(messages.windows(2).filter_map(|pair| check_order(seen, pair[0], pair[1])));
    let lines: Vec<_> = messages.iter().map(|act| is_line(seen, act, echo)).collect();
    let (first, last) = (lines.iter().position(|is| *is), lines.iter().rposition(|is| *is));
    let is_single = lines.iter().filter(|is| !**is).count() == 1;
    for (index, act) in messages.iter().enumerate() {
        let line = echo.message_at(act.offset);
        let number = act.message.unwrap_or(0);
        // A read of several messages leaves the numbers of `raw` behind, and that of a part is in front of them.
        let is_between_lines = is_single
            && !lines[index]
            && first.is_some_and(|first| first < index)
            && last.is_some_and(|last| index < last);
        let is_impossible = (number == 0) != (act.offset == 0) || number > act.offset;
        if is_impossible || is_between_lines {
            texts.push(format!(
                "the fault log has {} with {} bytes; message {line} has the bytes {}..{}",
                place(seen, act),
                act.bytes.unwrap_or(0),
                echo.start_of(line),
                echo.start_of(line + 1)
            ));
        }
    }
    texts
}

/// Checks the record of a frame, whose offset counts control frames too.
fn check_frame(seen: &Observation, act: &FaultAct, echo: &mut EchoStream) -> Option<String> {
    let number = act.message.unwrap_or(0);
    let (start, end) = (echo.start_of(number), echo.start_of(number + 1));
    let controls: u64 = seen.controls.iter().map(|control| control.len).sum();
    let is_late = act.offset > start + controls && seen.end.is_after_ours;
    let is_partial = number >= seen.messages && act.bytes < Some(end - start);
    let agrees = number < seen.begun
        && act.offset >= start
        && !is_late
        && (act.bytes == Some(end - start) || is_partial);
    (!agrees).then(|| {
        format!(
            "the fault log has {} with {} bytes; message {number} has the bytes {start}..{end}, and control frames have {controls}",
            place(seen, act),
            act.bytes.unwrap_or(0)
        )
    })
}

/// Checks that two messages follow each other, with a message in between if and only if there are bytes in between.
fn check_order(seen: &Observation, one: &FaultAct, next: &FaultAct) -> Option<String> {
    let (number, following) = (one.message.unwrap_or(0), next.message.unwrap_or(0));
    let agrees = if one.offset == next.offset {
        number == following && one.bytes == next.bytes
    } else {
        let bytes = next.offset.checked_sub(end_of(one));
        let messages = following.checked_sub(number + 1);
        matches!((bytes, messages), (Some(bytes), Some(messages))
            if (bytes == 0) == (messages == 0) && messages <= bytes)
    };
    (!agrees).then(|| {
        format!(
            "the fault log has {} with {} bytes, and next {}",
            place(seen, one),
            one.bytes.unwrap_or(0),
            place(seen, next)
        )
    })
}

/// Returns whether a record is of one message of the client.
fn is_line(seen: &Observation, act: &FaultAct, echo: &mut EchoStream) -> bool {
    let line = echo.message_at(act.offset);
    let (start, end) = (echo.start_of(line), echo.start_of(line + 1));
    let is_partial = line >= seen.messages && end_of(act) < end;
    act.message == Some(line) && act.offset == start && (end_of(act) == end || is_partial)
}

fn end_of(act: &FaultAct) -> u64 {
    act.offset.saturating_add(act.bytes.unwrap_or(0))
}
