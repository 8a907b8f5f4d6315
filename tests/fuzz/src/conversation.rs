//! A session and the splitter of its log, side by side as a connection has them.

use std::ops::Range;

use common::{message::Splitter, protocol::Protocol};

use crate::{
    reads::Reads,
    session::{End, Session},
};

/// How far a peer's stream must have been dealt with after a read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Up to here it has gone back.
    pub(crate) echoed: usize,
    /// Up to here it will not be shown to the session again.
    pub(crate) consumed: usize,
    pub(crate) end: Option<End>,
}

impl Progress {
    /// Up to here it has gone back, and the session goes on.
    pub(crate) fn echoed(to: usize) -> Self {
        Self { echoed: to, consumed: to, end: None }
    }
}

/// What a protocol asks for, said of whole streams.
pub(crate) trait Model {
    const PROTOCOL: Protocol;

    /// After `read` of `stream`, where nothing before has ended the session.
    fn progress(stream: &[u8], read: Range<usize>) -> Progress;

    /// The first message of `part` of `stream`, a part that is logged at once: what is shown of it,
    /// and where it ends.
    fn message(stream: &[u8], part: Range<usize>) -> (&[u8], usize);
}

/// Has the conversation of which `input` is one half.
pub(crate) fn check<M: Model>(input: &[u8]) {
    let Reads { stream, ranges } = Reads::from_input(input);
    let mut session = Session::new(M::PROTOCOL);
    let mut splitter = Splitter::new(M::PROTOCOL);
    let mut consumed = 0;
    for read in ranges {
        let shown = consumed..read.end;
        let outcome = session.receive(&stream[shown.clone()]);
        let progress = Progress {
            echoed: shown.start + outcome.echo,
            consumed: shown.start + outcome.consumed,
            end: outcome.end,
        };
        assert_eq!(progress, M::progress(stream, read), "after {shown:?}");
        check_messages::<M>(stream, shown.start..progress.echoed, &mut splitter.clone());
        check_messages::<M>(stream, shown.start..progress.consumed, &mut splitter);
        if progress.end.is_some() {
            return;
        }
        consumed = progress.consumed;
    }
    // What was held goes back when the stream has ended.
    check_messages::<M>(stream, consumed..stream.len(), &mut splitter);
}

fn check_messages<M: Model>(stream: &[u8], mut part: Range<usize>, splitter: &mut Splitter) {
    while !part.is_empty() {
        let message = splitter.next(&stream[part.clone()]).expect("there are bytes left");
        let at = part.start;
        let (text, end) = M::message(stream, part.clone());
        assert_eq!((message.text, at + message.len), (text, end), "of {part:?}");
        part.start = end;
    }
    assert_eq!(splitter.next(&[]), None);
}
