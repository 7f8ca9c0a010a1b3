//! Pages of the log as they were sent: a page that was full stays as it is for ever, so it is made once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use sync_core::transport::PullRequest;
use sync_core::{ClientId, Cursor, Hub};

use crate::coding::{WORTHWHILE, compress};
use crate::wire::media::{Coding, Media};

/// Which page. What a replica left out is not part of it: it gets the page if that leaves out nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    /// The hub's own client id, another one at every start: a log may be another one then.
    hub: ClientId,
    seq: u64,
    digest: u128,
    limit: u64,
    media: Media,
    coding: Coding,
}

impl Key {
    fn of(hub: &Hub, request: &PullRequest, media: Media, coding: Coding) -> Self {
        let Cursor { seq, digest, .. } = request.since;
        Self { hub: hub.client().clone(), seq, digest: digest.0, limit: request.limit, media, coding }
    }
}

/// A page but for its last part, which says when it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) head: Bytes,
    pub(crate) media: Media,
    pub(crate) coding: Coding,
    /// How many entries there are.
    pub(crate) entries: u64,
    /// Whose they are, each client with the least number among them.
    pub(crate) clients: Vec<(ClientId, u64)>,
    /// Where it ends, if it was full: then it can be told from others by that.
    pub(crate) full: Option<Cursor>,
}

impl Page {
    /// Compresses the page, once for all who ask for it, where that can be done apart from its last part.
    pub(crate) fn compressed(mut self, coding: Coding) -> Self {
        if coding.joins() && self.head.len() >= WORTHWHILE {
            (self.head, self.coding) = compress(self.head, coding);
        }
        self
    }

    /// Whether the page is the same for one who has this client's entries up to a number.
    fn suits(&self, request: &PullRequest) -> bool {
        let left_out = |(client, least): &(ClientId, u64)| {
            request.have.as_ref().is_some_and(|have| have.client == *client && *least <= have.n)
        };
        !self.clients.iter().any(left_out)
    }

    fn weight(&self) -> usize {
        512 + self.head.len() + self.clients.len() * 96
    }
}

/// The pages that were asked for last, as long as they weigh no more than is allowed.
#[derive(Debug)]
pub(crate) struct Pages {
    kept: Mutex<Kept>,
    most: usize,
}

#[derive(Debug, Default)]
struct Kept {
    pages: HashMap<Key, (u64, Page)>,
    weight: usize,
    /// Counts requests: a page is as old as the last one for it.
    now: u64,
}

impl Pages {
    pub(crate) fn new(most: usize) -> Self {
        Self { kept: Mutex::default(), most }
    }

    /// The page, if it is here and the hub still serves it. Never blocks for long.
    pub(crate) fn find(&self, hub: &Hub, request: &PullRequest, media: Media, coding: Coding) -> Option<Page> {
        let key = Key::of(hub, request, media, coding);
        let page = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.now += 1;
            let now = kept.now;
            let (asked, page) = kept.pages.get_mut(&key)?;
            *asked = now;
            page.clone()
        };
        // The log may have been cut since.
        // What was told of the log beyond the page has to be held against it.
        let is_whole = request.told == Cursor::default() && page.suits(request);
        (is_whole && hub.serves_from(request.since.seq)).then_some(page)
    }

    /// Keeps a page that was full, and from which nothing was left out.
    pub(crate) fn keep(&self, hub: &Hub, request: &PullRequest, coding: Coding, page: &Page) {
        let whole = page.full.is_some_and(|end| end.seq - request.since.seq == page.entries);
        let weight = page.weight();
        if !whole || weight > self.most / 4 {
            return;
        }
        let key = Key::of(hub, request, page.media, coding);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = kept.now;
        if let Some((_, before)) = kept.pages.insert(key, (now, page.clone())) {
            kept.weight -= before.weight();
        }
        kept.weight += weight;
        while kept.weight > self.most {
            let oldest = kept.pages.iter().min_by_key(|(_, (asked, _))| *asked).map(|(key, _)| key.clone());
            match oldest.and_then(|key| kept.pages.remove(&key)) {
                Some((_, page)) => kept.weight -= page.weight(),
                None => return,
            }
        }
    }
}
