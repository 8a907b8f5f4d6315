//! Frames of a WebSocket.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::protocols::check_websocket(input));
