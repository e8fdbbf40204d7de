//! Buffers of a search, kept by the thread for the next one.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use super::matches::{MatchBuffers, Matches};
use super::term_list::Batch;
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
    /// Of the union at work.
    pub found: Matches,
    pub lookups: MatchBuffers,
    pub scores: Vec<f32>,
}

/// Buffers that a thread keeps: counting needs its own while those of ranking are at work.
const KEPT_MOST: usize = 2;

thread_local! {
    static KEPT: RefCell<Vec<Box<Buffers>>> = const { RefCell::new(Vec::new()) };
}

/// The thread's buffers, until they are dropped.
pub(super) struct Scratch(Option<Box<Buffers>>);

impl Scratch {
    /// The thread's buffers, or new ones while somebody else has them.
    pub fn take() -> Scratch {
        let mut buffers = KEPT.with_borrow_mut(Vec::pop).unwrap_or_else(|| {
            Box::new(Buffers {
                batch: Batch::new(),
                sums: vec![0.0; STRETCH_DOCS as usize].into(),
                bits: Box::new([0; STRETCH_DOCS as usize / 64]),
                adding: false,
                found: Matches::default(),
                lookups: MatchBuffers::default(),
                scores: Vec::new(),
            })
        });
        if buffers.adding {
            buffers.sums.fill(0.0);
            buffers.bits.fill(0);
            buffers.adding = false;
        }
        Scratch(Some(buffers))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody knows what a panic left in them.
        if std::thread::panicking() {
            return;
        }
        let buffers = self.0.take();
        KEPT.with_borrow_mut(|kept| {
            if kept.len() < KEPT_MOST {
                kept.extend(buffers);
            }
        });
    }
}

impl Deref for Scratch {
    type Target = Buffers;

    fn deref(&self) -> &Buffers {
        self.0.as_ref().expect("only drop takes the buffers")
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Buffers {
        self.0.as_mut().expect("only drop takes the buffers")
    }
}
