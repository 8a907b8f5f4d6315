//! Servers for the unit tests of this package: well-behaved or not, always in this process.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use crate::net::stream::Link;

/// Longer than any test takes; whoever waits this long has failed.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A time limit for tests in which it is reached.
pub(crate) const SHORT: Duration = Duration::from_millis(20);

/// A link to a server that does what `serve` does, and then hangs up.
pub(crate) fn served_by(serve: impl FnOnce(UnixStream) + Send + 'static) -> Link<'static> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || serve(theirs));
    Link::new(ours, LONG)
}

/// A link to a server that takes `request`, answers `replies` one by one, and hangs up.
pub(crate) fn answered(request: &'static [u8], replies: Vec<Vec<u8>>) -> Link<'static> {
    served_by(move |mut stream| {
        let mut taken = vec![0; request.len()];
        stream.read_exact(&mut taken).unwrap();
        assert_eq!(taken, request);
        for reply in replies {
            stream.write_all(&reply).unwrap();
        }
    })
}

/// Echoes until the end, a few bytes less or more at a time; never reads while it cannot write.
pub(crate) fn echo(mut stream: UnixStream) {
    let mut buffer = [0; 10_007];
    for most in (1..=buffer.len()).rev().step_by(997).cycle() {
        match stream.read(&mut buffer[..most]) {
            Ok(count) if count > 0 && stream.write_all(&buffer[..count]).is_ok() => {}
            _ => return,
        }
    }
}
