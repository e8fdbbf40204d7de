//! The table of cluster settings.
