//! The TLS layer of the server.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::tls::check(input));
