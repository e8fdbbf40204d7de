//! Buffers of a search, kept by the thread for the next one.

use std::cell::RefCell;
use std::thread::LocalKey;

use super::matches::{MatchBuffers, Matches};
use super::term_list::Batch;
use crate::lent::{Kept, Lend, Lent};
use crate::simd::scoring::{STRETCH_DOCS, StretchBits};

/// Buffers of a search.
pub(super) struct Buffers {
    pub batch: Batch,
    /// All zero whenever nobody adds up.
    pub sums: Box<[f64]>,
    /// Likewise.
    pub bits: Box<StretchBits>,
    /// Whether somebody adds up, or left off half way.
    pub adding: bool,
    /// Of what is at work.
    pub found: Matches,
    pub lookups: MatchBuffers,
    pub scores: Vec<f32>,
}

impl Lend for Buffers {
    // Counting needs its own while those of ranking are at work.
    const KEPT_MOST: usize = 2;

    fn make() -> Box<Buffers> {
        Box::new(Buffers {
            batch: Batch::new(),
            sums: vec![0.0; STRETCH_DOCS as usize].into(),
            bits: Box::new([0; STRETCH_DOCS as usize / 64]),
            adding: false,
            found: Matches::default(),
            lookups: MatchBuffers::default(),
            scores: Vec::new(),
        })
    }

    fn kept() -> &'static LocalKey<Kept<Buffers>> {
        thread_local! {
            static KEPT: Kept<Buffers> = const { RefCell::new(Vec::new()) };
        }
        &KEPT
    }
}

/// The thread's buffers, until they are dropped.
pub(super) type Scratch = Lent<Buffers>;

/// The thread's buffers, or new ones while somebody else has them.
pub(super) fn thread_scratch() -> Scratch {
    let mut buffers = Scratch::take();
    if buffers.adding {
        buffers.sums.fill(0.0);
        buffers.bits.fill(0);
        buffers.adding = false;
    }
    buffers
}
