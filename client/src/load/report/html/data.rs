//! Values of the charts, from which the script of the page shows those below the pointer.

use std::collections::BTreeMap;

use serde::Serialize;

/// Values of the charts of a page, by the keys of the charts.
pub(crate) type PageData = BTreeMap<&'static str, ChartData>;

/// Values of a chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ChartData {
    /// Name of the horizontal axis.
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    /// Values on the horizontal axis.
    pub(crate) x: Vec<f64>,
    /// Their places from 0 to 1; absent if each value is an interval, and all have the same width.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Vec<f64>>,
    /// Values above each of them.
    pub(crate) lines: Vec<LineData>,
}

/// Values of one figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LineData {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    /// A value for each of the horizontal axis; null if it is unknown.
    pub(crate) values: Vec<Option<f64>>,
}

/// Unit of values, which chooses their format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// Number of things.
    Count,
    /// Number per second.
    Rate,
    /// Percent.
    Percent,
    /// Seconds since the start.
    Seconds,
    /// Nanoseconds.
    Time,
}
