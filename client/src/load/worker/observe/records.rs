//! Records of TLS in the bytes of a socket: where each begins and ends.

use crate::load::ipc::observation::Damage;

/// Length of the header of a record (RFC 8446, section 5.1).
const HEADER: usize = 5;

/// Version in the header of every record of a server.
const VERSION: [u8; 2] = [3, 3];

/// Position in the records of a server.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Number of bytes on the socket before the record.
    start: u64,
    header: [u8; HEADER],
    /// Number of bytes of the record that have arrived.
    arrived: usize,
    /// Bytes of headers that TLS does not protect and that differ.
    headers: Vec<Damage>,
}

impl Records {
    /// Returns how many bytes may be read so that no byte of the next record is among them.
    pub(super) fn limit(&self) -> usize {
        match self.arrived.checked_sub(HEADER) {
            Some(arrived) if arrived < self.body() => self.body() - arrived,
            // The next record.
            Some(_) => HEADER,
            None => HEADER - self.arrived,
        }
    }

    /// Adds bytes that were read, at most [`limit`](Self::limit).
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.arrived >= HEADER && self.arrived == HEADER + self.body() {
            self.start += self.arrived as u64;
            self.arrived = 0;
        }
        if self.arrived >= HEADER {
            self.arrived += bytes.len();
            return;
        }
        for &byte in bytes {
            self.header[self.arrived] = byte;
            if let 1 | 2 = self.arrived {
                let mask = byte ^ VERSION[self.arrived - 1];
                if mask != 0 {
                    self.headers.push(Damage { at: self.start + self.arrived as u64, mask });
                }
            }
            self.arrived += 1;
        }
    }

    /// Returns the range of the present record on the socket, as far as its header tells.
    pub(super) fn range(&self) -> (u64, u64) {
        let end = if self.arrived < HEADER { self.arrived } else { HEADER + self.body() };
        (self.start, self.start + end as u64)
    }

    /// Returns the bytes of headers that differ.
    pub(super) fn headers(&self) -> &[Damage] {
        &self.headers
    }

    fn body(&self) -> usize {
        usize::from(u16::from_be_bytes([self.header[3], self.header[4]]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(records: &mut Records, mut bytes: &[u8], most: usize) {
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(records.limit().min(most).min(bytes.len()));
            records.add(part);
            bytes = rest;
        }
    }

    #[test]
    fn a_record_has_a_range_however_it_arrives() {
        let one = [&[23, 3, 3, 0, 9][..], &[1; 9]].concat();
        let two = [&[23, 3, 3, 1, 0][..], &[2; 256]].concat();
        for most in [1, 3, 100, 1000] {
            let mut records = Records::default();
            feed(&mut records, &one, most);
            assert_eq!(records.range(), (0, 14));
            feed(&mut records, &two[..2], most);
            assert_eq!(records.range(), (14, 16));
            feed(&mut records, &two[2..100], most);
            assert_eq!(records.range(), (14, 14 + 261));
            feed(&mut records, &two[100..], most);
            feed(&mut records, &one[..5], most);
            assert_eq!(records.range(), (275, 289));
            assert!(records.headers().is_empty());
        }
    }

    #[test]
    fn a_version_that_differs_is_found_at_its_offset() {
        let mut records = Records::default();
        feed(&mut records, &[23, 3, 3, 0, 1, 7, 23, 3, 7, 0, 1, 7], 5);
        assert_eq!(records.headers(), [Damage { at: 8, mask: 4 }]);
    }
}
