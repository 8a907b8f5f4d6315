//! The kernel's figures about a connection of TCP.

use std::fmt;

use log::kv::Value;

/// Figures of the kernel about the path to a peer. A figure that it does not know yet is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TcpInfo {
    /// Smoothed round-trip time.
    pub(crate) rtt_us: Option<u32>,
    /// Minimum of the round-trip time over the last minutes.
    pub(crate) min_rtt_us: Option<u32>,
    /// Segments that the kernel has sent again.
    pub(crate) retransmits: u32,
    /// The last measurement of the rate at which the peer has acknowledged bytes.
    pub(crate) delivery_rate_bytes_per_second: Option<u64>,
}

impl TcpInfo {
    /// Passes the JSON fields to `visit`.
    pub(super) fn visit_fields<'a>(self, visit: &mut dyn FnMut(&'static str, Value<'a>)) {
        let times = [("rtt_us", self.rtt_us), ("min_rtt_us", self.min_rtt_us)];
        for (name, time) in times {
            if let Some(time) = time {
                visit(name, Value::from(time));
            }
        }
        visit("retransmits", Value::from(self.retransmits));
        if let Some(rate) = self.delivery_rate_bytes_per_second {
            visit("delivery_rate_bytes_per_second", Value::from(rate));
        }
    }
}

impl fmt::Display for TcpInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rtt) = self.rtt_us {
            write!(f, "RTT {rtt} us, ")?;
        }
        if let Some(rtt) = self.min_rtt_us {
            write!(f, "minimum RTT {rtt} us, ")?;
        }
        match self.retransmits {
            1 => f.write_str("1 retransmit")?,
            number => write!(f, "{number} retransmits")?,
        }
        match self.delivery_rate_bytes_per_second {
            Some(rate) => write!(f, ", delivery rate {}", Rate(rate)),
            None => Ok(()),
        }
    }
}

/// `3.1 MB/s`, in powers of 1,000.
struct Rate(u64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GB/s", 1_000_000_000), ("MB/s", 1_000_000), ("kB/s", 1_000)];
        match units.into_iter().find(|&(_, size)| self.0 >= size) {
            Some((unit, size)) => {
                let (whole, tenths) = (self.0 / size, self.0 % size / (size / 10));
                write!(f, "{whole}.{tenths} {unit}")
            }
            None => write!(f, "{} B/s", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_one_decimal_of_its_unit() {
        let rates = [0, 999, 1_000, 3_190_000, 8_192_000_000, u64::MAX];
        let texts = rates.map(|rate| Rate(rate).to_string());
        let expected =
            ["0 B/s", "999 B/s", "1.0 kB/s", "3.1 MB/s", "8.1 GB/s", "18446744073.7 GB/s"];
        assert_eq!(texts, expected);
    }

    #[test]
    fn unknown_figures_are_left_out() {
        assert_eq!(TcpInfo::default().to_string(), "0 retransmits");
        let info = TcpInfo { rtt_us: Some(45), retransmits: 1, ..TcpInfo::default() };
        assert_eq!(info.to_string(), "RTT 45 us, 1 retransmit");
    }
}
