use super::*;
use crate::{
    net::poll::Interrupt,
    testing::{SHORT, answered, echo, served_by},
};
use std::{io::Write as _, os::unix::net::UnixStream};

fn failure(link: &Link<'_>, message: &[u8]) -> String {
    exchange(link, message).unwrap_err().to_string()
}

#[test]
fn an_echo_may_come_in_any_pieces() {
    let link = answered(b"hello\n", b"hello\n".iter().map(|&byte| vec![byte]).collect());
    exchange(&link, b"hello\n").unwrap();
}

#[test]
fn a_message_larger_than_all_buffers_comes_back() {
    let message: Vec<u8> = (0..16_000_000_u32).map(|i| (i % 251) as u8).collect();
    let link = served_by(echo);
    exchange(&link, &message).unwrap();
    exchange(&link, b"and the next one too\n").unwrap();
}

#[test]
fn a_wrong_reply_is_described() {
    for (reply, text) in [
        (&b"hexlo\n"[..], r"Wrong echo at byte 3: expected 'llo\n', received 'xlo\n'"),
        (b"hello\nhello\n", r"The server sent something unasked: 'hello\n'"),
        (b"hel", "The server closed the connection with 3 bytes of the echo still to come"),
        (b"", "The server closed the connection with 6 bytes of the echo still to come"),
        (b"hello", "The server closed the connection with 1 byte of the echo still to come"),
    ] {
        assert_eq!(failure(&answered(b"hello\n", vec![reply.to_vec()]), b"hello\n"), text);
    }
}

#[test]
fn a_reply_has_a_time_limit_and_can_be_interrupted() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let link = Link::new(ours, SHORT);
    theirs.write_all(b"hel").unwrap();
    assert_eq!(failure(&link, b"hello\n"), "No reply from the server within 20ms");

    let (interrupted, mut ctrl_c) = UnixStream::pair().unwrap();
    ctrl_c.write_all(b"!").unwrap();
    let interrupt = Interrupt::from(interrupted);
    let link = link.interrupted_by(Some(&interrupt));
    assert!(matches!(exchange(&link, b"hello\n"), Err(Error::Interrupted)));
}

#[test]
fn an_exit_is_answered_by_a_goodbye_or_its_echo() {
    for (reply, said) in [
        ("Goodbye!", ExitReply::Goodbye),
        ("Goodbye!\n", ExitReply::Goodbye),
        ("Goodbye!\r\n", ExitReply::Goodbye),
        ("exGoodbye!\n", ExitReply::Goodbye),
        ("exit\n", ExitReply::Echo),
    ] {
        for at in 0..=reply.len() {
            let pieces = vec![reply[..at].into(), reply[at..].into()];
            let link = answered(b"exit\n", pieces);
            assert_eq!(say_exit(&link, b"exit\n").unwrap(), said, "{reply:?} split at {at}");
        }
    }
}

#[test]
fn any_other_answer_to_an_exit_is_wrong() {
    for (reply, text) in [
        ("Good night!\n", r"The server answered 'exit' with 'Good night!\n'"),
        ("exit\nexit\n", r"The server answered 'exit' with 'exit\nexit\n'"),
        ("Goodbye!\nWait!", r"The server answered 'exit' with 'Goodbye!\nWait!'"),
        ("Good", "The server closed the connection without a goodbye"),
        ("", "The server closed the connection without a goodbye"),
    ] {
        let link = answered(b"exit\n", vec![reply.into()]);
        assert_eq!(say_exit(&link, b"exit\n").unwrap_err().to_string(), text);
    }
}

#[test]
fn a_server_that_never_hangs_up_does_not_hold_the_exit() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"exit\n").unwrap();
    assert_eq!(say_exit(&Link::new(ours, SHORT), b"exit\n").unwrap(), ExitReply::Echo);
}
