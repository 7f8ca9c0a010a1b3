//! Proving that what this replica and a hub have of a client begins as one sequence.

use std::collections::BTreeMap;

use super::Replica;
use super::builder::read_row;
use super::row::Row;
use super::session::Session;
use super::state::State;
use crate::error::Error;
use crate::hashed::HashMap;
use crate::model::context::{Known, VersionVector};
use crate::model::stamp::{ClientId, Dot, Dots};
use crate::transport::{Cursor, HelloRequest, Link, Transport};

/// How many clients are asked for at a time.
const AT_ONCE: usize = 32;

/// About how many links go along with a snapshot that is given back.
const MOST_LINKS: usize = 4_096;

/// How the entries of each client here stand to those at a hub.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// The clients of which both hold different entries under one number, or may, for all that can be proven: the one
    /// that has more of them no longer knows how they went where the other ends. With each how many of its entries are
    /// proven to be the same.
    pub(super) distrusted: BTreeMap<ClientId, u64>,
    /// Where the hub's entries of the others end here: they are the same up to there.
    pub(super) proofs: Vec<Link>,
}

impl Compared {
    /// The proofs, if there is nobody whose entries are not proven to be the same on both sides.
    pub(super) fn trusted(self) -> Result<Vec<Link>, Error> {
        match self.distrusted.keys().next() {
            None => Ok(self.proofs),
            Some(client) => Err(Error::Diverged {
                message: format!(
                    "what it has of client {client} cannot be proven to be how this replica's entries of it begin"
                ),
            }),
        }
    }
}

impl Session {
    /// Compares with what the hub has now, or with the snapshot that it gave at this cursor and that contains these.
    /// What a hub says that is not the one of the snapshot any more, as it was emptied or put back, proves nothing.
    pub(super) async fn compare(
        &self,
        transport: &dyn Transport,
        snapshot: Option<(&VersionVector, Cursor)>,
    ) -> Result<Compared, Error> {
        let (clients, cursor) = {
            let state = self.state();
            let known: Vec<(ClientId, Known)> =
                state.vector.iter().map(|(client, known)| (client.clone(), known)).collect();
            (known, snapshot.map_or(state.cursor, |(_, cursor)| cursor))
        };
        let Compared { mut distrusted, mut proofs } = Compared::default();
        let mut open = Vec::new();
        for clients in clients.chunks(AT_ONCE) {
            let request = HelloRequest { clients: clients.to_vec(), cursor, ..HelloRequest::default() };
            let hello = transport.hello(&request).await?;
            let is_meant = snapshot.is_none() || hello.on_chain;
            for ((client, ours), theirs) in request.clients.iter().zip(&hello.clients) {
                let there = snapshot.map_or(theirs.known, |(snapshot, _)| snapshot.get(client));
                if there.n >= ours.n {
                    let digest = theirs.digest_there.filter(|_| is_meant);
                    let digest = if there.n == ours.n { Some(there.digest) } else { digest };
                    if ours.n > 0 && digest != Some(ours.digest) {
                        distrusted.insert(client.clone(), ours.n);
                    }
                } else if there.n > 0 {
                    open.push((Dot::new(client.clone(), there.n), there.digest));
                }
            }
        }
        if !open.is_empty() {
            let dots: Dots = open.iter().map(|(dot, _)| dot.clone()).collect();
            let ours = self.offload(move |session| session.links_at(&dots)).await?;
            for (dot, theirs) in open {
                match ours.get(&dot).filter(|link| link.digest == theirs) {
                    Some(link) => proofs.push(link.clone()),
                    None => drop(distrusted.insert(dot.client, dot.n)),
                }
            }
        }
        for (client, most) in &mut distrusted {
            *most = self.common(transport, client, *most, cursor, snapshot.is_some()).await?;
        }
        Ok(Compared { distrusted, proofs })
    }

    /// How many of a client's first entries, `most` at the most, are proven to be the same here and there.
    /// If it `must` be so, only a hub that has this cursor proves it.
    async fn common(
        &self,
        transport: &dyn Transport,
        client: &ClientId,
        most: u64,
        cursor: Cursor,
        must: bool,
    ) -> Result<u64, Error> {
        let dots: Dots = (1..=most).map(|n| Dot::new(client.clone(), n)).collect();
        let ours = self.offload(move |session| session.links_at(&dots)).await?;
        let (mut same, mut differs) = (0, most + 1);
        while same + 1 < differs {
            let middle = same + (differs - same) / 2;
            let digest = ours.get(&Dot::new(client.clone(), middle)).map(|link| link.digest);
            let known = Known { n: middle, digest: digest.unwrap_or_default() };
            let hello = transport
                .hello(&HelloRequest { clients: vec![(client.clone(), known)], cursor, ..HelloRequest::default() })
                .await?;
            let there = hello.clients.first().and_then(|standing| standing.digest_there);
            let there = there.filter(|_| hello.on_chain || !must);
            if digest.is_some() && there == digest {
                same = middle;
            } else {
                differs = middle;
            }
        }
        Ok(same)
    }
}

impl Replica {
    /// The last entries of every client in their sequences, as far as the journal reaches back.
    pub(super) fn latest_links(&self) -> Result<Vec<Link>, Error> {
        let dots: Dots = {
            let state = self.state();
            let each = (MOST_LINKS / state.vector.len().max(1)).max(1) as u64;
            let latest = |(client, known): (&ClientId, Known)| {
                let client = client.clone();
                (known.n.saturating_sub(each) + 1..=known.n).map(move |n| Dot::new(client.clone(), n))
            };
            state.vector.iter().flat_map(latest).collect()
        };
        let links = self.links_at(&dots)?;
        Ok(dots.iter().filter_map(|dot| links.get(dot).cloned()).collect())
    }

    /// These entries in their clients' sequences, as far as the journal reaches back.
    fn links_at(&self, dots: &[Dot]) -> Result<HashMap<Dot, Link>, Error> {
        self.flush()?;
        let store = self.inner.journal.store();
        let mut state = State::new(self.state().client.clone());
        state.asked = dots.iter().map(|dot| (dot.clone(), None)).collect();
        let mut next = 1;
        loop {
            let rows = store.journal(next, 256)?;
            if rows.is_empty() {
                break;
            }
            for (position, bytes) in rows {
                // A checkpoint may drop rows meanwhile: what comes after a gap proves nothing.
                if position != next {
                    return Ok(HashMap::default());
                }
                next += 1;
                match read_row(position, &bytes)? {
                    Row::Client(client) if position == 1 => state.client = client,
                    row => state.apply(&row),
                }
                state.records.clear();
                state.changed.clear();
                state.intents.take();
            }
        }
        Ok(state.asked.into_iter().filter_map(|(dot, link)| Some((dot, link?))).collect())
    }
}
