#![no_main]

#[path = "../targets/mod.rs"]
#[allow(dead_code)] // each binary runs its own
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::row(data));
