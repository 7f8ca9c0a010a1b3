//! Tables as text, and a chart.

pub(crate) mod text;
