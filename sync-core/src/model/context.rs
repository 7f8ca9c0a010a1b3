//! Which entries a side knows: version vectors, and contexts, which have gaps.

use std::collections::BTreeMap;

use super::digest::Digest;
use super::stamp::{ClientId, Dot};

/// What a side knows of one client: its entries 1 to `n`, and the digest of their sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// The highest number known; all below it are known too.
    pub n: u64,
    /// The digest of entries 1 to `n`.
    pub digest: Digest,
}

impl Known {
    /// What is known with the next entry, of this number and hash.
    pub(super) fn then(self, n: u64, hash: Digest) -> Known {
        Known { n, digest: self.digest.then(hash) }
    }
}

/// For every client the highest number known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VersionVector(BTreeMap<ClientId, Known>);

impl VersionVector {
    /// What is known of a client.
    pub fn get(&self, client: &ClientId) -> Known {
        self.0.get(client).copied().unwrap_or_default()
    }

    /// Whether the entry is known.
    pub fn covers(&self, dot: &Dot) -> bool {
        self.0.get(&dot.client).is_some_and(|known| dot.n <= known.n)
    }

    /// Sets what is known of a client.
    pub fn set(&mut self, client: ClientId, known: Known) {
        self.0.insert(client, known);
    }

    /// Takes the next entry of a client. The caller has seen that it is the next one.
    pub fn push(&mut self, dot: &Dot, hash: Digest) {
        match self.0.get_mut(&dot.client) {
            Some(known) => *known = known.then(dot.n, hash),
            None => {
                self.0.insert(dot.client.clone(), Known::default().then(dot.n, hash));
            }
        }
    }

    /// All clients in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&ClientId, Known)> {
        self.0.iter().map(|(client, known)| (client, *known))
    }

    /// How many clients are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(ClientId, Known)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (ClientId, Known)>>(clients: I) -> Self {
        Self(clients.into_iter().collect())
    }
}

/// One number of a client with two contents: a file was copied or put back, and both copies wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two different entries are named {dot}: a copy of client {} issued entries of its own", dot.client)]
pub struct Forked {
    /// The name, or for two sequences of the same length the last of them.
    pub dot: Dot,
}

/// Which entries a snapshot contains: a version vector, and single entries that arrived before the ones below them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Context {
    vector: VersionVector,
    early: BTreeMap<Dot, Digest>,
}

impl Context {
    /// A context that contains what this vector covers.
    pub fn new(vector: VersionVector) -> Self {
        Self { vector, early: BTreeMap::new() }
    }

    /// The part without gaps.
    pub fn vector(&self) -> &VersionVector {
        &self.vector
    }

    /// The entries beyond a gap, with the hash of each.
    pub fn early(&self) -> impl Iterator<Item = (&Dot, Digest)> {
        self.early.iter().map(|(dot, hash)| (dot, *hash))
    }

    /// Whether there are entries beyond a gap.
    pub(super) fn has_gaps(&self) -> bool {
        !self.early.is_empty()
    }

    /// Sets what is known of a client while nothing is beyond a gap.
    pub(super) fn set(&mut self, client: ClientId, known: Known) {
        self.vector.set(client, known);
    }

    /// Whether the entry is contained.
    pub fn knows(&self, dot: &Dot) -> bool {
        self.vector.covers(dot) || self.early.contains_key(dot)
    }

    /// Takes an entry; `false` if it was contained already.
    ///
    /// # Errors
    /// [`Forked`] if another entry of that name is contained and that can be seen.
    pub fn add(&mut self, dot: &Dot, hash: Digest) -> Result<bool, Forked> {
        match self.vector.0.get_mut(&dot.client) {
            Some(known) if dot.n <= known.n => return Ok(false),
            Some(known) if dot.n == known.n + 1 && self.early.is_empty() => {
                *known = known.then(dot.n, hash);
                return Ok(true);
            }
            _ => {}
        }
        if let Some(known) = self.early.get(dot) {
            return if *known == hash { Ok(false) } else { Err(Forked { dot: dot.clone() }) };
        }
        if dot.n == self.vector.get(&dot.client).n + 1 {
            self.vector.push(dot, hash);
            self.settle(&dot.client);
        } else {
            self.early.insert(dot.clone(), hash);
        }
        Ok(true)
    }

    /// The context that contains what either contains.
    ///
    /// # Errors
    /// [`Forked`] if one number is seen to have two contents.
    pub fn join(&self, other: &Context) -> Result<Context, Forked> {
        let mut joined = self.clone();
        for (client, theirs) in other.vector.iter() {
            let ours = joined.vector.get(client);
            if ours.n == theirs.n && ours.digest != theirs.digest {
                return Err(Forked { dot: Dot::new(client.clone(), ours.n) });
            }
            if ours.n < theirs.n {
                joined.vector.set(client.clone(), theirs);
            }
        }
        for (dot, hash) in &other.early {
            joined.add(dot, *hash)?;
        }
        let clients: Vec<ClientId> = joined.vector.0.keys().cloned().collect();
        for client in clients {
            joined.settle(&client);
        }
        Ok(joined)
    }

    /// Moves entries that are no longer beyond a gap into the vector.
    fn settle(&mut self, client: &ClientId) {
        loop {
            let known = self.vector.get(client);
            let first = self.early.range(Dot::new(client.clone(), 0)..=Dot::new(client.clone(), u64::MAX)).next();
            let Some((dot, hash)) = first.map(|(dot, hash)| (dot.clone(), *hash)) else { return };
            if dot.n > known.n + 1 {
                return;
            }
            self.early.remove(&dot);
            if dot.n == known.n + 1 {
                self.vector.push(&dot, hash);
            }
        }
    }
}
