//! A connection with Redis, whose every step has a time limit.
//!
//! The pipelines and subscriptions of the crate `redis` read an answer for each command even after one was late, so with a
//! Redis that hangs each step would take many times its limit. Here the first failure ends the connection.

use std::io;

use common::escape::Escaped;
use redis::{Client, Cmd, Msg, RedisError, RedisResult, Value, cmd};

use super::limits;
use crate::config::RedisUrl;

/// A connection.
pub(super) struct Connection(redis::Connection);

impl Connection {
    /// Connects and logs in.
    pub(super) fn open(url: &RedisUrl) -> RedisResult<Self> {
        let client = Client::open(url.connection().clone())?;
        let connection = client.get_connection_with_timeout(limits::REPLY)?;
        connection.set_read_timeout(Some(limits::REPLY))?;
        connection.set_write_timeout(Some(limits::REPLY))?;
        Ok(Self(connection))
    }

    /// Publishes payloads, each to a channel. If it fails, some may have been published.
    pub(super) fn publish<'a>(
        &mut self,
        payloads: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> RedisResult<()> {
        let (mut commands, mut count) = (Vec::new(), 0);
        for (channel, payload) in payloads {
            commands.extend(cmd("PUBLISH").arg(channel).arg(payload).get_packed_command());
            count += 1;
        }
        self.0.send_packed_command(&commands)?;
        (0..count).try_for_each(|_| self.receive_value().map(drop))
    }

    /// Subscribes to the channel of heartbeats and to all channels of a pattern.
    pub(super) fn subscribe(&mut self, channel: &str, pattern: &str) -> RedisResult<()> {
        for command in [cmd("SUBSCRIBE").arg(channel), cmd("PSUBSCRIBE").arg(pattern)] {
            self.0.send_packed_command(&Cmd::get_packed_command(command))?;
            // Only heartbeats of other servers can arrive before the answer to the second command.
            while Msg::from_owned_value(self.receive_value()?).is_some() {}
        }
        self.0.set_read_timeout(Some(limits::SILENCE))
    }

    /// Waits for a published payload.
    pub(super) fn receive(&mut self) -> RedisResult<Msg> {
        loop {
            if let Some(message) = Msg::from_owned_value(self.receive_value()?) {
                return Ok(message);
            }
        }
    }

    fn receive_value(&mut self) -> RedisResult<Value> {
        self.0.recv_response()?.extract_error()
    }
}

/// Returns the reason of a failure, as part of a sentence.
pub(super) fn reason(error: &RedisError) -> String {
    if error.is_timeout() {
        return "it does not answer".to_owned();
    }
    let text = error.to_string();
    if error.is_io_error() {
        return common::reason::reason(&io::Error::other(text));
    }
    Escaped(text.as_bytes()).to_string()
}
