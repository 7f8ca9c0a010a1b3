//! The writer's queue: commits that wait are appended together.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::commit::Commit;
use crate::error::Error;
use crate::seal;
use crate::store::{Position, Store, StoreError};
use crate::threads::{Condvar, Mutex, MutexGuard, thread};

/// How often the one who appends makes way for others that are about to queue a commit.
const PATIENCE: usize = 256;

/// How long the flusher waits for who has the store.
#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// The end of a store's journal, with the commits that wait to be appended to it.
///
/// Whoever waits for a commit first appends for all (group commit): no hand-over to another thread where a
/// thread is waiting anyway. A commit that nobody waits for is appended by the thread of
/// [`spawn_flusher`](Journal::spawn_flusher), or by whoever comes next.
pub(crate) struct Journal {
    store: Arc<dyn Store>,
    queue: Mutex<Queue>,
    /// Held by the one who appends; the queue stays free meanwhile.
    appending: Mutex<()>,
    /// Told after every append.
    appended: Condvar,
    /// Tells the flusher that a commit waits for which nobody does.
    demand: Condvar,
}

struct Queue {
    rows: Vec<Vec<u8>>,
    /// Whether somebody appends, who tells all that wait when it is done.
    is_appending: bool,
    /// Where the last row that was ever queued will stand.
    last: Position,
    durable: Position,
    /// Of all rows that were ever queued, as far as they were counted.
    bytes: u64,
    failed: Option<Arc<StoreError>>,
    /// Why the last append was put off: somebody else had the store, and nothing was written.
    busy: Option<Arc<StoreError>>,
    wakers: Vec<Waker>,
    demanded: bool,
    has_flusher: bool,
    closed: bool,
    /// How many threads wait for an append by another.
    waiting: usize,
    /// How many commits were appended together last, or came meanwhile; one, where nobody but one waited for them.
    together: usize,
    /// Counts restarts: a position from before the last one names a row that was forgotten.
    restarts: u64,
}

impl Journal {
    pub(crate) fn new(store: Arc<dyn Store>, last: Position) -> Arc<Self> {
        Self::counting(store, last, 0)
    }

    /// A journal up to whose end so many bytes were appended.
    pub(crate) fn counting(store: Arc<dyn Store>, last: Position, bytes: u64) -> Arc<Self> {
        let queue = Queue {
            bytes,
            rows: Vec::new(),
            is_appending: false,
            last,
            durable: last,
            failed: None,
            busy: None,
            wakers: Vec::new(),
            demanded: false,
            has_flusher: false,
            closed: false,
            waiting: 0,
            together: 0,
            restarts: 0,
        };
        Arc::new(Self {
            store,
            queue: Mutex::new(queue),
            appending: Mutex::new(()),
            appended: Condvar::new(),
            demand: Condvar::new(),
        })
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Queues a commit and returns where it will stand. The caller holds the lock of the state that the commit
    /// changes, so that commits queue in the order in which they took effect.
    pub(crate) fn push(&self, body: &[u8]) -> Result<Position, Error> {
        let mut queue = self.queue();
        if let Some(error) = &queue.failed {
            return Err(Error::Store(error.clone()));
        }
        queue.last += 1;
        let row = seal::seal(&queue.last.to_be_bytes(), body);
        queue.bytes += row.len() as u64;
        queue.rows.push(row);
        Ok(queue.last)
    }

    /// A ticket for a queued commit.
    pub(crate) fn ticket<T>(self: &Arc<Self>, position: Position, value: T) -> Commit<T> {
        Commit::new(self.clone(), position, value)
    }

    /// Where the last commit that was queued stands or will stand.
    pub(crate) fn last(&self) -> Position {
        self.queue().last
    }

    /// The same, with how many bytes were queued until there.
    pub(crate) fn end(&self) -> (Position, u64) {
        let queue = self.queue();
        (queue.last, queue.bytes)
    }

    /// Up to where commits are durable.
    pub(crate) fn durable(&self) -> Position {
        self.queue().durable
    }

    /// How often the journal was [restarted](Journal::restart).
    pub(crate) fn restarts(&self) -> u64 {
        self.queue().restarts
    }

    /// What the last append failed with: nothing is appended any more.
    pub(crate) fn failure(&self) -> Option<Arc<StoreError>> {
        self.queue().failed.clone()
    }

    /// Appends nothing any more: the store failed elsewhere. What it failed with first.
    pub(crate) fn fail(&self, error: StoreError) -> Arc<StoreError> {
        self.queue().failed.get_or_insert_with(|| Arc::new(error)).clone()
    }

    /// Appends whatever waits, as one who writes nothing.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let last = self.queue().last;
        self.wait_as(0, self.restarts(), last)
    }

