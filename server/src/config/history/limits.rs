//! The limits of the history, each with its unit and the reason for its value.

use std::time::Duration;

/// Maximum bytes of a message that are recorded; the history then says that it is cut. It is the most that one read takes.
pub const BODY: usize = 64 * 1024;

/// Bytes of messages from which a thread hands over its batch in the middle of a loop iteration.
pub const BATCH: usize = 64 * 1024;

/// Capacity of the queue, in bytes: what arrives in a tenth of a second at the highest rate, so that a checkpoint delays
/// nobody.
pub const PENDING: usize = 16 * 1024 * 1024;

/// Bytes of queued messages from which the writer begins before [`GATHER`] has passed.
pub const EAGER: usize = 1024 * 1024;

/// Time for which the writer lets messages accumulate: half of the 100 ms within which a message must be committed.
pub const GATHER: Duration = Duration::from_millis(50);

/// Time of one transaction after which the database counts as stuck: messages are then dropped and counted.
pub const STUCK: Duration = Duration::from_secs(1);

/// Interval of the attempts to commit to a database that refuses it, such as on a full disk.
pub const RETRY: Duration = Duration::from_millis(200);

/// Minimum of a limit on the size: the empty database and its index take half of it.
pub const KEEP_BYTES: u64 = 256 * 1024;

/// Interval of the attempts to index or delete messages after one has failed.
pub const MAINTENANCE_REST: Duration = Duration::from_secs(10);

/// Time for which the server waits at its start for a lock of another program on the database.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Time for which a commit waits for a lock of another program, before it is tried again.
pub const BUSY_TIMEOUT: Duration = Duration::from_millis(200);

/// Maximum rows of one transaction, which take about 30 ms.
pub const COMMIT_ROWS: u64 = 32 * 1024;

/// Rows of one transaction that always may be tried, also if larger ones found no room on the disk.
pub const MIN_COMMIT_ROWS: u64 = 16;

/// Rows of a segment. Origins are deleted with the last segment that uses them, and a search by time skips segments.
pub const SEGMENT_ROWS: i64 = 64 * 1024;

/// Maximum origins of a segment, so that a flood of short connections does not fill the memory of the writer.
pub const SEGMENT_ORIGINS: usize = 64 * 1024;

/// Maximum time between the first and the last message of a segment: messages are deleted this much late at most.
pub const SEGMENT_AGE: Duration = Duration::from_hours(1);

/// Bytes of the journal from which the writer moves its pages into the database, without waiting for readers.
pub const CHECKPOINT: u64 = 16 * 1024 * 1024;

/// Bytes of the journal from which a checkpoint also waits for readers, and to which SQLite shrinks its file afterwards.
pub const JOURNAL: u64 = 64 * 1024 * 1024;

/// Time for which such a checkpoint waits: readers that come after its beginning do not delay it.
pub const CHECKPOINT_WAIT: Duration = Duration::from_millis(50);

/// Interval of the checkpoints that wait, so that a reader which never ends delays few commits.
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes of the journal from which the log warns about a reader that never ends.
pub const JOURNAL_WARNING: u64 = 256 * 1024 * 1024;

/// Maximum rows, and bytes from which no more rows follow, that one step adds to the search index: about 20 ms.
pub const INDEX_ROWS: i64 = 2_000;
/// See [`INDEX_ROWS`].
pub const INDEX_BYTES: usize = 256 * 1024;

/// While messages arrive, a step of the index is followed by a rest of this many times its duration.
pub const INDEX_REST: u32 = 9;

/// Messages of one job, so within [`GATHER`], from which the index waits: it adds about as many in a tenth of the time.
pub const INDEX_BUSY_ROWS: u64 = 500;

/// Time without messages after which the index is built without rests.
pub const INDEX_IDLE: Duration = Duration::from_secs(1);

/// Rows and bytes of one part of the search index. Parts are deleted as a whole: to delete the rows of an index one by one
/// takes 100 microseconds each.
pub const INDEX_PART_ROWS: i64 = 256 * 1024;
/// See [`INDEX_PART_ROWS`].
pub const INDEX_PART_BYTES: u64 = 32 * 1024 * 1024;

/// Minimum of the bytes of a part where the size is limited: the tables of a part take as much without a message.
pub const INDEX_SMALL_PART_BYTES: u64 = 16 * 1024;

/// Interval of the checks whether messages are to be deleted.
pub const RETENTION_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum rows that one step deletes: less than 10 ms.
pub const RETENTION_ROWS: i64 = 10_000;

/// Maximum ids that one transaction of a search scans, and matches that it returns: about 20 ms, so that no search delays a
/// checkpoint.
pub const SCAN_IDS: i64 = 20_000;
/// See [`SCAN_IDS`].
pub const SCAN_MATCHES: usize = 500;

/// Maximum size of the messages with which rooms continue after a restart, in bytes of memory.
pub const RESTORED_BYTES: usize = 64 * 1024 * 1024;

/// Interval in which a search that follows looks for new messages.
pub const FOLLOW: Duration = Duration::from_millis(100);

/// Maximum trigrams of a search that the index is asked for; a message with all of them is a candidate.
pub const TRIGRAMS: usize = 24;

// A batch must fit into the queue, and the writer must begin before the queue is full.
const _: () = assert!(BATCH + BODY < EAGER && EAGER < PENDING);
