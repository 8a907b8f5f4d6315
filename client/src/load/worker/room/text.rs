//! Text of a message: who has sent it, its number, and when it was due, with characters that depend on all of these.
//!
//! Every text can be checked from itself: a part that is damaged does not match the rest. The letters and digits need no
//! escape in any form of a room's events, and no text is a command.

use common::split_mix::finalize;

use super::check::MessageId;

/// Length of the shortest text: its fields, and enough characters to detect damage.
pub(crate) const MIN_TEXT: u32 = 48;

const _: () = assert!(MIN_TEXT as usize == FIELDS + 7);

/// Length of the fields: the kind, the run, the sender, the counter and the time, in hexadecimal digits.
const FIELDS: usize = 1 + RUN + SENDER + COUNTER + TIME;

const RUN: usize = 8;
const SENDER: usize = 6;
const COUNTER: usize = 10;
const TIME: usize = 16;

/// Maximum number of senders: the digits hold no more.
pub(crate) const MAX_SENDERS: u32 = 1 << (4 * SENDER);

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is checked, and neither counted nor timed.
    Warmup,
    /// It is counted and timed.
    Measured,
    /// It is the last one of its sender.
    End,
}

const KINDS: [(u8, Kind); 3] = [(b'w', Kind::Warmup), (b'm', Kind::Measured), (b'z', Kind::End)];

/// Fields of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) kind: Kind,
    pub(super) id: MessageId,
    /// Time at which it was sent, or due in an open loop, in nanoseconds of the monotonic clock of this machine.
    pub(super) time_ns: u64,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// It is the text of a message of this run.
    Right(Fields),
    /// It has the fields of a message of this run, and wrong characters.
    Damaged(Fields),
    /// It is not a text of this run, or is damaged so that this cannot be told.
    Unknown,
}

/// Texts of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts {
    run: u32,
    senders: u32,
}

impl Texts {
    /// Returns the texts of a run with this seed and as many senders.
    pub(super) fn new(seed: u64, senders: u32) -> Self {
        let [_, _, _, _, run @ ..] = finalize(seed).to_be_bytes();
        Self { run: u32::from_be_bytes(run), senders }
    }

    /// Appends a text of `len` bytes, at least [`MIN_TEXT`].
    pub(super) fn write(self, fields: &Fields, len: usize, output: &mut Vec<u8>) {
        let start = output.len();
        output.resize(start + len, 0);
        let (head, tail) = output[start..].split_at_mut(FIELDS);
        head[0] = letter(fields.kind);
        let mut rest = &mut head[1..];
        for (value, digits) in [
            (self.run.into(), RUN),
            (fields.id.sender.into(), SENDER),
            (fields.id.counter, COUNTER),
            (fields.time_ns, TIME),
        ] {
            let (field, others) = rest.split_at_mut(digits);
            write_digits(value, field);
            rest = others;
        }
        self.fill(fields, len, |index, word| {
            let end = tail.len().min(index + 8);
            tail[index..end].copy_from_slice(&word[..end - index]);
            true
        });
    }

    /// Parses a text.
    pub(super) fn parse(self, text: &[u8]) -> Parsed {
        if text.len() < MIN_TEXT as usize {
            return Parsed::Unknown;
        }
        let (head, tail) = text.split_at(FIELDS);
        let (kind, rest) = (head[0], &head[1..]);
        let (run, rest) = rest.split_at(RUN);
        let (sender, rest) = rest.split_at(SENDER);
        let (counter, time) = rest.split_at(COUNTER);
        let kind = KINDS.iter().find(|(letter, _)| *letter == kind).map(|(_, kind)| *kind);
        let fields = (|| {
            let sender = u32::try_from(parse_digits(sender)?).ok()?;
            let id = MessageId { sender, counter: parse_digits(counter)? };
            let is_ours = parse_digits(run)? == u64::from(self.run) && sender < self.senders;
            is_ours.then_some(Fields { kind: kind?, id, time_ns: parse_digits(time)? })
        })();
        let Some(fields) = fields else { return Parsed::Unknown };
        let is_right = self.fill(&fields, text.len(), |index, word| {
            let end = tail.len().min(index + 8);
            tail[index..end] == word[..end - index]
        });
        if is_right { Parsed::Right(fields) } else { Parsed::Damaged(fields) }
    }

