//! What the compiler says, by theme: `ui/*/fail` holds mistakes with the exact messages, `ui/*/pass` what must
//! compile in a crate of its own.
//!
//! Messages contain the compiler's own words, which differ between versions. So they are held on one version,
//! and on every other a test by another name says that they were not compared. They also depend on sync-core's
//! dependencies: the compiler writes `Option` or `std::option::Option`, whichever is unmistakable among all crates.
//! So the types that messages name are the file's own where possible. To take over new messages:
//! `TRYBUILD=overwrite cargo +1.95.0 test -p sync-derive --test ui`.

#[test]
fn accepted() {
    trybuild::TestCases::new().pass("tests/ui/*/pass/*.rs");
}

#[rustversion::stable(1.95.0)]
#[test]
fn mistakes_are_reported_at_their_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/*/fail/*.rs");
}

#[rustversion::not(stable(1.95.0))]
#[test]
fn messages_are_not_compared_because_this_is_not_rust_1_95_0() -> std::io::Result<()> {
    use std::io::Write;
    // Not `eprintln!`, which the test harness would keep to itself.
    let notice = "NOT COMPARED: tests/ui/*/fail hold the messages of Rust 1.95.0, and this is another version";
    writeln!(std::io::stderr(), "{notice}")
}
