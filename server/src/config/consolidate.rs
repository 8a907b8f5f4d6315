//! The setting `consolidate`: fewer workers while they compete for cores.

/// Whether fewer workers serve while they compete for cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Consolidate {
    /// Suspend workers if fewer can do the same work: a suspended worker moves its busy connections to those that serve, and takes none. This
    /// needs a kernel that keeps the file `schedstat` of a thread.
    #[default]
    Auto,
    /// All workers always serve.
    Off,
}