    /// Calls `use_word` with the characters after the fields, eight at a time, until it returns `false`; returns its last
    /// result.
    fn fill(
        self,
        fields: &Fields,
        len: usize,
        mut use_word: impl FnMut(usize, [u8; 8]) -> bool,
    ) -> bool {
        const NIBBLES: u64 = 0x0f0f_0f0f_0f0f_0f0f;
        const LETTERS: u64 = u64::from_ne_bytes([b'a'; 8]);
        let MessageId { sender, counter } = fields.id;
        let of_run = finalize(u64::from(self.run) << 32 | u64::from(sender));
        let of_message =
            finalize(of_run ^ counter) ^ (len as u64) << 8 ^ u64::from(letter(fields.kind));
        let key = finalize(of_message ^ finalize(fields.time_ns));
        (0..len.saturating_sub(FIELDS)).step_by(8).all(|index| {
            let word = (finalize(key.wrapping_add(index as u64)) & NIBBLES) + LETTERS;
            use_word(index, word.to_le_bytes())
        })
    }
}

fn letter(kind: Kind) -> u8 {
    match kind {
        Kind::Warmup => b'w',
        Kind::Measured => b'm',
        Kind::End => b'z',
    }
}

fn write_digits(mut value: u64, field: &mut [u8]) {
    for digit in field.iter_mut().rev() {
        *digit = b"0123456789abcdef"[usize::from(value.to_le_bytes()[0] & 0xf)];
        value >>= 4;
    }
}

fn parse_digits(field: &[u8]) -> Option<u64> {
    field.iter().try_fold(0, |value: u64, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use common::room::{Input, MAX_TEXT};
    use proptest::prelude::*;

    use super::*;

    fn fields(sender: u32, counter: u64, time_ns: u64, kind: Kind) -> Fields {
        Fields { kind, id: MessageId { sender, counter }, time_ns }
    }

    fn text(texts: Texts, fields: &Fields, len: usize) -> Vec<u8> {
        let mut text = Vec::new();
        texts.write(fields, len, &mut text);
        text
    }

    proptest! {
        #[test]
        fn a_text_names_its_message_and_no_damage_goes_unnoticed(
            seed: u64, sender in 0_u32..1000, counter in 0_u64..1 << 40, time: u64,
            len in MIN_TEXT as usize..300, at: prop::sample::Index, bits in 1_u8..,
        ) {
            let texts = Texts::new(seed, 1000);
            let fields = fields(sender, counter, time, Kind::Measured);
            let mut text = text(texts, &fields, len);
            prop_assert_eq!(text.len(), len);
            prop_assert_eq!(texts.parse(&text), Parsed::Right(fields));
            prop_assert_eq!(Input::parse(&text), Ok(Input::Message(&text)));
            for cut in [len - 1, len - 7, 40, 0] {
                prop_assert!(!matches!(texts.parse(&text[..cut]), Parsed::Right(_)));
            }
            text[at.index(len)] ^= bits;
            prop_assert!(!matches!(texts.parse(&text), Parsed::Right(_)));
        }
    }

    #[test]
    fn texts_of_other_runs_and_senders_are_unknown() {
        let fields = fields(7, 1, 2, Kind::End);
        let theirs = text(Texts::new(1, 8), &fields, 100);
        assert_eq!(Texts::new(1, 8).parse(&theirs), Parsed::Right(fields));
        assert_eq!(Texts::new(2, 8).parse(&theirs), Parsed::Unknown);
        assert_eq!(Texts::new(1, 7).parse(&theirs), Parsed::Unknown);
        assert_eq!(Texts::new(1, 8).parse(b"hello"), Parsed::Unknown);
    }

    #[test]
    fn the_longest_text_is_a_message() {
        let text = text(Texts::new(1, 1), &fields(0, 0, 0, Kind::Warmup), MAX_TEXT);
        assert!(matches!(Input::parse(&text), Ok(Input::Message(_))));
        assert!(text.iter().all(u8::is_ascii_alphanumeric));
    }
}
