//! The article's system, line by line, to be compared with: its rules, its log, its server, its sync cycle.
//! With all its faults.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod collate;
pub mod device;
pub mod domain;
pub mod server;
pub mod wal;
