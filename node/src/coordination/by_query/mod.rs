//! Delete by query, update by query and reindex: a scroll whose hits are written somewhere.
//!
//! | file | subject |
//! |---|---|
//! | `job` | what is to be done, and what about it can be wrong |
//! | `progress` | what was done so far, and the answer made of it |
//! | `run` | the loop: a page of hits, a page of writes |

mod job;
mod progress;
mod run;

pub use job::{Conflicts, Destination, DestinationRouting, Job, Kind, Slices};
pub use progress::{Progress, WriteFailure};
pub use run::run;
