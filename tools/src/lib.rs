//! Read-only inspection of segments (`quidditch-inspect`); the house's own checks are in `tests`.
