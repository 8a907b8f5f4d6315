//! Receipts in any stream.

use proptest::prelude::*;

use super::*;
use crate::{fault::FaultId, frame::encode};

/// Returns the receipt of a server that echoed `bytes`.
fn receipt(bytes: &[u8]) -> Receipt {
    Receipt::new(Total::of(bytes), Total::of(bytes), EndedBy::Client)
}

fn finish(pieces: &[&[u8]], sent: &[u8]) -> Result<(Total, Receipt), NoReceipt> {
    let mut stream = StreamTally::default();
    for piece in pieces {
        stream.update(piece);
    }
    stream.finish(&Total::of(sent))
}

#[test]
fn a_receipt_is_one_object_with_these_members_in_this_order() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let counts = format!(r#"{{"bytes":0,"messages":0,"sha256":"{empty}"}}"#);
    let content = format!(r#"{{"received":{counts},"sent":{counts},"ended_by":"client"}}"#);
    let digest = "60eb7f0eed18b61ba3e3e7057deb0c1c75781a528c24e9d41e66e69114c2f0ae";
    let text = format!(r#"{{"receipt":{content},"sha256":"{digest}"}}"#);
    assert_eq!(receipt(b"").to_string(), text);
}

#[test]
fn the_longest_receipt_is_shorter_than_the_limit() {
    let most = Total { bytes: u64::MAX, messages: u64::MAX, ..Total::of(b"") };
    let faults = FaultId { seed: u64::MAX, connection: u64::MAX };
    let receipt = Receipt::new(most, most, EndedBy::Server).with_faults(Some(faults));
    assert!(receipt.to_string().len() <= MAX_RECEIPT);
}

#[test]
fn a_receipt_of_a_connection_with_faults_names_what_decides_them() {
    let faults = Some(FaultId { seed: 7, connection: 3 });
    let receipt = receipt(b"x").with_faults(faults);
    let text = receipt.to_string();
    assert!(text.contains(r#""ended_by":"client","fault_seed":7,"fault_connection":3}"#), "{text}");
    let parsed = Receipt::parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.faults(), faults);
    let comparison = Comparison::new(&Total::of(b"x"), &Total::of(b"x"), &parsed);
    assert!(comparison.is_intact());
    assert_eq!(
        comparison.to_string(),
        "Receipt: the server received all 1 byte, and all 1 byte that it sent arrived; \
         the server injects faults on purpose (seed 7, connection 3)"
    );
}

#[test]
fn anything_but_a_receipt_is_refused() {
    let valid = receipt(b"x").to_string();
    assert!(Receipt::parse(valid.as_bytes()).is_ok());
    for invalid in [
        String::new(),
        "{}".to_owned(),
        valid.replace("\"receipt\"", "\"Receipt\""),
        valid.replace("\"bytes\":1", "\"bytes\":-1"),
        valid.replace("\"bytes\":1", "\"bytes\":1.0"),
        valid.replace("\"bytes\":1", "\"bytes\":\"1\""),
        valid.replace("\"bytes\":1", "\"bytes\":18446744073709551616"),
        valid.replace("\"bytes\":1", "\"bytes\":1,\"bytes\":1"),
        valid.replace("\"bytes\":1", "\"bytes\":1,\"more\":1"),
        valid.replace("\"messages\":0,", ""),
        valid.replace(",\"ended_by\":\"client\"", ""),
        valid.replace("\"client\"", "\"Client\""),
        valid.replace("\"client\"", "\"proxy\""),
        valid.replace("\"client\"", "null"),
        valid.replace("2d711642", "2D711642"),
        valid.replace("2d711642", "2d71164"),
        valid.replace("2d711642", "+d711642"),
        format!("{valid}{valid}"),
        format!("[{valid}]"),
        valid[..valid.len() - 1].to_owned(),
    ] {
        assert!(Receipt::parse(invalid.as_bytes()).is_err(), "{invalid}");
    }
}

#[test]
fn a_receipt_is_the_last_line_or_the_last_frame() {
    for echo in [&b""[..], b"\n", b"a\nb\n", b"Goodbye!\r\n"] {
        let line = format!("{}\n", receipt(echo));
        assert_eq!(finish(&[echo, line.as_bytes()], echo), Ok((Total::of(echo), receipt(echo))));
    }
    for echo in [&b""[..], b"\0\0\0\x01x", b"\0\0\0\x09cut"] {
        let frame = encode(receipt(echo).to_string().as_bytes()).unwrap();
        assert_eq!(finish(&[echo, &frame], echo), Ok((Total::of(echo), receipt(echo))));
    }
}

#[test]
fn a_stream_without_a_receipt_at_its_end_has_none() {
    let line = format!("{}\n", receipt(b""));
    for (stream, expected) in [
        (String::new(), NoReceipt::Missing),
        ("hello\n".to_owned(), NoReceipt::Missing),
        (format!("x{line}"), NoReceipt::Damaged),
        (line.trim_end().to_owned(), NoReceipt::Damaged),
        (format!("{line}\n"), NoReceipt::Damaged),
        (format!("{line}more"), NoReceipt::Damaged),
    ] {
        assert_eq!(finish(&[stream.as_bytes()], b"other"), Err(expected), "{stream}");
    }
}

#[test]
fn damage_to_the_receipt_itself_is_seen_wherever_it_is() {
    let line = format!("{}\n", receipt(b"hello\n")).into_bytes();
    let frame = encode(receipt(b"hello\n").to_string().as_bytes()).unwrap();
    for whole in [line, frame] {
        for at in 0..whole.len() {
            let [mut changed, mut dropped, mut added] =
                [whole.clone(), whole.clone(), whole.clone()];
            changed[at] ^= 1;
            dropped.remove(at);
            added.insert(at, b'0');
            for damaged in [changed, dropped, added] {
                // A byte before a frame is one more byte of the server.
                match finish(&[b"hello\n", &damaged], b"hello\n") {
                    Ok((before, found)) => {
                        assert_eq!(found, receipt(b"hello\n"));
                        assert_ne!(before, found.sent);
                    }
                    Err(why) => {
                        assert_eq!(why, NoReceipt::Damaged, "{at}: {}", damaged.escape_ascii());
                    }
                }
            }
        }
    }
}

#[test]
fn a_receipt_that_the_client_has_sent_is_an_echo() {
    let sent = format!("hello\n{}\n", receipt(b"hello\n"));
    let sent = sent.as_bytes();
    assert_eq!(finish(&[sent], sent), Err(NoReceipt::Missing));
    let own = format!("{}\n", receipt(sent));
    assert_eq!(finish(&[sent, own.as_bytes()], sent), Ok((Total::of(sent), receipt(sent))));
}

#[test]
fn the_words_name_the_direction_the_counts_and_the_digests() {
    let words = |sent: &[u8], received: &[u8], receipt: Receipt| {
        Comparison::new(&Total::of(sent), &Total::of(received), &receipt).to_string()
    };
    let there = |bytes: &[u8]| Receipt::new(Total::of(bytes), Total::of(b"abc"), EndedBy::Client);
    let back = |bytes: &[u8]| Receipt::new(Total::of(b"abc"), Total::of(bytes), EndedBy::Client);
    assert_eq!(
        words(b"abc", b"abc", there(b"abc")),
        "Receipt: the server received all 3 bytes, and all 3 bytes that it sent arrived"
    );
    assert_eq!(
        words(b"abc", b"abc", there(b"abcd")),
        "Receipt: 1 byte was added on the way to the server: the client sent 3 bytes, and the server received 4; on the way back all 3 bytes arrived"
    );
    assert_eq!(
        words(b"abc", b"a", back(b"abc")),
        "Receipt: 2 bytes were lost on the way back: the server sent 3 bytes, and the client received 1; the server received all 3 bytes"
    );
    assert_eq!(
        words(b"abc", b"abx", back(b"abc")),
        "Receipt: bytes were changed on the way back: the server sent 3 bytes, the client received as many, and their SHA-256 differ; the server received all 3 bytes"
    );
    assert_eq!(
        words(b"abx", b"ab", there(b"abc")),
        "Receipt: bytes were changed on the way to the server: the client sent 3 bytes, the server received as many, and their SHA-256 differ; 1 byte was lost on the way back: the server sent 3 bytes, and the client received 2"
    );
}

/// A drain, an idle timeout or a frame over the limit is no loss on the way.
#[test]
fn bytes_that_the_server_did_not_read_because_it_ended_the_connection_were_not_lost() {
    let compare = |sent: &[u8], read: &[u8]| {
        let receipt = Receipt::new(Total::of(read), Total::of(read), EndedBy::Server);
        Comparison::new(&Total::of(sent), &Total::of(read), &receipt)
    };
    let unread = compare(b"hello", b"he");
    assert_eq!(
        unread.to_string(),
        "Receipt: the server ended the connection and did not read the last 3 bytes: the client sent 5 bytes, and the server received 2; on the way back all 2 bytes arrived"
    );
    assert_eq!((unread.to_server.unread(), unread.to_server.lost()), (3, 0));
    assert!(!unread.is_intact());
    // Bytes that the server has read are compared as at any other end.
    assert!(compare(b"hello", b"hello").is_intact());
    assert_eq!(compare(b"he", b"hex").to_server, Transit::Added { from: 2, to: 3 });
    assert_eq!(compare(b"he", b"hx").to_server, Transit::Changed { bytes: 2 });
}

proptest! {
    #[test]
    fn a_receipt_is_found_behind_any_stream_in_any_pieces(
        echo in prop::collection::vec(any::<u8>(), 0..20_000),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        is_frame: bool,
    ) {
        let mut echo = echo;
        if !is_frame && echo.last().is_some_and(|&last| last != b'\n') {
            echo.push(b'\n');
        }
        let text = receipt(&echo).to_string();
        let receipt_bytes =
            if is_frame { encode(text.as_bytes()).unwrap() } else { format!("{text}\n").into_bytes() };
        let all = [&echo[..], &receipt_bytes].concat();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len())).collect();
        at.extend([0, all.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|ends| &all[ends[0]..ends[1]]).collect();
        prop_assert_eq!(finish(&pieces, &echo), Ok((Total::of(&echo), receipt(&echo))));
    }

    #[test]
    fn a_receipt_survives_its_text(bytes: u64, messages: u64, stream: Vec<u8>) {
        let one = Total { bytes, messages, ..Total::of(&stream) };
        let receipt = Receipt::new(one, Total::of(b""), EndedBy::Client);
        prop_assert_eq!(Receipt::parse(receipt.to_string().as_bytes()).unwrap(), receipt);
    }

    #[test]
    fn only_equal_streams_compare_as_intact(
        sent in prop::collection::vec(any::<u8>(), 0..8), taken in prop::collection::vec(any::<u8>(), 0..8),
        answered in prop::collection::vec(any::<u8>(), 0..8), received in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let receipt = Receipt::new(Total::of(&taken), Total::of(&answered), EndedBy::Client);
        let comparison = Comparison::new(&Total::of(&sent), &Total::of(&received), &receipt);
        prop_assert_eq!(comparison.to_server.is_intact(), sent == taken);
        prop_assert_eq!(comparison.to_client.is_intact(), answered == received);
        let missing = sent.len().saturating_sub(taken.len());
        let extra = taken.len().saturating_sub(sent.len());
        prop_assert_eq!(comparison.to_server.lost(), missing as u64);
        prop_assert_eq!(comparison.to_server.added(), extra as u64);
    }
}
