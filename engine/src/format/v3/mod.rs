//! Third formats of sections: postings, of which the positions are new. Their documents and freqs are as in [`v2`](super::v2).

mod positions;

pub(crate) use positions::{PositionsEncoder, PositionsPart};
