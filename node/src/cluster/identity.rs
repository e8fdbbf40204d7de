//! Who this node is, across restarts.
