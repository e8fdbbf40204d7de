//! A copy gets what it lacks: segments by comparison, then operations. The same way serves new replicas, copies that
//! come back, and copies that move.
//!
//! The target drives: it asks the primary for a *session*, under which the primary keeps the segments that it showed at
//! that moment and the place in its translog from which operations follow. From that moment on the primary also sends
//! each new operation. The target copies files that it lacks (checked by their checksums; a part that does not come is asked
//! for again, as long as the session lives), takes the operations, and asks whether it has everything; from the primary's yes on nothing is acknowledged that the
//! target does not have. Only then does it report itself started.
//!
//! | file | subject |
//! |---|---|
//! | `source` | the primary's side: sessions |
//! | `target` | the new copy's side |
//! | `transfer` | files of a list of segments |
//! | `throttle` | bytes a second |
//! | `progress` | what `_cat/recovery` shows |

pub mod progress;
pub mod source;
pub mod target;
pub mod throttle;
pub mod transfer;

pub use progress::Recovery;
pub use source::Sessions;
pub use throttle::Throttle;
