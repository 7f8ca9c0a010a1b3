//! Giving back: a hub that lost data is offered this replica's snapshot.

use super::query::Scan;
use super::session::Session;
use crate::error::Error;
use crate::transport::{Link, SnapshotPage, Transport, TransportError};

/// How many records are offered in one page.
const PAGE: usize = 256;

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
            let (rest, records) = self.offload(move |_| page(scan)).await;
            scan = rest;
            let records = records?;
            total += records.len() as u64;
            let is_last = records.len() < PAGE;
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

type Records = Vec<(crate::model::entry::EntityKey, crate::model::record::Record)>;

fn page(mut scan: Scan) -> (Scan, Result<Records, Error>) {
    let mut records = Vec::new();
    while records.len() < PAGE {
        match scan.next() {
            Some(Ok((key, record))) if !record.is_empty() => {
                records.push((key, std::sync::Arc::unwrap_or_clone(record)))
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return (scan, Err(error)),
            None => break,
        }
    }
    (scan, Ok(records))
}
