//! Metrics of the process, by the names that all clients of Prometheus use.

use std::time::UNIX_EPOCH;

use super::family::{Family, Unit};

pub(super) static FAMILIES: &[Family] = &[
    Family::gauge("process_open_fds", "Open file descriptors.", |context, samples| {
        if let Some(open) = context.process().open_descriptors {
            samples.add(&[], open);
        }
    }),
    Family::gauge("process_max_fds", "Limit on open file descriptors.", |context, samples| {
        if let Some(max) = context.process().max_descriptors {
            samples.add(&[], max);
        }
    }),
    Family::gauge("process_resident_memory", "Resident memory.", |context, samples| {
        if let Some(resident) = context.process().resident_memory_bytes {
            samples.add(&[], resident);
        }
    })
    .in_unit(Unit::Bytes),
    Family::counter("process_cpu", "CPU time in user and kernel mode.", |context, samples| {
        samples.add(&[], context.process().cpu_time.as_secs_f64());
    })
    .in_unit(Unit::Seconds),
    Family::gauge("process_start_time", "Start of the process, since 1970.", |context, samples| {
        let started_at = context.process().started_at;
        if let Some(since) = started_at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()) {
            samples.add(&[], since.as_secs_f64());
        }
    })
    .in_unit(Unit::Seconds),
];
