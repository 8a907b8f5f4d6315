//! Servers for the unit tests of this crate, in the process of the test.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use crate::net::stream::Stream;

/// Time limit that no test reaches unless it fails.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Time limit for tests that reach it.
pub(crate) const SHORT: Duration = Duration::from_millis(20);

/// Returns a stream to a server that runs `serve` and then closes.
pub(crate) fn served_by(serve: impl FnOnce(UnixStream) + Send + 'static) -> Stream<'static> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || serve(theirs));
    Stream::new(ours, LONG)
}

/// Returns a stream to a server that receives `request`, sends `replies` one by one, and closes.
pub(crate) fn answered(request: &'static [u8], replies: Vec<Vec<u8>>) -> Stream<'static> {
    served_by(move |mut stream| {
        let mut received = vec![0; request.len()];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received, request);
        for reply in replies {
            stream.write_all(&reply).unwrap();
        }
    })
}

/// Echoes until the end, in pieces of changing size; does not read while it cannot write.
pub(crate) fn echo(mut stream: UnixStream) {
    let mut buffer = [0; 10_007];
    for max in (1..=buffer.len()).rev().step_by(997).cycle() {
        match stream.read(&mut buffer[..max]) {
            Ok(count) if count > 0 && stream.write_all(&buffer[..count]).is_ok() => {}
            _ => return,
        }
    }
}
