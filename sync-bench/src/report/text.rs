//! Tables as text, in Markdown.

use crate::measure::{Row, Table, Who};

/// All tables, and what was aimed at.
pub(crate) fn markdown(tables: &[Table]) -> String {
    let tables_text: Vec<String> = tables.iter().map(one).collect();
    format!("{}\n{}", super::target::markdown(tables), tables_text.join("\n"))
}

fn one(table: &Table) -> String {
    let mut out = format!("### {} (`{}`)\n\n", table.title, table.key);
    out += &format!(
        "| | {} | least - most | x limit | x best peer | peak MB | |\n|---|--:|--:|--:|--:|--:|---|\n",
        table.unit
    );
    let (limit, peer) = (table.rows.iter().find(|row| row.who == Who::Limit), table.best(Who::Peer));
    for row in &table.rows {
        let beside =
            |other: Option<&Row>| other.map_or_else(String::new, |other| format!("{:.2}", table.ratio(row, other)));
        let name = if row.who == Who::Ours { format!("**{}**", row.name) } else { row.name.clone() };
        let range = match &row.samples[..] {
            [first, .., last] => format!("{} - {}", number(*first), number(*last)),
            _ => String::new(),
        };
        let peak = row.peak_mb.map_or_else(String::new, |mb| format!("{mb:.0}"));
        let note = row.note.as_deref().unwrap_or_default();
        let (limit, peer) = (beside(limit), beside(peer));
        out += &format!("| {name} | {} | {range} | {limit} | {peer} | {peak} | {note} |\n", number(row.median()));
    }
    out
}

pub(crate) fn number(value: f64) -> String {
    match value {
        v if v >= 1000.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}
