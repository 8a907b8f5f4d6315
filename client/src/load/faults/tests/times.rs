//! Rules by which the records of faults that take time agree with the times of the client.

use common::fault::{Fault, FaultAct};

use super::{LEN, act, agree, disagree, judge, messages, regular};

#[test]
fn a_delay_is_found_if_nothing_came_earlier_and_its_excess_is_a_figure() {
    let mut seen = regular();
    seen.times.messages = messages(&[(1_000, 5_001_500), (2_000, 5_002_500)]);
    let delay = |delay_ns| FaultAct {
        bytes: Some(64),
        delay_ns: Some(delay_ns),
        ..FaultAct::received(Fault::Delay, 64)
    };
    let judgement = judge(&seen, &[delay(5_000_000)]);
    assert_eq!((judgement.found, judgement.excess), (vec![Fault::Delay], vec![500]));
    disagree(
        &seen,
        &[delay(5_000_501)],
        "delayed byte 64 by 5000501 ns (delay); the client waited 5000500 ns",
    );
    seen.times.messages[1].returned = 0;
    assert_eq!(judge(&seen, &[delay(5_000_000)]).unobservable, [Fault::Delay]);
}

#[test]
fn a_stall_in_a_second_copy_of_a_message_counts_from_the_send_of_the_message() {
    let mut seen = regular();
    seen.times.reads = vec![(148, 60), (1280, 1_000)];
    seen.times.messages = messages(&[(10, 50), (20, 60), (900, 1_000)]);
    let stall = FaultAct { delay_ns: Some(970), ..act(Fault::StallAfter, 148) };
    let duplicate = FaultAct { message: Some(1), bytes: Some(LEN), ..act(Fault::Duplicate, LEN) };
    assert_eq!(judge(&seen, &[duplicate, stall]).excess, [10]);
    disagree(&seen, &[stall], "stall-after");
}

#[test]
fn a_stall_a_late_accept_and_a_rate_are_found_by_their_times() {
    let mut seen = regular();
    seen.times.first_byte = Some(50);
    seen.times.last_read = 2_000_000_000;
    seen.times.reads = vec![(128, 50), (1280, 1_000)];
    seen.times.messages = messages(&[(10, 50), (20, 50), (30, 1_000)]);
    let timed =
        |fault, offset, delay_ns| FaultAct { delay_ns: Some(delay_ns), ..act(fault, offset) };
    agree(&seen, &[timed(Fault::StallAfter, 128, 970)]);
    disagree(&seen, &[timed(Fault::StallAfter, 128, 971)], "stall-after");
    agree(&seen, &[timed(Fault::AcceptDelay, 0, 50), timed(Fault::HandshakeStall, 0, 50)]);
    disagree(&seen, &[timed(Fault::AcceptDelay, 0, 51)], "accept-delay");
    let rate = |bytes| FaultAct { bytes: Some(bytes), ..act(Fault::Throttle, 0) };
    agree(&seen, &[rate(640)]);
    disagree(&seen, &[rate(600)], "the server limited the rate");
    agree(&seen, &[act(Fault::Split, 0)]);
}
