//! What a measurement counts: time on the wall, or time on the processor.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::measure::{Result, ms};

/// Time that this thread spent on a processor: what else runs on the machine disturbs it little.
/// For work that is done on one thread and waits for nothing.
pub(crate) struct Cpu(f64);

impl Cpu {
    pub(crate) fn start() -> Self {
        Self(on_cpu())
    }

    pub(crate) fn ms(&self) -> f64 {
        on_cpu() - self.0
    }
}

fn on_cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Wall time of each call.
pub(crate) fn each<T>(items: impl IntoIterator<Item = T>, mut run: impl FnMut(T) -> Result<()>) -> Result<Vec<f64>> {
    let samples = items.into_iter().map(|item| {
        let begin = Instant::now();
        run(item)?;
        Ok(ms(begin.elapsed()))
    });
    samples.collect()
}
