use super::*;

const CONNECTIONS: u64 = 40;

fn wire(streams: &Streams, connection: u64, lines: usize) -> Vec<Vec<u8>> {
    let cursor = Cursor::new(streams, connection);
    let len = cursor.len_of_lines(streams, lines as u64);
    let mut bytes = vec![0; usize::try_from(len).unwrap()];
    cursor.fill(streams, &mut bytes);
    bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Explains what connection 7 has received.
fn explained(streams: &Streams, received: &[u8]) -> Fault {
    let sent = wire(streams, 7, 100).concat();
    let at = sent.iter().zip(received).position(|(one, other)| one != other).unwrap();
    let mut expected = Cursor::new(streams, 7);
    expected.advance(streams, at as u64);
    let evidence = &received[at..received.len().min(at + evidence_len(64))];
    explain(streams, &expected, CONNECTIONS, evidence)
}

/// Runs a test with long lines that contain blocks, and with lines that are too short.
fn for_sizes(test: impl Fn(Streams)) {
    for seed in 0..40 {
        test(Streams::new(seed, 10..=30));
    }
    test(Streams::new(11, 64..=64));
    test(Streams::new(12, 20..=90));
    test(Streams::new(13, 10..=10));
}

#[test]
fn explains_a_refusal() {
    let streams = Streams::new(1, 64..=64);
    let refusal = b"Server is full: it serves 1 connection at most. Try again later.\r\n";
    let fault = explain(&streams, &Cursor::new(&streams, 7), 8, refusal);
    assert_eq!(
        fault.text,
        "connection 7: the server refused it: 'Server is full: it serves 1 \
         connection at most. Try again later.'"
    );
}

#[test]
fn a_flipped_bit_is_damage() {
    for_sizes(|streams| {
        let mut received = wire(&streams, 7, 40).concat();
        received[133] ^= 4;
        let fault = explained(&streams, &received);
        assert_eq!((fault.kind, fault.connection, fault.offset), (FaultKind::Damaged, 7, 133));
        assert!(fault.text.contains("one byte is damaged (bit 2 of it)"), "{}", fault.text);
    });
}

#[test]
fn a_dropped_byte_and_a_dropped_line_are_skipped() {
    for_sizes(|streams| {
        let mut received = wire(&streams, 7, 60).concat();
        received.remove(101);
        let fault = explained(&streams, &received);
        assert_eq!(fault.kind, FaultKind::Skipped, "{}", fault.text);
        assert!(fault.text.contains(": missing: 1 byte;"), "{}", fault.text);

        let mut lines = wire(&streams, 7, 60);
        let dropped = lines.remove(5).len();
        let fault = explained(&streams, &lines.concat());
        assert_eq!(fault.kind, FaultKind::Skipped, "{}", fault.text);
        assert!(fault.text.contains(&format!(": missing: {dropped} bytes;")), "{}", fault.text);
    });
}

#[test]
fn a_line_that_arrives_twice_is_repeated() {
    for_sizes(|streams| {
        let mut lines = wire(&streams, 7, 60);
        lines.insert(5, lines[4].clone());
        let fault = explained(&streams, &lines.concat());
        assert_eq!(fault.kind, FaultKind::Repeated, "{}", fault.text);
    });
}

#[test]
fn swapped_lines_are_reordered() {
    for_sizes(|streams| {
        let mut lines = wire(&streams, 7, 60);
        lines.swap(5, 6);
        let fault = explained(&streams, &lines.concat());
        assert_eq!(fault.kind, FaultKind::Reordered, "{}", fault.text);
    });
}

#[test]
fn a_line_of_another_connection_is_foreign_and_named() {
    for_sizes(|streams| {
        let mut lines = wire(&streams, 7, 60);
        lines[5] = wire(&streams, 21, 60)[5].clone();
        let fault = explained(&streams, &lines.concat());
        assert_eq!(fault.kind, FaultKind::Foreign, "{}", fault.text);
        assert!(fault.text.contains("bytes of connection 21"), "{}", fault.text);
    });
}

#[test]
fn inserted_bytes_are_damage() {
    for_sizes(|streams| {
        let mut received = wire(&streams, 7, 60).concat();
        received.splice(133..133, *b"GARBAGE GARBAGE");
        let fault = explained(&streams, &received);
        assert_eq!(fault.kind, FaultKind::Damaged, "{}", fault.text);
    });
}

#[test]
fn bytes_that_were_never_sent_are_damage_and_shown_escaped() {
    for_sizes(|streams| {
        let mut received = wire(&streams, 7, 3).concat();
        received.extend(b"\x1b[2JServer is full\r\n");
        let fault = explained(&streams, &received);
        assert_eq!(fault.kind, FaultKind::Damaged);
        assert!(fault.text.contains(r"received '\x1b[2JServer is full\r\n'"), "{}", fault.text);
    });
}