    /// Blocks until the commit at `position` is durable.
    pub(crate) fn wait(&self, position: Position) -> Result<(), Error> {
        self.wait_in(self.restarts(), position)
    }

    /// Blocks until the commit that was queued after so many restarts at `position` is durable;
    /// [`StoreError::Moved`] if it was forgotten since.
    pub(crate) fn wait_in(&self, restarts: u64, position: Position) -> Result<(), Error> {
        self.wait_as(1, restarts, position)
    }

    /// Does the same as so many writers: one or none.
    fn wait_as(&self, writers: usize, restarts: u64, position: Position) -> Result<(), Error> {
        loop {
            if let Some(done) = self.done(restarts, position) {
                return done;
            }
            match self.appending.try_lock() {
                Ok(_appending) => {
                    let mut appending = Appending::begin(self);
                    self.append(writers);
                    appending.is_done = true;
                }
                Err(_) => {
                    let mut queue = self.queue();
                    if queue.is_appending
                        && queue.durable < position
                        && queue.failed.is_none()
                        && queue.restarts == restarts
                    {
                        queue.waiting += writers;
                        let mut queue = self.appended.wait(queue).unwrap_or_else(PoisonError::into_inner);
                        queue.waiting -= writers;
                    } else {
                        drop(queue);
                        // Just before or behind an append, for a moment.
                        thread::yield_now();
                        continue;
                    }
                }
            }
            // Whoever was put off hears of it, and may wait again: the commit stays queued.
            if self.done(restarts, position).is_none()
                && let Some(error) = self.queue().busy.clone()
            {
                return Err(Error::Store(error));
            }
        }
    }

    fn done(&self, restarts: u64, position: Position) -> Option<Result<(), Error>> {
        let queue = self.queue();
        if queue.restarts != restarts {
            return Some(Err(StoreError::Moved { last: queue.last }.into()));
        }
        if queue.durable >= position {
            return Some(Ok(()));
        }
        queue.failed.as_ref().map(|error| Err(Error::Store(error.clone())))
    }

