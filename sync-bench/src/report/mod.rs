//! Tables as text, and a chart.

pub(crate) mod chart;
pub(crate) mod target;
pub(crate) mod text;
