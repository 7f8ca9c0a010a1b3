//! A chart in SVG: for each table its rows as bars, on a logarithmic scale.

use super::text::number;
use crate::measure::{Table, Who};

const WIDTH: f64 = 860.0;
const LABELS: f64 = 330.0;
const BARS: f64 = 420.0;
const LINE: f64 = 20.0;

/// The tables that are drawn.
const DRAWN: &[&str] = &["cold", "more_100k", "edit", "edits", "open", "whole", "post"];

pub(crate) fn svg(tables: &[Table]) -> String {
    let (mut body, mut y) = (String::new(), 10.0);
    for table in tables.iter().filter(|table| DRAWN.contains(&table.key)) {
        body += &format!(
            "<text x=\"10\" y=\"{:.0}\" class=\"title\">{} [{}]</text>\n",
            y + 14.0,
            escape(&table.title),
            table.unit
        );
        y += 24.0;
        let medians = || table.rows.iter().map(|row| row.median().max(1e-6));
        let (least, most) = (medians().fold(f64::MAX, f64::min), medians().fold(f64::MIN, f64::max));
        // The least bar is seen as well.
        let (from, span) = ((least / 2.0).ln(), (most / (least / 2.0)).ln());
        for row in &table.rows {
            let (class, median) = (class(row.who), row.median().max(1e-6));
            let width = BARS * (median.ln() - from) / span;
            body +=
                &format!("<text x=\"{LABELS}\" y=\"{:.0}\" class=\"label\">{}</text>\n", y + 14.0, escape(&row.name));
            body += &format!(
                "<rect x=\"{:.0}\" y=\"{:.0}\" width=\"{width:.1}\" height=\"14\" class=\"{class}\"/>\n",
                LABELS + 8.0,
                y + 3.0
            );
            let x = LABELS + 14.0 + width;
            body += &format!("<text x=\"{x:.0}\" y=\"{:.0}\">{}</text>\n", y + 14.0, number(median));
            y += LINE;
        }
        y += 14.0;
    }
    let style = "text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.label{text-anchor:end}\
        .ours{fill:#d9480f}.peer{fill:#748ffc}.limit{fill:#adb5bd}";
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {y:.0}\">\n<style>{style}</style>\n\
        <rect width=\"{WIDTH:.0}\" height=\"{y:.0}\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

fn class(who: Who) -> &'static str {
    match who {
        Who::Ours => "ours",
        Who::Peer => "peer",
        Who::Limit => "limit",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
