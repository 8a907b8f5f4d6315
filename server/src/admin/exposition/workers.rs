//! Metrics of the workers and of the dispatch queue.

use super::family::{Family, Samples, Unit, Value};
use crate::{
    admin::context::Context,
    metrics::{HistogramTotals, WorkerCounters, seconds},
};

pub(super) static FAMILIES: &[Family] = &[
    Family::gauge(
        "echo_dispatch_queue_connections",
        "Accepted connections that wait for a worker.",
        |context, samples| samples.add(&[], context.shared.dispatch.len()),
    ),
    Family::histogram(
        "echo_dispatch_wait",
        "Time that a connection has waited for a worker.",
        |context, samples| {
            let mut totals = HistogramTotals::default();
            for worker in &context.shared.counters.workers {
                worker.dispatch_waits.add_to(&mut totals);
            }
            samples.add(&[], totals);
        },
    ),
    Family::gauge("echo_worker_connections", "Connections of a worker.", |context, samples| {
        for index in 0..context.shared.counters.workers.len() {
            let number = (index + 1).to_string();
            samples.add(&[("worker", &number)], context.shared.dispatch.load_of(index));
        }
    }),
    Family::counter("echo_worker_busy", "Time that a worker was awake.", |context, samples| {
        workers(context, samples, |worker| seconds(worker.busy_ns.get()));
    })
    .in_unit(Unit::Seconds),
    Family::histogram(
        "echo_event_loop_iteration",
        "Time that an iteration of an event loop took, without its sleep.",
        |context, samples| {
            workers(context, samples, |worker| {
                let mut totals = HistogramTotals::default();
                worker.iteration_times.add_to(&mut totals);
                totals
            });
        },
    ),
    Family::counter(
        "echo_connections_migrated",
        "Connections that a worker has moved to other workers.",
        |context, samples| workers(context, samples, |worker| worker.migrated.get()),
    ),
    Family::gauge(
        "echo_workers_serving",
        "Workers that serve: fewer than all while they compete for cores.",
        |context, samples| samples.add(&[], context.shared.dispatch.serving()),
    ),
];

/// Adds a sample for each worker, which has its number as a label, as in the names of the threads.
fn workers<V: Into<Value>>(
    context: &Context<'_>,
    samples: &mut Samples,
    of: impl Fn(&WorkerCounters) -> V,
) {
    for (index, worker) in context.shared.counters.workers.iter().enumerate() {
        samples.add(&[("worker", &(index + 1).to_string())], of(worker));
    }
}
