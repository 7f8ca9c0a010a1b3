//! A page of a snapshot, in either direction.

use super::{Kind, begin, open};
use crate::model::codec::{self, Reader};
use crate::model::context::Known;
use crate::model::entry::EntityKey;
use crate::model::record::Record;
use crate::transport::{Cursor, Link, SnapshotPage};

/// A page of a snapshot in the compact form.
pub fn snapshot(page: &SnapshotPage) -> Vec<u8> {
    let mut w = begin(Kind::Snapshot);
    w.list(&page.records, |w, (key, record)| {
        w.text(&key.entity_type);
        w.text(&key.id);
        w.raw(&record.encode());
    });
    w.list(&page.vector, |w, (client, known)| {
        w.client(client);
        w.u64(known.n);
        w.digest(known.digest);
    });
    page.cursor.write(&mut w);
    w.list(&page.intents, |w, (intent, dot)| {
        w.u128(*intent);
        w.dot(dot);
    });
    w.list(&page.links, |w, link| {
        w.dot(&link.dot);
        w.digest(link.hash);
        w.digest(link.digest);
    });
    w.option(page.next.as_ref(), |w, next| w.text(next));
    w.option(page.total.as_ref(), |w, total| w.u64(*total));
    w.text(&page.transfer);
    w.finish()
}

/// Reads a page of a snapshot.
///
/// # Errors
/// If it is none, or a record in it is not one that entries make.
pub fn read_snapshot(bytes: &[u8]) -> codec::Result<SnapshotPage> {
    let mut r = open(bytes, Kind::Snapshot)?;
    let record = |r: &mut Reader<'_>| {
        let key = EntityKey::new(r.text()?, r.text()?);
        Ok((key, Record::decode_untrusted(r.raw()?)?))
    };
    let page = SnapshotPage {
        records: r.list(record)?,
        vector: r.list(|r| Ok((r.client()?, Known { n: r.u64()?, digest: r.digest()? })))?,
        cursor: Cursor::read(&mut r)?,
        intents: r.list(|r| Ok((r.u128()?, r.dot()?)))?,
        links: r.list(|r| Ok(Link { dot: r.dot()?, hash: r.digest()?, digest: r.digest()? }))?,
        next: r.option(|r| r.text().map(str::to_owned))?,
        total: r.option(Reader::u64)?,
        transfer: r.text()?.to_owned(),
    };
    r.finish()?;
    Ok(page)
}
