//! Fuzzes `tests::fuzz::interpolate`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::interpolate(data));
