use super::*;

#[test]
fn a_refused_connection_is_the_originals_two_lines() {
    let error =
        Error::Connect { target: "127.0.0.1:65432".to_owned(), reason: Unreachable::Refused };
    assert_eq!(
        error.to_string(),
        "Could not connect to server at 127.0.0.1:65432\nMake sure the server is running."
    );
}

#[test]
fn system_errors_are_words_without_numbers() {
    let error = Error::Lost(io::Error::from_raw_os_error(104));
    assert_eq!(
        error.to_string(),
        "The connection to the server was lost: connection reset by peer"
    );
}

#[test]
fn a_full_server_is_told_from_a_wrong_one() {
    let full = Error::wrong(0, b"hello\n", b"Server is full: try later\r\n").to_string();
    let text = "The server has no room for another connection: 'Server is full: try later'";
    assert_eq!(full, text);
    assert!(matches!(Error::wrong(1, b"hello\n", b"Server is full"), Error::WrongEcho(_)));
    assert!(matches!(Error::wrong(1, b"", b"Server is full"), Error::Unasked(_)));
}

#[test]
fn a_hostile_echo_is_escaped_and_cut() {
    let wrong = WrongEcho::new(0, b"hi\n", &[0x1b; 1000]).to_string();
    assert!(wrong.starts_with(r"Wrong echo at byte 1: expected 'hi\n', received '\x1b\x1b"));
    assert!(wrong.len() < 250, "{wrong}");
}
