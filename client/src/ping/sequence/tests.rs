use super::*;
use std::time::Duration;

struct Run(Sequence, Instant);

impl Run {
    fn new() -> Self {
        Self(Sequence::new(0xbeef, 20), Instant::now())
    }

    fn send(&mut self, seq: u64) {
        self.0.mark_sent(seq, self.1);
    }

    /// Classifies bytes that arrive 1.5 s after every send.
    fn receive(&mut self, bytes: &[u8]) -> Reply {
        self.0.receive(bytes, self.1 + Duration::from_millis(1500))
    }
}

fn unexpected(anomaly: Anomaly, text: &str) -> Reply {
    Reply::Unexpected(Unexpected { anomaly, len: 20, text: text.to_owned() })
}

#[test]
fn a_datagram_starts_with_the_numbers_of_its_run_and_its_own() {
    assert_eq!(Run::new().0.datagram(1), b"0000beef00000001abcd");
    assert_eq!(Run::new().0.datagram(u64::MAX), b"0000beefffffffffabcd");
}

#[test]
fn tells_the_awaited_reply_from_a_duplicate_and_a_late_one() {
    let mut run = Run::new();
    let [one, two, three] = [1, 2, 3].map(|seq| run.0.datagram(seq));
    run.send(1);
    assert_eq!(run.receive(&one), Reply::Awaited);
    assert_eq!(run.receive(&one), unexpected(Anomaly::Duplicate, "seq=1 (duplicate)"));
    run.send(2);
    assert_eq!(run.receive(&one), unexpected(Anomaly::Duplicate, "seq=1 (duplicate)"));
    run.0.give_up();
    run.send(3);
    assert_eq!(run.receive(&two), unexpected(Anomaly::Late, "seq=2 time=1500.000 ms (late)"));
    assert_eq!(run.receive(&two), unexpected(Anomaly::Duplicate, "seq=2 (duplicate)"));
    assert_eq!(run.receive(&three), Reply::Awaited);
}

#[test]
fn finds_a_wrong_byte_anywhere() {
    let mut run = Run::new();
    run.send(1);
    let mut datagram = run.0.datagram(1);
    datagram[19] = b'D';
    let wrong = "Wrong echo at byte 20: expected 'd', received 'D'";
    let Reply::Wrong(found) = run.receive(&datagram) else { panic!("the reply is awaited") };
    assert_eq!(found.to_string(), wrong);
    assert_eq!(run.receive(&datagram), unexpected(Anomaly::Wrong, &format!("seq=1 ({wrong})")));
    let right = run.0.datagram(1);
    assert_eq!(run.receive(&right), unexpected(Anomaly::Late, "seq=1 time=1500.000 ms (late)"));
    // Too short, too long.
    run.send(2);
    assert!(matches!(run.receive(b"0000beef00000002abc"), Reply::Wrong(_)));
    run.send(3);
    assert!(matches!(run.receive(b"0000beef00000003abcde"), Reply::Wrong(_)));
}

#[test]
fn a_datagram_that_this_run_has_not_sent_is_a_stray() {
    let mut run = Run::new();
    run.send(2);
    for bytes in [
        &b""[..],
        b"0000beef0000000",
        b"0000beee00000001abcd",
        b"0000beef00000000abcd",
        b"0000beef00000003abcd",
        "0000bee\u{e9}0000001abcd".as_bytes(),
    ] {
        let Reply::Unexpected(stray) = run.receive(bytes) else { panic!("{bytes:?}") };
        assert_eq!((stray.anomaly, stray.len), (Anomaly::Stray, bytes.len()), "{bytes:?}");
    }
}

#[test]
fn sequence_numbers_may_exceed_32_bits() {
    let mut run = Run::new();
    run.send(1 << 32);
    let before = run.0.datagram((1 << 32) - 1);
    assert_eq!(run.receive(&before), unexpected(Anomaly::Duplicate, "seq=4294967295 (duplicate)"));
    let now = run.0.datagram(1 << 32);
    assert_eq!(run.receive(&now), Reply::Awaited);
}

#[test]
fn remembers_a_limited_number_of_lost_datagrams() {
    let mut run = Run::new();
    for seq in 1..=MAX_REMEMBERED as u64 + 1 {
        run.send(seq);
        run.0.give_up();
    }
    assert_eq!(run.0.lost.len(), MAX_REMEMBERED);
}
