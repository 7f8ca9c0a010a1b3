//! Every entry that a space's hub ever accepted, and which of them it has now: it may lose some and get them back.

use std::collections::HashMap;
use std::sync::Arc;

use sync_core::{ClientId, Cursor, Digest, Dot, Entry, Known, VersionVector};

/// Every entry that a hub ever accepted.
#[derive(Default)]
pub(super) struct Chronicle {
    /// Each under its client, its number, and the digest of the client's entries up to it: after a loss one name may
    /// get another content, and then there are two of them.
    links: HashMap<(ClientId, u64, Digest), Link>,
    /// What the hub has now.
    pub(super) now: Standing,
}

/// What a hub has at one moment.
#[derive(Clone, Default)]
pub(super) struct Standing {
    /// The log, as far back as it is one sequence of entries.
    pub(super) log: Vec<Logged>,
    /// The number of the last entry before it.
    pub(super) base: u64,
    pub(super) cursor: Cursor,
    /// Which entries it has.
    pub(super) vector: VersionVector,
}

/// An accepted entry.
#[derive(Clone)]
pub(super) struct Logged {
    pub(super) entry: Arc<Entry>,
    /// Which write it is; `None` if it is a foreign or hostile client's.
    pub(super) write: Option<usize>,
}

struct Link {
    logged: Logged,
    before: Digest,
}

impl Chronicle {
    /// The hub accepted an entry.
    pub(super) fn add(&mut self, logged: Logged) {
        let dot = logged.entry.dot().clone();
        let before = self.now.vector.get(&dot.client).digest;
        let digest = before.then(logged.entry.hash());
        self.links.insert((dot.client.clone(), dot.n, digest), Link { logged: logged.clone(), before });
        self.now.vector.set(dot.client, Known { n: dot.n, digest });
        self.now.log.push(logged);
    }

    /// The entries that a vector stands for.
    ///
    /// # Errors
    /// The name of one that no hub ever accepted.
    pub(super) fn contents(&self, vector: &VersionVector) -> Result<Vec<&Logged>, Dot> {
        let mut contents = Vec::new();
        for (client, known) in vector.iter() {
            let mut place = (client.clone(), known.n, known.digest);
            while place.1 > 0 {
                let link = self.links.get(&place).ok_or_else(|| Dot::new(client.clone(), place.1))?;
                contents.push(&link.logged);
                place.1 -= 1;
                place.2 = link.before;
            }
        }
        Ok(contents)
    }

    /// The hub's state was joined with another one: from here on its log begins anew.
    pub(super) fn begin_anew(&mut self, cursor: Cursor, vector: VersionVector) {
        self.now = Standing { log: Vec::new(), base: cursor.seq, cursor, vector };
    }
}

impl Standing {
    /// The entry with this number, if the log reaches back to it.
    pub(super) fn at(&self, seq: u64) -> Option<&Logged> {
        let place = seq.checked_sub(self.base + 1)?;
        self.log.get(usize::try_from(place).ok()?)
    }

    /// The number of the last entry.
    pub(super) fn end(&self) -> u64 {
        self.base + self.log.len() as u64
    }
}
