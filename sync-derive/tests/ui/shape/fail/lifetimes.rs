//! An entity owns what it holds.

use sync_core::{Entity, Id, Syncable};

#[derive(Syncable)]
struct Borrowed<'a, 'b> {
    #[sync(id)]
    id: Id<Borrowed<'a, 'b>>,
    title: &'a str,
    body: std::borrow::Cow<'b, str>,
}

fn id<'a, 'b>(borrowed: &'a Borrowed<'b, 'static>) -> &'a Id<Borrowed<'b, 'static>>
where
    'b: 'static,
{
    borrowed.id()
}

fn main() {}
