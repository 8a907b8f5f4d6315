//! Consolidation: fewer workers serve while they compete for cores.
//!
//! With more busy threads than cores, as with a load on the machine of the server, workers may have to share a core. They do no more
//! work than one of them would, and while one runs, the messages of another wait for the end of its time slice, which is
//! milliseconds. If the workers wait for cores for much of the time, and fewer of them could do all of the work, the others are
//! *suspended*: each moves its busy connections to those that still serve, and takes no connections. Whether that helps is judged
//! soon after.
//!
//! Owns the decision how many workers serve, and the times of their threads. Must not know connections and the event loop.
//!
//! | file | what it owns |
//! |---|---|
//! | `consolidation.rs` | what the workers share: the decision, and the times of their threads |
//! | `decision.rs` | the rule, without clock and system |
//! | `run_times.rs` | how long each thread has run and waited, as the kernel counts it |

#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod consolidation;
mod decision;
mod run_times;

pub(crate) use self::{consolidation::Consolidation, decision::Change};
