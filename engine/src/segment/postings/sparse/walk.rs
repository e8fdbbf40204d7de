//! One document after the other, in order, and the documents of whole windows.

use super::SparseCursor;
use crate::ids::DocId;
use crate::segment::{ReadError, WINDOW_DOCS, Window};

impl SparseCursor {
    #[inline]
    pub fn doc(&self) -> DocId {
        DocId(self.doc)
    }

    #[inline]
    pub fn next(&mut self) -> Result<DocId, ReadError> {
        if self.rank + 1 < self.len {
            return Ok(self.stand(self.rank + 1));
        }
        self.next_loaded()
    }

    /// Goes to the first document of the block after the one at hand.
    fn next_loaded(&mut self) -> Result<DocId, ReadError> {
        let block = self.block.wrapping_add(1);
        if block >= self.blocks {
            return Ok(self.finish());
        }
        self.load(block)?;
        Ok(self.stand(0))
    }

    pub fn advance(&mut self, target: DocId) -> Result<DocId, ReadError> {
        if self.is_loaded() {
            if self.doc >= target.0 {
                return Ok(DocId(self.doc));
            }
        } else if self.blocks == 0 {
            return Ok(self.finish());
        }
        if !self.is_loaded() || self.last_loaded() < target.0 {
            let block = self.block_with(target.0, self.block.wrapping_add(1));
            if block >= self.blocks {
                return Ok(self.finish());
            }
            self.load(block)?;
            if self.last_loaded() < target.0 {
                // Only without skips, where the block was not known before.
                return Ok(self.finish());
            }
        }
        Ok(self.stand(self.count_below(target.0)))
    }

    #[inline]
    pub fn freq(&mut self) -> u32 {
        // Broken freqs end the cursor, which then answers the bound of nothing.
        if self.load_freqs().is_err() {
            return 1;
        }
        self.freqs[self.slot(self.rank)]
    }

    pub fn positions(&mut self, positions: &mut Vec<u32>) -> Result<(), ReadError> {
        positions.clear();
        if self.rank >= self.len {
            return Ok(());
        }
        self.positions_at(self.slot(self.rank), positions)
    }

    pub fn fill_window(&mut self, base: DocId, bits: &mut Window) -> Result<(), ReadError> {
        self.advance(base)?;
        let end = base.0.saturating_add(WINDOW_DOCS);
        while self.doc < end {
            if self.rank == 0 && self.last_loaded() < end {
                for doc in &self.docs[..self.len] {
                    bits.set(doc - base.0);
                }
                self.next_loaded()?;
                continue;
            }
            let inside = self.count_below(end);
            for rank in self.rank..inside {
                bits.set(self.docs[self.slot(rank)] - base.0);
            }
            if inside < self.len {
                self.stand(inside);
            } else {
                self.next_loaded()?;
            }
        }
        Ok(())
    }

    pub fn take_block(
        &mut self,
        end: DocId,
        docs: &mut [u32; 128],
        freqs: &mut [u32; 128],
    ) -> Result<usize, ReadError> {
        if self.doc >= end.0 {
            return Ok(0);
        }
        self.load_freqs()?;
        let inside = match self.last_loaded() < end.0 {
            true => self.len,
            false => self.count_below(end.0),
        };
        let mut count = 0;
        for rank in self.rank..inside {
            let slot = self.slot(rank);
            (docs[count], freqs[count]) = (self.docs[slot], self.freqs[slot]);
            count += 1;
        }
        if inside < self.len {
            self.stand(inside);
        } else {
            self.next_loaded()?;
        }
        Ok(count)
    }
}
