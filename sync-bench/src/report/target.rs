//! What is aimed at: ratios within one run.

use crate::group::{durable, hub, incremental, local, open, path};
use crate::measure::Table;
use crate::peer::case;

/// A row, and one beside which it may be so many times as costly.
pub(crate) struct Target {
    pub(crate) what: &'static str,
    ours: (&'static str, &'static str),
    beside: (&'static str, &'static str),
    /// What is aimed at.
    pub(crate) most: f64,
    /// Beyond which `--quick` fails: what was reached with 10,000 actions, with slack for noise.
    pub(crate) guard: Option<f64>,
}

const fn target(
    what: &'static str,
    ours: (&'static str, &'static str),
    beside: (&'static str, &'static str),
    most: f64,
    guard: Option<f64>,
) -> Target {
    Target { what, ours, beside, most, guard }
}

pub(crate) const TARGETS: &[Target] = &[
    target("cold, binary, beside postcard and a hash map", ("cold", case::OURS), ("cold", case::LIMIT), 1.5, Some(8.0)),
    target("cold, binary, beside loro's one update", ("cold", case::OURS), ("cold", case::LORO), 1.0 / 8.0, None),
    target("cold, binary, beside yrs' one update", ("cold", case::OURS), ("cold", case::YRS), 1.0 / 30.0, None),
    target("cold, binary, beside automerge", ("cold", case::OURS), ("cold", case::AUTOMERGE), 1.0 / 50.0, None),
    target(
        "cold, JSON, beside serde and a hash map",
        ("cold_json", case::JSON_OURS),
        ("cold_json", case::JSON_LIMIT),
        1.2,
        Some(10.0),
    ),
    target("cold, durable, beside raw redb", ("durable", durable::OURS), ("durable", durable::REDB), 1.1, Some(4.0)),
    target(
        "1M cold, durable, beside raw redb",
        ("durable_1m", durable::OURS),
        ("durable_1m", durable::REDB),
        1.1,
        None,
    ),
    target(
        "1M cold, durable, beside sqlite",
        ("durable_1m", durable::OURS),
        ("durable_1m", durable::SQLITE),
        1.0 / 3.0,
        None,
    ),
    target(
        "100 more after 10k, beside append and hash map",
        ("more_10k", incremental::OURS),
        ("more_10k", incremental::LIMIT),
        2.0,
        Some(20.0),
    ),
    target(
        "100 more after 100k, beside append and hash map",
        ("more_100k", incremental::OURS),
        ("more_100k", incremental::LIMIT),
        2.0,
        None,
    ),
    target(
        "100 more after 1M, beside after 10k",
        ("more_1m", incremental::OURS),
        ("more_10k", incremental::OURS),
        1.5,
        None,
    ),
    target("one edit, beside raw redb's log", ("edit", local::OURS), ("edit", local::REDB), 1.1, Some(3.0)),
    target("one edit, beside sqlite", ("edit", local::OURS), ("edit", local::SQLITE), 1.0, Some(4.0)),
    target(
        "1000 edits at once, beside sqlite",
        ("edits", local::TOGETHER),
        ("edits", local::SQLITE),
        2.5 / 16.9,
        Some(5.0),
    ),
    target("8 threads, beside 1 thread", ("threads", local::EIGHT), ("threads", local::ONE), 1.0 / 6.0, Some(0.8)),
    target("open and list, beside raw redb", ("open", open::OURS), ("open", open::REDB), 1.1, Some(9.0)),
    target("POST of 1000, beside raw redb rows", ("post", hub::POST), ("post", hub::POST_REDB), 1.0, Some(7.0)),
    target(
        "GET of 1000, beside the same bytes ready",
        ("get", hub::GET),
        ("get", hub::GET_NOTHING),
        1.0 / 0.8,
        Some(10.0),
    ),
    target(
        "the whole path, beside automerge's apply alone",
        ("path", path::TOTAL),
        ("cold", case::AUTOMERGE),
        1.0,
        None,
    ),
];

/// What was measured of a target, if both its rows were.
pub(crate) fn measured(target: &Target, tables: &[Table]) -> Option<f64> {
    let find = |(key, name): (&str, &str)| {
        let table = tables.iter().find(|table| table.key == key)?;
        Some((table, table.row(name)?))
    };
    let ((table, ours), (_, beside)) = (find(target.ours)?, find(target.beside)?);
    Some(table.ratio(ours, beside))
}

/// The targets in Markdown, each with what was measured.
pub(crate) fn markdown(tables: &[Table]) -> String {
    let mut out = String::from("### Targets\n\n| | at most | measured | |\n|---|--:|--:|---|\n");
    for target in TARGETS {
        let Some(ratio) = measured(target, tables) else { continue };
        let verdict = if ratio <= target.most { "met" } else { "missed" };
        out += &format!("| {} | {:.3} | {:.3} | {verdict} |\n", target.what, target.most, ratio);
    }
    out
}

/// What `--quick` fails on.
pub(crate) fn broken(tables: &[Table]) -> Vec<String> {
    let broken = TARGETS.iter().filter_map(|target| {
        let (ratio, guard) = (measured(target, tables)?, target.guard?);
        (ratio > guard).then(|| format!("{}: {ratio:.2}, at most {guard:.2} is allowed", target.what))
    });
    broken.collect()
}
