//! Which operations are done, and which are durable.
//!
//! Two counters that are never mixed: an operation is *processed* when buffer and version map know it, and
//! *persisted* when its translog record is on the device.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::ids::SeqNo;

/// So many numbers may be missing below the highest: far more than writes can be under way at one time.
const GAPS_MAX: i64 = 1 << 24;

/// Gives out numbers and tracks them.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Highest number given out or seen.
    max: i64,
    processed: Contiguous,
    persisted: Contiguous,
    global: i64,
}

/// The end of a row of numbers without holes, and those beyond the first hole.
#[derive(Debug)]
struct Contiguous {
    checkpoint: i64,
    beyond: BTreeSet<i64>,
}

impl Contiguous {
    fn new(checkpoint: i64) -> Contiguous {
        Contiguous {
            checkpoint,
            beyond: BTreeSet::new(),
        }
    }

    fn mark(&mut self, seq_no: i64) {
        if seq_no <= self.checkpoint {
            return;
        }
        if seq_no > self.checkpoint + 1 {
            self.beyond.insert(seq_no);
            return;
        }
        self.checkpoint = seq_no;
        self.join();
    }

    fn join(&mut self) {
        while self.beyond.first() == Some(&(self.checkpoint + 1)) {
            self.beyond.pop_first();
            self.checkpoint += 1;
        }
    }

    /// Everything up to here is in.
    fn cover(&mut self, to: i64) {
        if to > self.checkpoint {
            self.checkpoint = to;
            self.beyond = self.beyond.split_off(&(to + 1));
            self.join();
        }
    }

    /// Nothing beyond is in.
    fn roll_back(&mut self, to: i64) {
        self.beyond.split_off(&(to + 1));
        self.checkpoint = self.checkpoint.min(to);
    }

    fn has(&self, seq_no: i64) -> bool {
        seq_no <= self.checkpoint || self.beyond.contains(&seq_no)
    }
}

impl Checkpoints {
    /// Everything up to `local` is done and durable; numbers up to `max` were given out; every in-sync copy has those up
    /// to `global`.
    pub fn new(local: SeqNo, max: SeqNo, global: SeqNo) -> Checkpoints {
        Checkpoints {
            state: Mutex::new(State {
                max: max.0.max(local.0),
                processed: Contiguous::new(local.0),
                persisted: Contiguous::new(local.0),
                global: global.0.min(local.0),
            }),
        }
    }

    /// The next number.
    pub fn next(&self) -> SeqNo {
        let mut state = self.state.lock();
        state.max += 1;
        SeqNo(state.max)
    }

    /// Takes note of a number given out elsewhere.
    pub fn advance_max(&self, seq_no: SeqNo) {
        let mut state = self.state.lock();
        state.max = state.max.max(seq_no.0);
    }

    pub fn mark_processed(&self, seq_no: SeqNo) {
        self.state.lock().processed.mark(seq_no.0);
    }

    pub fn mark_persisted(&self, seq_nos: &[SeqNo]) {
        let mut state = self.state.lock();
        for seq_no in seq_nos {
            state.persisted.mark(seq_no.0);
        }
    }

    /// Takes note that segments have everything up to `checkpoint`, durably, and nothing beyond `max`.
    pub fn cover(&self, checkpoint: SeqNo, max: SeqNo) {
        let mut state = self.state.lock();
        state.max = state.max.max(max.0).max(checkpoint.0);
        state.processed.cover(checkpoint.0);
        state.persisted.cover(checkpoint.0);
    }

    /// Forgets the operations beyond `to`, and how far other copies are beyond it.
    pub fn roll_back(&self, to: SeqNo) {
        let mut state = self.state.lock();
        state.max = state.max.min(to.0);
        state.processed.roll_back(to.0);
        state.persisted.roll_back(to.0);
        state.global = state.global.min(to.0);
    }

    /// Nothing beyond `to` is processed: what follows will be done again.
    pub fn reprocess_from(&self, to: SeqNo) {
        self.state.lock().processed = Contiguous::new(to.0);
    }

    pub fn is_processed(&self, seq_no: SeqNo) -> bool {
        self.state.lock().processed.has(seq_no.0)
    }

    pub fn is_persisted(&self, seq_no: SeqNo) -> bool {
        self.state.lock().persisted.has(seq_no.0)
    }

    /// Highest number given out or seen.
    pub fn max(&self) -> SeqNo {
        SeqNo(self.state.lock().max)
    }

