//! The whole path: a device writes, a hub takes it in, another device shows it; all durable, over HTTP.

use std::time::Instant;

use sync_core::{Hub, Id};
use sync_http::HttpTransport;
use sync_redb::RedbStore;

use crate::measure::{self, Result, Row, Table, Who, ms};
use crate::peer::http::Server;
use crate::peer::ours;
use crate::workload::{self, ALONE, Note, What, Workload};

pub(crate) const TOTAL: &str = "ours: from the first write until all is shown";

/// How many actions a transaction has.
const GROUP: usize = 100;

pub(crate) fn run(seed: u64, count: usize) -> Result<Table> {
    let mut table = Table::new("path", format!("{count} actions: device A, hub, device B, durable, over HTTP"), "ms");
    let workload = Workload::new(seed, count, ALONE);
    let dir = tempfile::tempdir()?;
    let server = Server::of_hub(Hub::builder().open(RedbStore::open(dir.path().join("hub"))?)?)?;
    let transport = HttpTransport::new(&format!("http://{}", server.address))?;
    let (a, b) = (ours::on_disk(&dir.path().join("a"))?, ours::on_disk(&dir.path().join("b"))?);
    let begin = Instant::now();
    let mut last = None;
    for actions in workload.actions.chunks(GROUP) {
        let written = a.transaction(|tx| {
            actions.iter().try_for_each(|action| {
                let id = Id::<Note>::new(workload.ids[action.note]);
                match &action.what {
                    What::Create(content) => tx.create(Note::new(*id.key(), content.clone())).map(drop),
                    What::Update(patch) => tx.edit(&id, |note| {
                        let patch = patch.clone();
                        patch.title.into_iter().for_each(|title| note.title = title);
                        patch.body.into_iter().for_each(|body| note.body = body);
                        patch.pinned.into_iter().for_each(|pinned| note.pinned = pinned);
                        patch.tags.into_iter().for_each(|tags| note.tags = tags);
                    }),
                    What::Delete => tx.delete(&id),
                }
            })
        })?;
        // A commit that nobody holds any more becomes durable behind the next transaction.
        last = Some(written);
    }
    if let Some(written) = last {
        written.wait()?;
    }
    let wrote = begin.elapsed();
    ours::sync(&a, &transport)?;
    let uploaded = begin.elapsed();
    ours::sync(&b, &transport)?;
    let downloaded = begin.elapsed();
    let notes = ours::list(&b)?;
    let shown = begin.elapsed();
    measure::same(TOTAL, &workload::by_id(notes), &workload::expected(&workload))?;
    table.push(Row::one(Who::Ours, TOTAL, ms(shown)).noted(format!("{:.0} actions/s", count as f64 * 1e3 / ms(shown))));
    table.push(Row::one(Who::Ours, "of it: written on A, transactions of 100", ms(wrote)));
    table.push(Row::one(Who::Ours, "of it: uploaded", ms(uploaded - wrote)));
    table.push(Row::one(Who::Ours, "of it: downloaded to B", ms(downloaded - uploaded)));
    table.push(Row::one(Who::Ours, "of it: listed on B", ms(shown - downloaded)));
    Ok(table)
}
