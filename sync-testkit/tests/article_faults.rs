//! Each fault of the article, shown in its own algorithm and then not in ours.
#![allow(clippy::unwrap_used, reason = "a failed test")]

mod article;
mod faults;
mod ours;
