//! The locks and threads of what several threads share. `tests/threads` compiles the files that use them once more, over
//! a scheduler that tries interleavings.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::thread;
