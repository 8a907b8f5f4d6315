//! A session and the splitter of its log, as a connection uses them.

use std::ops::Range;

use common::{message::Splitter, protocol::Protocol};

use crate::{
    reads::Reads,
    session::{Next, Reason, Reply, Session, Step},
};

/// Expected progress in the stream of a peer after a read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Position up to which the stream is echoed.
    pub(crate) echoed: usize,
    /// Position up to which the session has consumed the stream.
    pub(crate) consumed: usize,
    /// The reason for the end of the session, and its last reply.
    pub(crate) end: Option<(Reason, Vec<u8>)>,
}

impl Progress {
    /// The stream is echoed up to this position, and the session continues.
    pub(crate) fn echoed(to: usize) -> Self {
        Self { echoed: to, consumed: to, end: None }
    }
}

/// Specification of a protocol in terms of whole streams.
pub(crate) trait Model {
    const PROTOCOL: Protocol;

    /// Returns the progress after a read, if no earlier read has ended the session.
    fn progress(stream: &[u8], read: Range<usize>) -> Progress;

    /// Returns the first message in a part of the stream that is logged together: its logged text, and its end.
    fn message(stream: &[u8], part: Range<usize>) -> (&[u8], usize);
}

/// Checks the session of a peer that sends `input`.
pub(crate) fn check<M: Model>(input: &[u8]) {
    let Reads { stream, ranges } = Reads::from_input(input);
    let mut session = Session::new(M::PROTOCOL);
    let mut splitter = Splitter::new(M::PROTOCOL);
    let mut consumed = 0;
    for read in ranges {
        let shown = consumed..read.end;
        let mut input = stream[shown.clone()].to_vec();
        let step = session.receive(&mut input, std::time::Instant::now());
        assert_eq!(input, stream[shown.clone()], "these protocols echo bytes unchanged");
        let progress = Progress {
            echoed: shown.start + step.echo,
            consumed: shown.start + step.consumed,
            end: end(step),
        };
        assert_eq!(progress, M::progress(stream, read), "after {shown:?}");
        check_messages::<M>(stream, shown.start..progress.echoed, &mut splitter.clone());
        check_messages::<M>(stream, shown.start..progress.consumed, &mut splitter);
        if progress.end.is_some() {
            return;
        }
        consumed = progress.consumed;
    }
    // At the end of the stream, the held bytes are echoed.
    check_messages::<M>(stream, consumed..stream.len(), &mut splitter);
}

fn end(step: Step) -> Option<(Reason, Vec<u8>)> {
    let Reply { bytes, next } = step.reply?;
    let Next::Close(reason) = next else { unreachable!("replies end these protocols") };
    Some((reason, bytes.into_owned()))
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
