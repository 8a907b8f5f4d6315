use proptest::prelude::*;

use super::*;

#[test]
fn queues_incomplete_lines_again() {
    let streams = Streams::new(7, 10..=20);
    let (mut expectation, wire) = all_sent(&streams, 5);
    let first = wire.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let mut buffer = vec![0; wire.len()];
    let on_lines = |_, _| {};
    expectation.check(&streams, &wire[..first + 3], &mut buffer, on_lines).unwrap();
    assert_eq!(expectation.requeue(&streams), 4);

    let mut again = Vec::new();
    expectation.send(&streams, &mut again, &mut [0; 10]).unwrap();
    assert_eq!(again, wire[first..]);
    let mut lines = Vec::new();
    let on_lines = |since, numbers: Range<u64>| lines.push((since, count(&numbers)));
    expectation.check(&streams, &again, &mut buffer, on_lines).unwrap();
    let after = |seconds| (Since::Queued(SECOND * seconds), 1);
    assert_eq!(lines, [after(1), after(2), after(3), after(4)]);
    assert_eq!((expectation.in_flight(), expectation.outstanding_bytes()), (0, 0));
}

/// Socket that accepts this many bytes, and then would block.
struct LimitedSocket(Vec<u8>, usize);

impl LineSink for Vec<u8> {
    fn send(&mut self, bytes: &[u8], _: impl FnOnce() -> u64) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl LineSink for LimitedSocket {
    fn send(&mut self, bytes: &[u8], _: impl FnOnce() -> u64) -> io::Result<usize> {
        let len = bytes.len().min(std::mem::take(&mut self.1));
        self.0.extend_from_slice(&bytes[..len]);
        if len == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(len) }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const NOW: Since = Since::Queued(SECOND);

fn count(numbers: &Range<u64>) -> u64 {
    numbers.end - numbers.start
}

fn all_sent(streams: &Streams, lines: u32) -> (Expectation, Vec<u8>) {
    let mut expectation = Expectation::new(streams, 3);
    (0..lines).for_each(|line| expectation.queue(streams, 1, Since::Queued(SECOND * line)));
    let mut wire = Vec::new();
    expectation.send(streams, &mut wire, &mut [0; 10]).unwrap();
    (expectation, wire)
}

#[test]
fn sends_only_what_is_queued() {
    let streams = Streams::new(1, 8..=8);
    let (mut expectation, wire) = all_sent(&streams, 2);
    assert_eq!(wire.len(), 16);
    assert_eq!((expectation.in_flight(), expectation.outstanding_lines(&streams)), (2, 2));
    let mut more = Vec::new();
    expectation.send(&streams, &mut more, &mut [0; 10]).unwrap();
    assert_eq!(more, b"");
}

#[test]
fn each_complete_line_counts_from_its_own_time() {
    let streams = Streams::new(1, 8..=8);
    let (mut expectation, wire) = all_sent(&streams, 3);
    let mut times = Vec::new();
    expectation
        .check(&streams, &wire[..17], &mut [0; 64], |at, lines| times.push((at, lines)))
        .unwrap();
    assert_eq!(times, [(Since::Queued(Duration::ZERO), 0..1), (NOW, 1..2)]);
    assert_eq!((expectation.in_flight(), expectation.next_expected().offset()), (1, 17));
}

#[test]
fn a_partially_sent_line_is_outstanding() {
    let streams = Streams::new(1, 8..=8);
    let mut expectation = Expectation::new(&streams, 0);
    expectation.queue(&streams, 3, NOW);
    expectation.send(&streams, &mut LimitedSocket(Vec::new(), 9), &mut [0; 64]).unwrap();
    assert_eq!((expectation.in_flight(), expectation.outstanding_lines(&streams)), (3, 2));
    assert!(expectation.has_unsent());
}

#[test]
fn drops_the_lines_of_which_nothing_was_sent() {
    let streams = Streams::new(1, 8..=8);
    for (sent, left) in [(0, 0), (1, 1), (8, 1), (9, 2), (24, 3), (40, 5)] {
        let mut expectation = Expectation::new(&streams, 0);
        expectation.queue(&streams, 1, NOW);
        expectation.queue(&streams, 4, Since::Due);
        let mut socket = LimitedSocket(Vec::new(), sent);
        expectation.send(&streams, &mut socket, &mut [0; 64]).unwrap();
        assert_eq!(expectation.drop_unsent(&streams), left, "{sent}");
        assert_eq!((expectation.queued_lines(), expectation.in_flight()), (left, left));
        socket.1 = 64;
        expectation.send(&streams, &mut socket, &mut [0; 64]).unwrap();
        let mut lines = 0;
        let on_lines = |_, numbers| lines += count(&numbers);
        expectation.check(&streams, &socket.0, &mut [0; 64], on_lines).unwrap();
        assert_eq!((lines, expectation.in_flight(), expectation.since.len()), (left, 0, 0));
    }
}

/// An open loop that is far behind must not need memory for each message.
#[test]
fn messages_that_are_due_take_no_memory() {
    let streams = Streams::new(1, 8..=8);
    let mut expectation = Expectation::new(&streams, 0);
    (0..1000).for_each(|_| expectation.queue(&streams, 1_000_000, Since::Due));
    assert_eq!((expectation.in_flight(), expectation.since.len()), (1_000_000_000, 1));
}

#[test]
fn finds_the_position_of_a_wrong_byte() {
    let streams = Streams::new(1, 8..=8);
    for at in 0..24 {
        let (mut expectation, mut wire) = all_sent(&streams, 3);
        wire[at] ^= 1;
        let mut lines = 0;
        let found =
            expectation.check(&streams, &wire, &mut [0; 64], |_, numbers| lines += count(&numbers));
        assert_eq!((found, lines), (Err(Mismatch { valid: at }), at as u64 / 8));
    }
}

#[test]
fn bytes_that_were_not_sent_are_wrong_even_if_they_are_the_next_ones() {
    let streams = Streams::new(1, 8..=8);
    let mut expectation = Expectation::new(&streams, 0);
    expectation.queue(&streams, 1, NOW);
    let mut socket = LimitedSocket(Vec::new(), 3);
    expectation.send(&streams, &mut socket, &mut [0; 64]).unwrap();
    let mut next = [0; 8];
    Cursor::new(&streams, 0).fill(&streams, &mut next);
    let found = expectation.check(&streams, &next, &mut [0; 64], |_, _| ());
    assert_eq!(found, Err(Mismatch { valid: 3 }));
}

proptest! {
    #[test]
    fn accepts_the_right_bytes_in_any_pieces(seed: u64, pieces in proptest::collection::vec(1_usize..60, 1..60)) {
        let streams = Streams::new(seed, 1..=30);
        let mut expectation = Expectation::new(&streams, 9);
        let mut wire = LimitedSocket(Vec::new(), 0);
        let (mut returned, mut lines) = (0, 0);
        for piece in pieces {
            expectation.queue(&streams, 1, NOW);
            wire.1 = piece;
            expectation.send(&streams, &mut wire, &mut [0; 16]).unwrap();
            let here = (wire.0.len() - returned).min(piece / 2);
            let received = &wire.0[returned..returned + here];
            prop_assert!(expectation.check(&streams, received, &mut [0; 64], |_, numbers| lines += count(&numbers)).is_ok());
            returned += here;
        }
        prop_assert_eq!(expectation.returned_lines(), lines);
        prop_assert_eq!(expectation.next_expected().offset(), returned as u64);
    }
}

/// Socket that takes everything, and keeps the length of the last line after each send.
struct RestSocket(Vec<u64>);

impl LineSink for RestSocket {
    fn send(&mut self, bytes: &[u8], rest: impl FnOnce() -> u64) -> io::Result<usize> {
        self.0.push(rest());
        Ok(bytes.len())
    }
}

#[test]
fn a_send_knows_how_much_of_the_last_line_follows_it() {
    let streams = Streams::new(1, 25..=25);
    let mut expectation = Expectation::new(&streams, 0);
    expectation.queue(&streams, 2, NOW);
    let mut socket = RestSocket(Vec::new());
    expectation.send(&streams, &mut socket, &mut [0; 10]).unwrap();
    assert_eq!(socket.0, [15, 5, 20, 10, 0]);
}
