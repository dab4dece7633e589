//! Fuzzes `tests::fuzz::fix`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::fix(data));