    pub fn processed(&self) -> SeqNo {
        SeqNo(self.state.lock().processed.checkpoint)
    }

    pub fn persisted(&self) -> SeqNo {
        SeqNo(self.state.lock().persisted.checkpoint)
    }

    /// Durable on every in-sync copy; while nobody says otherwise, this copy is the only one.
    pub fn global(&self) -> SeqNo {
        let state = self.state.lock();
        SeqNo(state.global.max(SeqNo::NONE.0))
    }

    /// Raises the global checkpoint; it never goes back and never passes what is durable here.
    pub fn advance_global(&self, seq_no: SeqNo) {
        let mut state = self.state.lock();
        let limit = seq_no.0.min(state.persisted.checkpoint);
        state.global = state.global.max(limit);
    }

    /// Numbers up to the highest that no operation has. An error tells the highest number when there are more than writes
    /// can have left: the number is not one that was given out.
    pub fn gaps(&self) -> Result<Vec<SeqNo>, SeqNo> {
        let state = self.state.lock();
        let processed = &state.processed;
        let open = state.max.saturating_sub(processed.checkpoint);
        if open.saturating_sub(processed.beyond.len() as i64) > GAPS_MAX {
            return Err(SeqNo(state.max));
        }
        let mut gaps = Vec::new();
        let mut next = processed.checkpoint + 1;
        for &done in processed.beyond.range(..=state.max) {
            gaps.extend((next..done).map(SeqNo));
            next = done + 1;
        }
        gaps.extend((next..=state.max).map(SeqNo));
        Ok(gaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_waits_for_holes_to_fill() {
        let checkpoints = Checkpoints::new(SeqNo(4), SeqNo(4), SeqNo::NONE);
        assert_eq!(checkpoints.next(), SeqNo(5));
        checkpoints.advance_max(SeqNo(8));
        for done in [8, 6, 7] {
            checkpoints.mark_processed(SeqNo(done));
        }
        assert_eq!(checkpoints.processed(), SeqNo(4));
        assert_eq!(checkpoints.gaps(), Ok(vec![SeqNo(5)]));
        checkpoints.mark_processed(SeqNo(5));
        assert_eq!(checkpoints.processed(), SeqNo(8));
        assert_eq!(checkpoints.persisted(), SeqNo(4));
        checkpoints.mark_persisted(&[SeqNo(6), SeqNo(5)]);
        assert_eq!(checkpoints.persisted(), SeqNo(6));
        checkpoints.advance_global(SeqNo(100));
        assert_eq!(checkpoints.global(), SeqNo(6));
    }

    #[test]
    fn gaps_are_told_one_by_one_unless_the_highest_number_cannot_be() {
        let checkpoints = Checkpoints::new(SeqNo(4), SeqNo(4), SeqNo::NONE);
        assert_eq!(checkpoints.gaps(), Ok(vec![]));
        for done in [6, 9] {
            checkpoints.advance_max(SeqNo(done));
            checkpoints.mark_processed(SeqNo(done));
        }
        checkpoints.advance_max(SeqNo(10));
        let gaps = [5, 7, 8, 10].map(SeqNo).to_vec();
        assert_eq!(checkpoints.gaps(), Ok(gaps));
        for far in [1 << 40, i64::MAX - 1] {
            checkpoints.advance_max(SeqNo(far));
            assert_eq!(checkpoints.gaps(), Err(SeqNo(far)));
        }
    }

    #[test]
    fn what_was_rolled_back_can_come_again() {
        let checkpoints = Checkpoints::new(SeqNo(4), SeqNo(4), SeqNo(3));
        assert_eq!(checkpoints.global(), SeqNo(3));
        let numbers = [5, 6, 8].map(SeqNo);
        for seq_no in numbers {
            checkpoints.advance_max(seq_no);
            checkpoints.mark_processed(seq_no);
        }
        checkpoints.mark_persisted(&numbers);
        checkpoints.roll_back(SeqNo(5));
        assert_eq!(checkpoints.max(), SeqNo(5));
        assert_eq!(checkpoints.persisted(), SeqNo(5));
        assert!(!checkpoints.is_processed(SeqNo(8)));
        checkpoints.mark_persisted(&[SeqNo(8), SeqNo(9)]);
        checkpoints.cover(SeqNo(7), SeqNo(7));
        assert_eq!(checkpoints.persisted(), SeqNo(9));
        assert_eq!(checkpoints.processed(), SeqNo(7));
    }
}
