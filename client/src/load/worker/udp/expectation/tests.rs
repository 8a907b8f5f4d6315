use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const SOCKETS: u64 = 10;

/// Datagrams of socket 3. Each was sent, and counts, one second after the previous one.
struct Run {
    streams: Streams,
    expectation: Expectation,
    wire: Vec<Vec<u8>>,
}

impl Run {
    fn new(count: u32, size: u32) -> Self {
        let streams = Streams::new(7, size..=size);
        let mut expectation = Expectation::new(3, SOCKETS);
        let mut wire = Vec::new();
        for number in 0..count {
            let mut buffer = vec![0; size as usize];
            let len = expectation.write(&streams, 0, &mut buffer);
            wire.push(buffer[..len].to_vec());
            expectation.mark_sent(SECOND * number, SECOND * number);
        }
        Self { streams, expectation, wire }
    }

    fn receive(&mut self, bytes: &[u8]) -> Arrival {
        self.expectation.receive(&self.streams, bytes, &mut [0; 1024])
    }

    /// Receives the datagram with this number, unchanged.
    fn receive_number(&mut self, number: usize) -> Arrival {
        self.receive(&self.wire[number].clone())
    }

    fn give_up(&mut self, before: u32) -> Vec<Duration> {
        let mut lost = Vec::new();
        self.expectation.give_up(SECOND * before, |since| lost.push(since));
        lost
    }
}

fn returned(second: u32) -> Returned {
    Returned { since: SECOND * second, is_late: false, is_reordered: false }
}

#[test]
fn datagrams_that_arrive_in_order_have_returned() {
    let mut run = Run::new(3, 64);
    for number in 0..3 {
        assert_eq!(run.receive_number(number as usize), Arrival::Returned(returned(number)));
    }
    assert_eq!((run.expectation.in_flight(), run.expectation.sent()), (0, 3));
    assert!(run.expectation.window.is_empty());
}

/// The example of RFC 4737, section 3.2: of 1 2 3 7 8 9 10 4 5 6 the last three are reordered.
#[test]
fn a_datagram_after_a_higher_number_is_reordered() {
    let mut run = Run::new(10, 64);
    let order = [0, 1, 2, 6, 7, 8, 9, 3, 4, 5];
    let reordered = order.map(|number| match run.receive_number(number) {
        Arrival::Returned(returned) => returned.is_reordered,
        other => panic!("{other:?}"),
    });
    assert_eq!(reordered, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1].map(|one| one == 1));
}

#[test]
fn a_datagram_that_arrives_twice_is_a_duplicate() {
    let mut run = Run::new(3, 64);
    run.receive_number(0);
    run.receive_number(2);
    // Before the window, and in it.
    assert_eq!(
        (run.receive_number(0), run.receive_number(2)),
        (Arrival::Duplicate, Arrival::Duplicate)
    );
    assert_eq!(run.expectation.in_flight(), 1);
    assert_eq!(
        run.receive_number(1),
        Arrival::Returned(Returned { is_reordered: true, ..returned(1) })
    );
}

#[test]
fn a_datagram_that_does_not_return_in_time_is_lost() {
    let mut run = Run::new(5, 64);
    run.receive_number(1);
    assert_eq!(run.give_up(3), [Duration::ZERO, 2 * SECOND]);
    assert_eq!(run.expectation.in_flight(), 2);
    assert!(run.give_up(3).is_empty());
    assert_eq!(run.receive_number(3), Arrival::Returned(returned(3)));
}

#[test]
fn a_lost_datagram_that_arrives_is_late_and_then_a_duplicate() {
    let mut run = Run::new(5, 64);
    run.receive_number(1);
    run.give_up(4);
    let late = Returned { is_late: true, ..returned(2) };
    assert_eq!(run.receive_number(2), Arrival::Returned(late));
    assert_eq!(
        run.receive_number(0),
        Arrival::Returned(Returned { is_reordered: true, is_late: true, ..returned(0) })
    );
    assert_eq!(
        (run.receive_number(2), run.receive_number(1)),
        (Arrival::Duplicate, Arrival::Duplicate)
    );
    assert_eq!(run.expectation.in_flight(), 1);
}

