//! Giving back: a hub that lost data is offered this replica's snapshot.

use super::query::Scan;
use super::session::Session;
use crate::error::Error;
use crate::model::entry::EntityKey;
use crate::model::record::Record;
use crate::transport::{Link, SnapshotPage, Transport, TransportError};

/// How many records are offered in one page, and about how many bytes. Proxies take less than a hub.
const PAGE: usize = 256;
const PAGE_BYTES: usize = 256 << 10;

impl Session {
    /// Offers this replica's records, as its accepted entries make them, for joining. What the hub has beyond them
    /// stays; what it lacks comes back. Pending entries are no part of it: they are pushed as ever. `proofs` say where the
    /// hub's entries end here.
    pub(super) async fn give_back(&self, transport: &dyn Transport, proofs: Vec<Link>) -> Result<(), Error> {
        let transfer = format!("{:032x}", self.inner.random.bits());
        let mut scan = Scan::accepted(self, None);
        let mut total = 0;
        loop {
            self.check()?;
            let (rest, page) = self.offload(move |_| page(scan)).await;
            scan = rest;
            let (records, is_last) = page?;
            total += records.len() as u64;
            let mut page = SnapshotPage { records, transfer: transfer.clone(), ..SnapshotPage::default() };
            if is_last {
                page.intents = self.offload(|session| session.known_intents()).await?;
                page.links = self.offload(|session| session.latest_links()).await?;
                page.links.extend_from_slice(&proofs);
                // What is said to be in the records is of the replica that they are of.
                let state = self.state_if_same()?;
                page.vector = state.vector.iter().map(|(client, known)| (client.clone(), known)).collect();
                page.cursor = state.cursor;
                page.total = Some(total);
            } else {
                page.next = Some(total.to_string());
            }
            match transport.join(&page).await {
                Err(TransportError::Diverged { message } | TransportError::Forked { message }) => {
                    return Err(Error::Diverged { message });
                }
                joined => joined?,
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

type Records = Vec<(EntityKey, Record)>;

/// The next page, and whether it is the last one.
fn page(mut scan: Scan) -> (Scan, Result<(Records, bool), Error>) {
    let mut records = Vec::new();
    let mut bytes = 0;
    while records.len() < PAGE && bytes < PAGE_BYTES {
        match scan.next() {
            Some(Ok((key, record))) if !record.is_empty() => {
                bytes += record.encode().len();
                records.push((key, std::sync::Arc::unwrap_or_clone(record)));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return (scan, Err(error)),
            None => return (scan, Ok((records, true))),
        }
    }
    (scan, Ok((records, false)))
}
