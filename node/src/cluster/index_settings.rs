//! The table of index settings.
