//! `Entity::Key` is what the id field's type says.

use sync_core::{Entity, Id, Key, Syncable, Uuid};

/// A key of one's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Isbn(u64);

impl Key for Isbn {
    fn to_text(&self) -> String {
        self.0.to_string()
    }
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map(Isbn).map_err(|_| "not a number".to_owned())
    }
}

type BookId = Id<Book, Isbn>;

#[derive(Syncable)]
struct Book {
    #[sync(id)]
    isbn: BookId,
    /// Another entity's id is a value like any other, and so is another one's of the same type.
    author: Id<Author, u32>,
    sequel: Option<BookId>,
}

#[derive(Syncable)]
struct Author {
    id: String,
    #[sync(id)]
    number: sync_core::Id<crate::ids::Author, u32>,
}

#[derive(Syncable)]
struct Plain {
    #[sync(id)]
    id: Id<Self>,
}

fn key_of<E: Entity<Key = K>, K>(_: &E) -> &'static str {
    std::any::type_name::<K>()
}

#[test]
fn the_key_is_read_off_the_id_field() {
    let plain = Plain { id: Id::new(Uuid::nil()) };
    let author = Author { id: "x".into(), number: Id::new(4) };
    let book = Book { isbn: Id::new(Isbn(9)), author: author.number, sequel: None };
    assert_eq!(key_of(&plain), std::any::type_name::<Uuid>());
    assert_eq!(key_of(&author), "u32");
    assert_eq!(key_of(&book), std::any::type_name::<Isbn>());
    assert_eq!((plain.id(), author.id(), book.id()), (&plain.id, &author.number, &book.isbn));
}

#[test]
fn ids_of_others_are_stored_as_text() {
    let book = Book { isbn: Id::new(Isbn(9)), author: Id::new(4), sequel: Some(Id::new(Isbn(10))) };
    let stored = crate::stored(&book);
    assert_eq!(stored, [("author".into(), "\"4\"".into()), ("sequel".into(), "\"10\"".into())]);
    let back = Book::from_fields(book.isbn.clone(), &book.to_fields().unwrap()).unwrap();
    assert_eq!((back.isbn, back.author, back.sequel), (book.isbn, book.author, book.sequel));
}

#[test]
fn a_field_may_be_called_id_without_being_it() {
    let author = Author { id: "x".into(), number: Id::new(4) };
    assert_eq!(crate::stored(&author), [("id".into(), "\"x\"".into())]);
}

#[test]
fn an_id_is_read_as_it_is_written_alone() {
    for text in ["+5", "05", " 5", "5.0", ""] {
        assert!(text.parse::<Id<Author, u32>>().is_err(), "{text:?}");
        // One of a user's own reads as much as it wants.
        assert!(text.parse::<BookId>().is_err(), "{text:?}");
    }
    let plain = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    assert_eq!(plain.parse::<Id<Plain>>().unwrap().to_string(), plain);
    for text in [plain.to_uppercase(), plain.replace('-', ""), format!("{{{plain}}}"), format!("urn:uuid:{plain}")] {
        let error = text.parse::<Id<Plain>>().unwrap_err().to_string();
        assert_eq!(error, format!("the id {text:?} does not fit its type: it is written {plain:?}"));
    }
}
