use super::*;
use std::time::Duration;

struct Run(Sequence, Instant);

impl Run {
    fn new() -> Self {
        Self(Sequence::new(0xbeef, 20), Instant::now())
    }

    fn send(&mut self, seq: u64) {
        self.0.send(seq, self.1);
    }

    /// What these bytes are, 1.5 s after all that was sent.
    fn comes(&mut self, bytes: &[u8]) -> Came {
        self.0.receive(bytes, self.1 + Duration::from_millis(1500))
    }
}

fn aside(odd: Odd, text: &str) -> Came {
    Came::Aside(Aside { odd, len: 20, text: text.to_owned() })
}

#[test]
fn a_datagram_names_its_run_and_itself() {
    assert_eq!(Run::new().0.datagram(1), b"0000beef00000001abcd");
    assert_eq!(Run::new().0.datagram(u64::MAX), b"0000beefffffffffabcd");
}

#[test]
fn the_awaited_one_is_told_from_a_duplicate_and_a_late_one() {
    let mut run = Run::new();
    let [one, two, three] = [1, 2, 3].map(|seq| run.0.datagram(seq));
    run.send(1);
    assert_eq!(run.comes(&one), Came::Awaited);
    assert_eq!(run.comes(&one), aside(Odd::Duplicate, "seq=1 (duplicate)"));
    run.send(2);
    assert_eq!(run.comes(&one), aside(Odd::Duplicate, "seq=1 (duplicate)"));
    run.0.give_up();
    run.send(3);
    assert_eq!(run.comes(&two), aside(Odd::Late, "seq=2 time=1500.000 ms (late)"));
    assert_eq!(run.comes(&two), aside(Odd::Duplicate, "seq=2 (duplicate)"));
    assert_eq!(run.comes(&three), Came::Awaited);
}

#[test]
fn a_wrong_byte_is_found_wherever_it_is() {
    let mut run = Run::new();
    run.send(1);
    let mut datagram = run.0.datagram(1);
    datagram[19] = b'D';
    let wrong = "Wrong echo at byte 20: expected 'd', received 'D'";
    let Came::Wrong(found) = run.comes(&datagram) else { panic!("it is waited for") };
    assert_eq!(found.to_string(), wrong);
    assert_eq!(run.comes(&datagram), aside(Odd::Wrong, &format!("seq=1 ({wrong})")));
    let right = run.0.datagram(1);
    assert_eq!(run.comes(&right), aside(Odd::Late, "seq=1 time=1500.000 ms (late)"));
    // Too short, too long.
    run.send(2);
    assert!(matches!(run.comes(b"0000beef00000002abc"), Came::Wrong(_)));
    run.send(3);
    assert!(matches!(run.comes(b"0000beef00000003abcde"), Came::Wrong(_)));
}

#[test]
fn what_this_run_has_not_sent_is_a_stray() {
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
        let Came::Aside(aside) = run.comes(bytes) else { panic!("{bytes:?}") };
        assert_eq!((aside.odd, aside.len), (Odd::Stray, bytes.len()), "{bytes:?}");
    }
}

#[test]
fn numbers_go_on_behind_four_billion() {
    let mut run = Run::new();
    run.send(1 << 32);
    let before = run.0.datagram((1 << 32) - 1);
    assert_eq!(run.comes(&before), aside(Odd::Duplicate, "seq=4294967295 (duplicate)"));
    let now = run.0.datagram(1 << 32);
    assert_eq!(run.comes(&now), Came::Awaited);
}

#[test]
fn what_is_remembered_has_a_limit() {
    let mut run = Run::new();
    for seq in 1..=REMEMBERED as u64 + 1 {
        run.send(seq);
        run.0.give_up();
    }
    assert_eq!(run.0.lost.len(), REMEMBERED);
}
