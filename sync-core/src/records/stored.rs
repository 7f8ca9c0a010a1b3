//! Records as rows of the store's map: the tables that they stand in, and reading them.

use crate::model::codec::Writer;
use crate::model::entry::EntityKey;
use crate::model::record::{Glance, Record};
use crate::model::shared;
use crate::model::stamp::Dots;
use crate::seal;
use crate::store::{Store, StoreError};

/// The first byte of every record's key.
const PREFIX: u8 = b'r';

/// A record as it was scanned, or what is wrong with its row.
pub(crate) type Scanned<T> = (EntityKey, Result<T, StoreError>);

/// A record's row, whose checksum was seen to fit.
pub(crate) struct Stored {
    place: Vec<u8>,
    row: Vec<u8>,
}

impl Stored {
    fn open(place: Vec<u8>, row: Vec<u8>) -> Result<Self, StoreError> {
        seal::open(&place, &row)?;
        Ok(Self { place, row })
    }

    /// How many bytes it has.
    pub(crate) fn bytes(&self) -> usize {
        self.row.len()
    }

    /// The record.
    pub(crate) fn record(&self) -> Result<Record, StoreError> {
        Record::decode(seal::body(&self.row)).map_err(|error| seal::unreadable(&self.place, &error))
    }

    /// What it shows.
    pub(crate) fn glance(&self) -> Result<Glance<'_>, StoreError> {
        Glance::at(seal::body(&self.row)).map_err(|error| seal::unreadable(&self.place, &error))
    }
}

/// The records in the store's map, of one table: a whole snapshot is taken in beside the records that are
/// there, in the next table, and one small commit switches over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Table(pub(crate) u8);

impl Table {
    /// The table after this one.
    pub(crate) fn next(self) -> Table {
        Table(self.0.wrapping_add(1))
    }

    /// The first place of any table, and the first one after all.
    pub(crate) fn all() -> (Vec<u8>, Vec<u8>) {
        (vec![PREFIX], vec![PREFIX + 1])
    }

    /// The table in which a place of the map is.
    pub(crate) fn of(place: &[u8]) -> Option<Table> {
        place.get(1).map(|table| Table(*table))
    }

    /// A record's row in the store's map.
    pub(crate) fn row(self, key: &EntityKey, record: &Record) -> (Vec<u8>, Vec<u8>) {
        let place = self.place(key);
        let mut w = Writer::with_table();
        record.write(&mut w);
        let row = seal::written(&place, w);
        (place, row)
    }

    /// Reads a record.
    pub(crate) fn load(self, store: &dyn Store, key: &EntityKey) -> Result<Option<Record>, StoreError> {
        let place = self.place(key);
        match store.get(&place)? {
            Some(row) => Stored::open(place, row)?.record().map(Some),
            None => Ok(None),
        }
    }

    /// Reads the creates of an entity that live, and nothing else of its record.
    pub(crate) fn load_grounds(self, store: &dyn Store, key: &EntityKey) -> Result<Dots, StoreError> {
        let place = self.place(key);
        let Some(row) = store.get(&place)? else { return Ok(Dots::new()) };
        Record::decode_grounds(seal::open(&place, &row)?).map_err(|error| seal::unreadable(&place, &error))
    }

    /// Reads up to `limit` records after `after` (from the beginning of `entity_type`, or of all types).
    pub(crate) fn scan(
        self,
        store: &dyn Store,
        entity_type: Option<&str>,
        after: Option<&EntityKey>,
        limit: usize,
    ) -> Result<Vec<Scanned<Record>>, StoreError> {
        let rows = self.scan_rows(store, entity_type, after, limit)?;
        Ok(rows.into_iter().map(|(key, row)| (key, row.and_then(|row| row.record()))).collect())
    }

    /// The same, not decoded yet.
    pub(crate) fn scan_rows(
        self,
        store: &dyn Store,
        entity_type: Option<&str>,
        after: Option<&EntityKey>,
        limit: usize,
    ) -> Result<Vec<Scanned<Stored>>, StoreError> {
        let (first, end) = self.bounds(entity_type);
        let from = match after {
            Some(key) => {
                let mut place = self.place(key);
                place.push(0);
                place
            }
            None => first,
        };
        let rows = store.range(&from, &end, limit)?;
        let keyed = rows.into_iter().filter_map(|(place, row)| {
            let key = parse_key(&place)?;
            Some((key, Stored::open(place, row)))
        });
        Ok(keyed.collect())
    }

    /// The first place of a type's records, or of all, and the first one after them.
    pub(crate) fn bounds(self, entity_type: Option<&str>) -> (Vec<u8>, Vec<u8>) {
        let first = entity_type.map_or_else(|| vec![PREFIX, self.0], |name| self.type_prefix(name));
        let mut end = first.clone();
        match end.last_mut() {
            Some(last) if *last < u8::MAX => *last += 1,
            // The last table: what comes next is the next table of the map.
            _ => end = vec![PREFIX + 1],
        }
        (first, end)
    }

    fn type_prefix(self, entity_type: &str) -> Vec<u8> {
        [&[PREFIX, self.0], entity_type.as_bytes(), &[0]].concat()
    }

    pub(super) fn place(self, key: &EntityKey) -> Vec<u8> {
        [&[PREFIX, self.0], key.entity_type.as_bytes(), &[0], key.id.as_bytes()].concat()
    }
}

fn parse_key(place: &[u8]) -> Option<EntityKey> {
    let text = std::str::from_utf8(place.get(2..)?).ok()?;
    let (entity_type, id) = text.split_once('\0')?;
    Some(EntityKey::new(shared::name(entity_type), id))
}
