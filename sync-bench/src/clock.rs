//! What a measurement counts: time on the wall, or time on the processor.

use std::time::Instant;

use crate::measure::{Result, ms};

/// Time that this thread spent on a processor: what else runs on the machine disturbs it little.
/// For work that is done on one thread and waits for nothing.
pub(crate) struct Cpu(u64);

impl Cpu {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self(on_cpu()?))
    }

    pub(crate) fn ms(&self) -> Result<f64> {
        Ok((on_cpu()? - self.0) as f64 / 1e6)
    }
}

fn on_cpu() -> Result<u64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split_whitespace().next().and_then(|field| field.parse().ok());
    nanoseconds.ok_or_else(|| "no processor times: /proc/thread-self/schedstat is read for them".into())
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
