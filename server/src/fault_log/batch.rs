//! The batch of a thread: records that are handed to the queue together.
//!
//! A worker hands them over with the records of its log, once per iteration of its loop. The acceptor, which injects few
//! faults, hands over each.

use std::{cell::RefCell, time::SystemTime};

use common::fault::{FaultAct, FaultId, FaultRecord};

use log::error;

use super::fault_log::FaultLog;
use crate::{
    config::limits,
    logging::{self, FlushHook},
};

/// Records of one thread.
struct Batch {
    log: FaultLog,
    /// Records wait for the end of an iteration.
    is_deferred: bool,
    lines: String,
    records: u64,
}

thread_local! {
    static BATCH: RefCell<Option<Batch>> = const { RefCell::new(None) };
}

/// Makes this thread record faults, until [`detach`] or its end. `is_deferred`: the thread calls [`logging::flush`] at the end
/// of each iteration of its loop.
pub(crate) fn attach(log: &FaultLog, is_deferred: bool) {
    BATCH.set(Some(Batch { log: log.clone(), is_deferred, lines: String::new(), records: 0 }));
}

/// Hands over the records of this thread, which records no more.
pub(crate) fn detach() {
    flush();
    BATCH.take();
}

/// Records a fault, if this thread records faults.
pub(crate) fn record(listener: &str, peer: &str, id: FaultId, act: &FaultAct) {
    BATCH.with_borrow_mut(|batch| {
        if let Some(batch) = batch {
            batch.record(listener, peer, id, act);
        }
    });
}

fn flush() {
    BATCH.with_borrow_mut(|batch| {
        if let Some(batch) = batch {
            batch.flush();
        }
    });
}

impl Batch {
    fn record(&mut self, listener: &str, peer: &str, id: FaultId, act: &FaultAct) {
        #[expect(
            clippy::disallowed_methods,
            reason = "the fault log has the time of the wall clock"
        )]
        let now = SystemTime::now();
        let record = FaultRecord {
            time: humantime::format_rfc3339_micros(now).to_string(),
            listener: listener.to_owned(),
            peer: peer.to_owned(),
            seed: id.seed,
            connection: id.connection,
            act: *act,
        };
        // JSON can express every value of a record.
        self.lines.push_str(&serde_json::to_string(&record).unwrap_or_default());
        self.lines.push('\n');
        self.records += 1;
        if !self.is_deferred || self.lines.len() >= limits::LOG_BATCH {
            self.flush();
        } else if self.records == 1 {
            logging::set_flush_hook(FlushHook::FaultLog, flush);
        }
    }

    fn flush(&mut self) {
        if self.hand_over() {
            error!(event = "fault-log"; "The fault log {} has taken nothing for a second, and its queue is full: records are lost \
                until it takes bytes again; if it is a FIFO, check its reader", self.log.shown());
        }
    }

    /// Returns whether a loss of records begins.
    fn hand_over(&mut self) -> bool {
        let begins_loss = self.records > 0 && self.log.queue().push(&self.lines, self.records);
        self.lines.clear();
        self.records = 0;
        begins_loss
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // At the end of a thread nothing can be logged any more.
        self.hand_over();
    }
}
