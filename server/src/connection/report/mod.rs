//! What others may see of a connection: a sample of its latencies.

mod latency;
