//! The measured values of a run and their format.

/// Measured value of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    Rate,
    Cpu,
    UserCpu,
    SystemCpu,
    P50,
    P99,
    P999,
    Peak,
    Others,
    IdleBytes,
    IdleConnections,
    Streamed,
    Handshakes,
}

impl Metric {
    pub(crate) const ALL: [Self; 13] = [
        Self::Rate,
        Self::Cpu,
        Self::UserCpu,
        Self::SystemCpu,
        Self::P50,
        Self::P99,
        Self::P999,
        Self::Peak,
        Self::Others,
        Self::IdleBytes,
        Self::IdleConnections,
        Self::Streamed,
        Self::Handshakes,
    ];

    /// Returns the key in the JSON, with the unit.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rate => "messages_per_second",
            Self::Cpu => "server_cpu_us_per_message",
            Self::UserCpu => "server_user_us_per_message",
            Self::SystemCpu => "server_system_us_per_message",
            Self::P50 => "p50_us",
            Self::P99 => "p99_us",
            Self::P999 => "p99_9_us",
            Self::Peak => "peak_memory_mib",
            Self::Others => "other_processes_percent",
            Self::IdleBytes => "resident_bytes_per_idle_connection",
            Self::IdleConnections => "idle_connections",
            Self::Streamed => "streamed_mb_per_second",
            Self::Handshakes => "handshakes_per_second",
        }
    }

    /// Returns the heading of a column.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Rate => "messages/s",
            Self::Cpu => "CPU, µs/message",
            Self::UserCpu => "user",
            Self::SystemCpu => "system",
            Self::P50 => "p50, µs",
            Self::P99 => "p99, µs",
            Self::P999 => "p99.9, µs",
            Self::Peak => "peak, MiB",
            Self::Others => "others, %",
            Self::IdleBytes => "bytes each",
            Self::IdleConnections => "idle",
            Self::Streamed => "streams, MB/s",
            Self::Handshakes => "handshakes/s",
        }
    }

    /// Formats a value for a table.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Rate | Self::IdleConnections | Self::Handshakes => thousands(value),
            Self::P50 | Self::P99 | Self::P999 | Self::IdleBytes | Self::Streamed
                if value >= 100.0 =>
            {
                thousands(value)
            }
            Self::Cpu | Self::UserCpu | Self::SystemCpu if value < 100.0 => format!("{value:.2}"),
            _ if value >= 1000.0 => thousands(value),
            _ => format!("{value:.1}"),
        }
    }
}

/// Formats `1234567.8` as `1,234,568`.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_a_useful_number_of_digits() {
        assert_eq!(Metric::Rate.show(1_234_567.8), "1,234,568");
        assert_eq!(Metric::Rate.show(123.0), "123");
        assert_eq!(Metric::Cpu.show(5.125), "5.12");
        assert_eq!(Metric::P99.show(12.34), "12.3");
        assert_eq!(Metric::Peak.show(1234.0), "1,234");
    }
}
