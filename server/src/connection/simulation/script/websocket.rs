//! Frames of a client: messages, fragments with control frames between them, closes, and frames that break the rules.

use fastrand::Rng;

use super::script::Script;

/// Texts, from the bytes of which payloads are made: characters of one to four bytes.
const TEXTS: [&str; 4] =
    ["exit now", "\u{e9}\u{df}", "\u{20ac}uro\u{ffff}", "\u{1f980}!\u{10ffff}"];

/// Bytes that are no UTF-8: never a byte, an overlong character, a surrogate, and one beyond the range.
const WRONG: [&[u8]; 5] = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"];

/// Payloads of close frames: valid codes, with and without a reason, then invalid ones.
const CLOSES: [&[u8]; 11] = [
    b"",
    b"\x03\xe8",
    b"\x03\xe8done",
    b"\x0f\xa0\xe2\x82\xac",
    b"\x0b\xb8",
    b"\x03",
    b"\x03\xed",
    b"\x03\xe7",
    b"\x13\x88",
    b"\x03\xe8\xff",
    b"\x07\xd0",
];

/// Appends the frames of a client.
pub(super) fn frames(script: &mut Script, rng: &mut Rng) {
    for _ in 0..rng.usize(0..10) {
        match rng.u8(0..32) {
            0 => exit(script, rng),
            1 => close(script, rng),
            2 => violation(script, rng),
            3..9 => control(script, rng),
            _ => message(script, rng),
        }
    }
}

/// Appends a message in fragments.
fn message(script: &mut Script, rng: &mut Rng) {
    let is_text = rng.bool();
    let payload = payload(is_text, rng);
    let fragments = if rng.bool() { 1 } else { rng.usize(2..5) };
    let mut cuts: Vec<usize> = (1..fragments).map(|_| rng.usize(0..=payload.len())).collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([payload.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    for (index, (start, end)) in starts.zip(ends).enumerate() {
        let opcode = match (index, is_text) {
            (0, true) => 1,
            (0, false) => 2,
            _ => 0,
        };
        let flag = if index + 1 == fragments { 0x80 } else { 0 };
        if index > 0 && rng.u8(0..4) == 0 {
            control(script, rng);
        }
        frame(flag | opcode, &payload[start..end], script, rng);
    }
}

fn payload(is_text: bool, rng: &mut Rng) -> Vec<u8> {
    let len = match rng.u16(0..8000) {
        0 => rng.choice([65_535, 65_536, 70_000]).expect("the list is not empty"),
        1..600 => rng.choice([125, 126, 127, 1023, 1024, 1025]).expect("the list is not empty"),
        600..1400 => 0,
        _ => rng.usize(1..40),
    };
    if !is_text {
        return (0..len).map(|_| rng.u8(..)).collect();
    }
    let mut text = Vec::new();
    while text.len() < len {
        text.extend(rng.choice(TEXTS).expect("the list is not empty").bytes());
    }
    match rng.u8(0..12) {
        // It may end inside of a character.
        0 => text.truncate(len),
        1 => {
            let at = rng.usize(0..=text.len());
            let wrong = rng.choice(WRONG).expect("the list is not empty");
            text.splice(at..at, wrong.iter().copied());
        }
        _ => {}
    }
    text
}

fn exit(script: &mut Script, rng: &mut Rng) {
    let texts = [&b"exit"[..], b" EXit\r\n", b"Exit", b"exit!", b"\texit"];
    let text = rng.choice(texts).expect("the list is not empty");
    frame(0x80 | rng.u8(1..=2), text, script, rng);
}

fn control(script: &mut Script, rng: &mut Rng) {
    let len = match rng.u8(0..4) {
        0 => 0,
        1 => rng.usize(100..=125),
        _ => rng.usize(1..20),
    };
    let payload: Vec<u8> = (0..len).map(|_| rng.u8(..)).collect();
    // More pings than pongs.
    let opcode = if rng.u8(0..3) > 0 { 0x89 } else { 0x8a };
    frame(opcode, &payload, script, rng);
}

fn close(script: &mut Script, rng: &mut Rng) {
    let payload = rng.choice(CLOSES).expect("the list is not empty");
    frame(0x88, payload, script, rng);
}

/// Appends a frame that no client may send, at any time or at this one.
fn violation(script: &mut Script, rng: &mut Rng) {
    let mask = [1, 2, 3, 4];
    let mut raw = |bytes: &[u8]| script.push(&[bytes, &mask, b"rest"].concat());
    match rng.u8(0..12) {
        0 => raw(&[0x83, 0x81]),
        1 => raw(&[0x8f, 0x80]),
        2 => raw(&[0x81, 0x05]),
        3 => raw(&[0x09, 0x80]),
        4 => raw(&[0x89, 0xfe, 0, 126]),
        5 => raw(&[0x82, 0xfe, 0, 125]),
        6 => raw(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
        7 => raw(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        // Reserved bits.
        8 => raw(&[0x80 | rng.u8(1..8) << 4 | rng.u8(0..3), 0x82]),
        9 => raw(&[0x80 | rng.u8(1..8) << 4 | rng.u8(8..11), 0x82]),
        // A continuation of no message, and a message inside of another.
        10 => frame(0x80, b"more", script, rng),
        _ => {
            frame(1, b"one", script, rng);
            frame(0x82, b"two", script, rng);
        }
    }
}

/// Appends a frame with a random mask.
fn frame(first: u8, payload: &[u8], script: &mut Script, rng: &mut Rng) {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len.to_le_bytes()[0]),
        len @ 126..65_536 => {
            bytes.push(0xfe);
            bytes.extend(&len.to_be_bytes()[6..]);
        }
        len => {
            bytes.push(0xff);
            bytes.extend(len.to_be_bytes());
        }
    }
    let mask = [(); 4].map(|()| rng.u8(..));
    bytes.extend(mask);
    let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    bytes.extend(masked);
    // A frame that may be an exit is held until it is complete, of others the header.
    let held = if payload.len() <= 1024 { bytes.len() } else { 14 };
    script.push_unit(&bytes, held);
}
