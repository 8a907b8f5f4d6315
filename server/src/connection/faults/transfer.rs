//! Reads and writes of a connection through its faults.

use std::{io, time::Instant};

use crate::{
    connection::{
        buffer::SendBuffer,
        connection::Connection,
        layers::{Layers, Stack},
        receive::WireRead,
        stream::Stream,
        turn::TurnContext,
    },
    faults::{FaultyStream, Received},
    telemetry::{Recorder, Subject},
};

impl<S: Stream> Connection<S> {
    /// Reads bytes of the wire once, through the faults if there are any.
    pub(in crate::connection) fn read_stacked(
        &mut self,
        buffer: &mut [u8],
        now: Instant,
    ) -> io::Result<WireRead> {
        if self.layers.wire().is_none() {
            return self.read_wire(buffer);
        }
        // The turn may have begun before the bytes arrived, and a delay counts from their arrival.
        let clock = || now.max(Instant::now());
        let max = self.read_limit(buffer.len());
        let Some(wire) = self.layers.wire_mut() else { return Ok(WireRead::Nothing) };
        Ok(match wire.receive(&mut self.stream, &mut buffer[..max], clock)? {
            Received::Bytes(read) => {
                // Reads go on until the stream and the held bytes are empty.
                self.readiness.readable = true;
                self.count_received(read);
                WireRead::Bytes(read)
            }
            Received::EndOfStream => {
                self.readiness.readable = false;
                WireRead::EndOfStream
            }
            Received::Held => {
                self.readiness.readable = false;
                WireRead::Nothing
            }
            Received::Nothing => {
                self.readiness.readable = false;
                self.drain.use_up();
                WireRead::Nothing
            }
        })
    }

    /// Transmits the encoded bytes of the layer. Returns the number of bytes that the socket has taken, also with an error.
    pub(in crate::connection) fn transmit_layer(
        &mut self,
        now: Instant,
    ) -> (usize, io::Result<()>) {
        let Layers::Stacked(stack) = &mut self.layers else { return (0, Ok(())) };
        let Stack { layer, wire, .. } = &mut **stack;
        let Some(wire) = wire else { return layer.transmit(&mut self.stream) };
        // A stall counts from the send, and not from the start of the turn.
        let now = now.max(Instant::now());
        let (sent, result) =
            layer.transmit(&mut FaultyStream { stream: &mut self.stream, wire, now });
        (sent - wire.take_discarded(), result)
    }

    /// Sends the send buffer, as much as the socket takes. Returns the number of bytes that were taken, and of those that
    /// the socket has taken.
    pub(in crate::connection) fn flush_to_stream(
        &mut self,
        send_buffer: &mut SendBuffer,
        context: &TurnContext<'_>,
    ) -> (usize, usize, io::Result<()>) {
        let telemetry: &Recorder<'_> = context.telemetry;
        let subject = Subject { id: self.id, peer: &self.peer, counters: &self.counters };
        let Some(wire) = self.layers.wire_mut() else {
            let (sent, result) = send_buffer.flush(&mut self.stream, subject, telemetry);
            return (sent, sent, result);
        };
        // A stall counts from the send, and not from the start of the turn.
        let now = context.now.max(Instant::now());
        let mut stream = FaultyStream { stream: &mut self.stream, wire, now };
        let (taken, result) = send_buffer.flush(&mut stream, subject, telemetry);
        (taken, taken - wire.take_discarded(), result)
    }
}
