//! Who the hub is, and what it knows of a replica.

use super::facts::Questions;
use super::inner::{Inner, PATIENCE, crowded, failed};
use super::pull::Extent;
use super::read::Reading;
use crate::model::context::Known;
use crate::model::digest::Digest;
use crate::model::stamp::{ClientId, Dot};
use crate::transport::{ClientStanding, Cursor, Epoch, EpochStart, Hello, HelloRequest, TransportError};

/// The protocol versions that the hub speaks.
const PROTOCOLS: [u32; 1] = [1];

impl Inner {
    pub(super) fn hello(&self, principal: &str, request: &HelloRequest) -> Result<Hello, TransportError> {
        let (extent, tail, on_chain) = self.place_of(request.cursor)?;
        Ok(Hello {
            hub: self.name.clone(),
            space: self.space.clone(),
            principal: principal.to_owned(),
            server_time: self.now(),
            head: extent.head,
            tail,
            on_chain,
            limits: self.settings.limits,
            protocols: PROTOCOLS.to_vec(),
            clients: self.standings(&request.clients)?,
            may_join: self.settings.allow_join,
            epochs: self.epochs_since(request.epoch, extent.head),
        })
    }

    /// Of what may still be lost nobody is told.
    fn epochs_since(&self, known: Epoch, head: Cursor) -> Vec<EpochStart> {
        let state = self.state();
        state.epochs.since(known).iter().take_while(|begun| begun.after < head.seq).copied().collect()
    }

    /// The log as it is, from where on it can be served, and whether a replica's cursor is on it.
    fn place_of(&self, cursor: Cursor) -> Result<(Extent, u64, bool), TransportError> {
        for _ in 0..PATIENCE {
            let extent = self.extent()?;
            let tail = self.tail(&extent).map_err(failed)?;
            let on_chain = self.is_on_chain(&extent, cursor)?;
            // What another hub cut off meanwhile was looked for in vain: that says nothing of the replica.
            if self.store().heads().map_err(failed)?.first == extent.first {
                return Ok((extent, tail, on_chain));
            }
        }
        Err(crowded())
    }

    fn is_on_chain(&self, extent: &Extent, cursor: Cursor) -> Result<bool, TransportError> {
        if cursor.seq.saturating_add(1) < self.kept(extent).map_err(failed)? {
            return Ok(!self.state().lost(cursor));
        }
        let here = self.cursor_at(extent, cursor.seq).map_err(failed)?;
        Ok(here.is_some_and(|here| here.digest == cursor.digest))
    }

    fn standings(&self, clients: &[(ClientId, Known)]) -> Result<Vec<ClientStanding>, TransportError> {
        // Whose number is the hub's own needs no looking up.
        let dots = || {
            let state = self.state();
            let behind = clients.iter().filter(|(client, theirs)| theirs.n < state.known(client).n);
            behind.map(|(client, theirs)| Dot::new(client.clone(), theirs.n)).collect()
        };
        let ask = || Questions { dots: dots(), ..Questions::default() };
        self.read(ask, |state, facts| {
            let standing = |(client, theirs): &(ClientId, Known)| {
                let known = state.known(client);
                let dot = Dot::new(client.clone(), theirs.n);
                let there = || state.place(&dot).or_else(|| facts.place(&dot).cloned());
                let digest_there = match theirs.n {
                    0 => Some(Digest::EMPTY),
                    n if n == known.n => Some(known.digest),
                    n if n < known.n => there().map(|place| place.running),
                    _ => None,
                };
                ClientStanding { client: client.clone(), known, digest_there }
            };
            Some(Reading::Done(clients.iter().map(standing).collect()))
        })
        .map_err(failed)
    }
}
