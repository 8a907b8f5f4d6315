//! Values on a command line.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::cli::check(input));
