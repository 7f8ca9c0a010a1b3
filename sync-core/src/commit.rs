//! The ticket of a write: it says when the write is durable.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::journal::Journal;
use crate::store::Position;

/// A write that is visible already; resolves when it is durable.
///
/// [`wait`](Commit::wait) for it in ordinary code, `.await` it in async code. Dropped, the write goes on
/// becoming durable without anyone hearing of it.
#[must_use = "a write is safe only once its commit resolves: `.wait()?` or `.await?` it"]
pub struct Commit<T> {
    value: Option<T>,
    /// `None` once it resolved.
    journal: Option<Arc<Journal>>,
    position: Position,
    /// Whether it was asked for already.
    was_asked: bool,
}

impl<T> Commit<T> {
    pub(crate) fn new(journal: Arc<Journal>, position: Position, value: T) -> Self {
        Self { value: Some(value), journal: Some(journal), position, was_asked: false }
    }

    /// Blocks until the write is durable.
    ///
    /// # Errors
    /// If storage failed. The replica then refuses further writes until it is opened again. Not so after
    /// [`StoreError::Locked`](crate::StoreError::Locked): the write stays queued, and becomes durable when the store is free again; whoever wants to
    /// know waits for the next write, of which nothing may be left to write.
    pub fn wait(mut self) -> Result<T, Error> {
        if let Some(journal) = self.journal.take() {
            // What was only put off is written later, as if nobody waited for it.
            journal.wait(self.position).inspect_err(|_| journal.demand())?;
        }
        Ok(self.take())
    }

    /// The same commit with another value.
    pub fn map<U>(mut self, f: impl FnOnce(T) -> U) -> Commit<U> {
        let (journal, position, was_asked) = (self.journal.take(), self.position, self.was_asked);
        Commit { value: self.value.take().map(f), journal, position, was_asked }
    }

    fn take(&mut self) -> T {
        self.value.take().expect("a commit is not polled again after it resolved")
    }
}

impl<T: Unpin> Future for Commit<T> {
    type Output = Result<T, Error>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        let this = &mut *self;
        if let Some(journal) = &this.journal {
            match journal.poll(this.position, &mut this.was_asked, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(done) => {
                    this.journal = None;
                    if let Err(error) = done {
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
        Poll::Ready(Ok(this.take()))
    }
}

impl<T> Drop for Commit<T> {
    fn drop(&mut self) {
        if let Some(journal) = &self.journal {
            journal.demand();
        }
    }
}

impl<T> std::fmt::Debug for Commit<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commit").field("position", &self.position).finish_non_exhaustive()
    }
}
