//! Taking measurements: samples of time, peaks of memory, and the rows that tables are made of.

use std::time::Duration;

use serde::Serialize;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Whose figure it is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    /// This project.
    Ours,
    /// Another library, or one set up by hand to do the same.
    Peer,
    /// What the machine or a part of the work costs at least.
    Limit,
}

/// One line of a table.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Row {
    pub(crate) who: Who,
    pub(crate) name: String,
    /// In the table's unit, sorted.
    pub(crate) samples: Vec<f64>,
    /// What the process grew by at its peak, in MB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peak_mb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// One question, and everyone's answer.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Table {
    pub(crate) key: &'static str,
    pub(crate) title: String,
    pub(crate) unit: &'static str,
    /// Whether more is better.
    pub(crate) rate: bool,
    pub(crate) rows: Vec<Row>,
}

impl Row {
    pub(crate) fn new(who: Who, name: impl Into<String>, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self { who, name: name.into(), samples, peak_mb: None, note: None }
    }

    pub(crate) fn one(who: Who, name: impl Into<String>, value: f64) -> Self {
        Self::new(who, name, vec![value])
    }

    pub(crate) fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub(crate) fn median(&self) -> f64 {
        self.samples[self.samples.len() / 2]
    }
}

impl Table {
    pub(crate) fn new(key: &'static str, title: impl Into<String>, unit: &'static str) -> Self {
        Self { key, title: title.into(), unit, rate: false, rows: Vec::new() }
    }

    /// A table in which more is better.
    pub(crate) fn of_rates(key: &'static str, title: impl Into<String>, unit: &'static str) -> Self {
        Self { rate: true, ..Self::new(key, title, unit) }
    }

    pub(crate) fn push(&mut self, row: Row) {
        eprintln!("  {:<52} {:>12.3} {}", row.name, row.median(), self.unit);
        self.rows.push(row);
    }

    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// How good a row is beside another: above 1 is worse, for times as for rates.
    pub(crate) fn ratio(&self, row: &Row, beside: &Row) -> f64 {
        if self.rate { beside.median() / row.median() } else { row.median() / beside.median() }
    }

    pub(crate) fn best(&self, who: Who) -> Option<&Row> {
        let rows = self.rows.iter().filter(|row| row.who == who);
        rows.min_by(
            |a, b| if self.rate { b.median().total_cmp(&a.median()) } else { a.median().total_cmp(&b.median()) },
        )
    }
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What this process holds now, in MB.
pub(crate) fn resident_mb() -> Result<f64> {
    status("VmRSS:")
}

/// The most that this process held since [`forget_peak`].
pub(crate) fn peak_mb() -> Result<f64> {
    status("VmHWM:")
}

/// Begins a new peak here (Linux).
pub(crate) fn forget_peak() -> Result<()> {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}

fn status(line: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kb = status
        .lines()
        .find_map(|l| l.strip_prefix(line))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    Ok(kb.ok_or("no memory figures: /proc/self/status is read for them")? / 1024.0)
}

/// Fails unless both are the same notes.
pub(crate) fn same(who: &str, notes: &crate::workload::Notes, expected: &crate::workload::Notes) -> Result<()> {
    if notes == expected {
        return Ok(());
    }
    let differing = expected.iter().filter(|(id, content)| notes.get(*id) != Some(content)).count();
    Err(format!("{who} shows {} notes, {} are expected, {differing} of them differ", notes.len(), expected.len())
        .into())
}

/// Fails unless the same notes live: what concurrent writers make of a field differs from CRDT to CRDT.
pub(crate) fn same_ids(who: &str, notes: &crate::workload::Notes, expected: &crate::workload::Notes) -> Result<()> {
    if notes.keys().eq(expected.keys()) {
        return Ok(());
    }
    Err(format!("{who} shows {} notes, {} are expected", notes.len(), expected.len()).into())
}