    /// Appends all that waits; the caller holds `appending`, and is so many writers.
    fn append(&self, writers: usize) {
        self.gather();
        let (rows, expected) = {
            let mut queue = self.queue();
            if queue.failed.is_some() {
                return;
            }
            (std::mem::take(&mut queue.rows), queue.durable)
        };
        if rows.is_empty() {
            return;
        }
        let commits: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        let end = expected + rows.len() as Position;
        let result = self.store.append(expected, &commits);
        let wakers = {
            let mut queue = self.queue();
            // Those that came too late for this one write at the same time, too. It was waited in vain for what is less.
            let together = rows.len() + queue.rows.len();
            let is_alone = writers + queue.waiting + queue.wakers.len() <= 1;
            queue.together = match queue.together {
                _ if is_alone => 1,
                before if rows.len() < before => together,
                before => together.max(before),
            };
            queue.busy = None;
            match result {
                Ok(last) if last == end => queue.durable = last,
                // What was queued would pass for durable, or never be so.
                Ok(last) => {
                    let message = format!("it said that the journal ends at {last} after an append up to {end}");
                    queue.failed = Some(Arc::new(StoreError::Damaged { what: "the store".into(), message }));
                }
                // Nothing was written, and the same may succeed later.
                Err(error @ StoreError::Locked { .. }) => {
                    queue.busy = Some(Arc::new(error));
                    let later = std::mem::replace(&mut queue.rows, rows);
                    queue.rows.extend(later);
                }
                // What failed may be there in part: nobody knows until the store is opened again.
                Err(error) => queue.failed = Some(Arc::new(error)),
            }
            std::mem::take(&mut queue.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Where several write, those that were told of the append before are about to queue their next commits: what
    /// waits for them a moment is appended with theirs, instead of before theirs.
    fn gather(&self) {
        for _ in 0..PATIENCE {
            let queue = self.queue();
            if queue.rows.is_empty() || queue.rows.len() >= queue.together {
                return;
            }
            drop(queue);
            thread::yield_now();
        }
    }

    /// The same without blocking. `was_asked` is whether it was asked for before: who asks for the first time has it tried.
    pub(crate) fn poll(
        &self,
        position: Position,
        was_asked: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        // Only a hub restarts its journal, and it waits by blocking.
        let restarts = self.restarts();
        if let Some(done) = self.done(restarts, position) {
            return Poll::Ready(done);
        }
        let mut queue = self.queue();
        if !queue.has_flusher {
            drop(queue);
            return Poll::Ready(self.wait(position));
        }
        if queue.durable >= position || queue.failed.is_some() {
            drop(queue);
            return self.done(restarts, position).map_or(Poll::Pending, Poll::Ready);
        }
        if std::mem::replace(was_asked, true) {
            if let Some(error) = &queue.busy {
                *was_asked = false;
                return Poll::Ready(Err(Error::Store(error.clone())));
            }
        } else {
            queue.busy = None;
        }
        if queue.wakers.iter().all(|known| !known.will_wake(cx.waker())) {
            queue.wakers.push(cx.waker().clone());
        }
        self.demand_in(&mut queue);
        Poll::Pending
    }

    /// Has the flusher append what waits.
    pub(crate) fn demand(&self) {
        self.demand_in(&mut self.queue());
    }

    fn demand_in(&self, queue: &mut Queue) {
        if queue.has_flusher && !queue.demanded {
            queue.demanded = true;
            self.demand.notify_one();
        }
    }

    /// Goes on after another process appended: what waited is forgotten, its tickets fail, the journal ends at `last`.
    pub(crate) fn restart(&self, last: Position) {
        let _appending = self.appending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut queue = self.queue();
        queue.rows.clear();
        queue.last = last;
        queue.durable = last;
        (queue.failed, queue.busy) = (None, None);
        queue.restarts += 1;
        drop(queue);
        self.appended.notify_all();
    }

    /// Starts the thread that appends commits for which nobody waits. It ends with the last owner of the journal.
    #[cfg(all(feature = "system", not(target_arch = "wasm32")))]
    pub(crate) fn spawn_flusher(self: &Arc<Self>) -> Flusher {
        self.queue().has_flusher = true;
        let journal = self.clone();
        let work = move || {
            loop {
                {
                    let mut queue = journal.queue();
                    while !queue.demanded && !queue.closed {
                        queue = journal.demand.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    }
                    queue.demanded = false;
                    if queue.closed && queue.rows.is_empty() {
                        return;
                    }
                }
                // A failure stays in the queue, where every ticket finds it.
                if journal.flush().is_err() {
                    if journal.queue().closed {
                        return;
                    }
                    // What was only put off is tried again, though nobody may wait for it.
                    if journal.queue().busy.is_some() {
                        thread::sleep(PAUSE);
                        journal.queue().demanded = true;
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("sync-journal".into()).spawn(work);
        if thread.is_err() {
            // Without a thread whoever polls appends: slower for an executor, and just as safe.
            self.queue().has_flusher = false;
        }
        Flusher { journal: self.clone(), thread: thread.ok() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Every change of the queue is made whole before the lock is released.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An append under way. Ended, in whatever way, it tells all that wait: those whose commits came too late for it, too,
/// one of which makes the next.
struct Appending<'a> {
    journal: &'a Journal,
    /// Whether the append returned: if not, it panicked.
    is_done: bool,
}

impl<'a> Appending<'a> {
    fn begin(journal: &'a Journal) -> Self {
        journal.queue().is_appending = true;
        Self { journal, is_done: false }
    }
}

impl Drop for Appending<'_> {
    fn drop(&mut self) {
        let mut queue = self.journal.queue();
        queue.is_appending = false;
        if !self.is_done {
            queue.failed = Some(Arc::new(StoreError::io("the store", "it panicked during an append")));
        }
        let wakers = std::mem::take(&mut queue.wakers);
        drop(queue);
        self.journal.appended.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The thread that appends; dropped, it appends what waits and ends.
#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
pub(crate) struct Flusher {
    journal: Arc<Journal>,
    thread: Option<thread::JoinHandle<()>>,
}

#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
impl Drop for Flusher {
    fn drop(&mut self) {
        self.journal.queue().closed = true;
        self.journal.demand.notify_all();
        if let Some(thread) = self.thread.take() {
            // The last handle may be dropped by the flusher's own thread, through a waker.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