#[test]
fn a_datagram_with_a_wrong_byte_is_corrupt_and_has_not_returned() {
    for size in [16, 20, 64, 100] {
        let mut run = Run::new(3, size);
        for at in 0..size as usize {
            let mut wrong = run.wire[1].clone();
            wrong[at] ^= 0x80;
            let arrival = run.receive(&wrong);
            assert_eq!(
                arrival,
                Arrival::Corrupt(DatagramId { connection: 3, number: 1 }),
                "{at} of {size}"
            );
        }
        assert_eq!(run.expectation.in_flight(), 3);
        assert_eq!(run.receive_number(1), Arrival::Returned(returned(1)));
    }
}

#[test]
fn a_datagram_of_the_wrong_length_is_corrupt() {
    let mut run = Run::new(3, 64);
    let whole = run.wire[1].clone();
    let id = DatagramId { connection: 3, number: 1 };
    for len in 4..64 {
        assert_eq!(run.receive(&whole[..len]), Arrival::Corrupt(id), "{len}");
    }
    assert_eq!(run.receive(&[&whole[..], b"!"].concat()), Arrival::Corrupt(id));
}

#[test]
fn a_datagram_that_this_socket_has_not_sent_is_corrupt() {
    let mut run = Run::new(3, 64);
    let mut other = [0; 64];
    for id in [DatagramId { connection: 4, number: 1 }, DatagramId { connection: 3, number: 3 }] {
        run.streams.write_datagram(id.connection, id.number, &mut other);
        assert_eq!(run.receive(&other), Arrival::Corrupt(id));
    }
}

#[test]
fn a_datagram_of_another_run_is_unrecognized() {
    let mut run = Run::new(3, 64);
    let mut other = [0; 64];
    Streams::new(8, 64..=64).write_datagram(3, 1, &mut other);
    let hello = b"\x1b[2JServer is full\r\n";
    let mut another = [0; 64];
    run.streams.write_datagram(SOCKETS, 1, &mut another);
    for unrecognized in [&b""[..], b"z", hello, &other, &another, &[0; 1024]] {
        assert_eq!(run.receive(unrecognized), Arrival::Unrecognized, "{unrecognized:?}");
    }
    assert_eq!(run.expectation.in_flight(), 3);
}

#[test]
fn forgets_the_oldest_lost_datagrams() {
    let count = u32::try_from(MAX_REMEMBERED).unwrap() + 1;
    let mut run = Run::new(count, 16);
    assert_eq!(run.give_up(u32::MAX).len(), MAX_REMEMBERED + 1);
    assert_eq!(run.receive_number(0), Arrival::Duplicate);
    assert!(matches!(run.receive_number(1), Arrival::Returned(Returned { is_late: true, .. })));
}

proptest! {
    /// Every datagram is counted once, in any order of events.
    #[test]
    fn every_datagram_has_returned_or_is_lost_or_in_flight(
        steps in proptest::collection::vec((0_usize..40, 0_u32..60), 0..200)
    ) {
        let mut run = Run::new(40, 32);
        let (mut arrived, mut lost) = (0, 0);
        for (number, before) in steps {
            match run.receive_number(number) {
                Arrival::Returned(datagram) => {
                    arrived += 1;
                    lost -= usize::from(datagram.is_late);
                }
                Arrival::Duplicate => {}
                other => prop_assert!(false, "{:?}", other),
            }
            // Most steps give up nothing.
            if before < 42 && before % 7 == 0 {
                lost += run.give_up(before).len();
            }
            let in_flight = usize::try_from(run.expectation.in_flight()).unwrap();
            prop_assert_eq!(arrived + lost + in_flight, 40);
        }
    }
}
