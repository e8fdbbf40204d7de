//! Alias changes.

use crate::cluster::index_metadata::AliasMetadata;

/// One action of a change of aliases; names are concrete.
#[derive(Clone, Debug)]
pub enum AliasAction {
    /// Gives an index a name, or changes what goes with it.
    Add {
        /// Concrete index name.
        index: String,
        /// Alias name.
        alias: String,
        /// What goes with it; the filter is already checked.
        metadata: AliasMetadata,
    },
    /// Takes a name from an index.
    Remove {
        /// Concrete index name.
        index: String,
        /// Alias name, without wildcards.
        alias: String,
        /// `Some(true)`: it is an error when the index has no such name.
        must_exist: Option<bool>,
    },
    /// Removes an index with all its data.
    RemoveIndex {
        /// Concrete index name.
        index: String,
    },
}
