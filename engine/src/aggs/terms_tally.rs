//! How often each ordinal, or each number of a narrow range, comes up in a segment: what `terms` counts with where no
//! sub-aggregation asks for the documents. Buckets are made of it at the end, for the best alone if they are known.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::counting::count_each;
use super::source::Values;
use crate::segment::{ReadError, TermIter};

/// Numbers that a range may have to be counted in an array.
const WIDTH_MAX: u64 = 1 << 20;

/// Counts by place: an ordinal, or the distance from a number.
#[derive(Default)]
pub(super) struct Tally {
    base: i64,
    counts: Vec<u32>,
    /// Distances of the batch.
    places: Vec<u32>,
}

impl Tally {
    /// For ordinals below `count`.
    pub fn of_ordinals(count: usize) -> Tally {
        Tally {
            counts: vec![0; count],
            ..Tally::default()
        }
    }

    /// For numbers from `min` to `max`; `None` where these are too far from each other.
    pub fn of_numbers(min: i64, max: i64) -> Option<Tally> {
        let width = max.wrapping_sub(min) as u64;
        (min <= max && width < WIDTH_MAX).then(|| Tally {
            base: min,
            counts: vec![0; width as usize + 1],
            ..Tally::default()
        })
    }

    /// Takes the counts that a dictionary knows.
    pub fn add_frequencies(&mut self, mut terms: TermIter) -> Result<(), ReadError> {
        for count in &mut self.counts {
            if let Some((_, term)) = terms.next()? {
                *count += term.doc_freq;
            }
        }
        Ok(())
    }

    /// Counts ordinals, one per document.
    pub fn add_ordinals(&mut self, ords: &[u32]) {
        count_each(ords, &mut self.counts);
    }

    /// Counts values; one that a document has twice counts once.
    pub fn add(&mut self, loaded: Values<'_, i64>) {
        self.places.clear();
        let mut before = None;
        for (row, value) in loaded.iter() {
            if before != Some((row, value)) {
                self.places.push(value.wrapping_sub(self.base) as u32);
            }
            before = Some((row, value));
        }
        count_each(&self.places, &mut self.counts);
    }

    /// Places with what they count, none of them zero.
    pub fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.counts.iter().enumerate();
        counts.filter_map(|(place, &count)| (count > 0).then_some((place, u64::from(count))))
    }

    /// The number at a place.
    pub fn number(&self, place: usize) -> i64 {
        self.base.wrapping_add(place as i64)
    }

    /// The `size` places that count most, smaller ones first among equals, of those that count at least `min`; with
    /// what the others of these count, and whether there are any.
    pub fn most(&self, size: usize, min: u64) -> (Vec<(usize, u64)>, u64, bool) {
        let min = u32::try_from(min.max(1)).unwrap_or(u32::MAX);
        let mut best: BinaryHeap<Reverse<(u32, Reverse<usize>)>> = BinaryHeap::new();
        let (mut all, mut places) = (0, 0);
        let mut floor = min - 1;
        for (index, block) in self.counts.chunks(64).enumerate() {
            // sums and counts of a block in vectors; then one look at whether anything in it is of interest
            let inside = |count: u32| u32::from(count >= min);
            places += block.iter().map(|count| inside(*count)).sum::<u32>() as usize;
            let counted = block.iter().map(|count| u64::from(count * inside(*count)));
            all += counted.sum::<u64>();
            if block.iter().fold(0, |most, count| most.max(*count)) <= floor {
                continue;
            }
            for (offset, &count) in block.iter().enumerate() {
                if count <= floor || size == 0 {
                    continue;
                }
                best.push(Reverse((count, Reverse(index * 64 + offset))));
                if best.len() > size {
                    best.pop();
                }
                if best.len() == size {
                    floor = best
                        .peek()
                        .map_or(floor, |Reverse((least, _))| (*least).max(floor));
                }
            }
        }
        let mut found = Vec::with_capacity(best.len());
        let mut kept = 0;
        for Reverse((count, Reverse(place))) in best {
            kept += u64::from(count);
            found.push((place, u64::from(count)));
        }
        (found, all - kept, places > size)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        (self.counts.capacity() + self.places.capacity()) * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_most_are_those_that_sorting_finds(
            counts in proptest::collection::vec(0u32..20, 1..400),
            size in 1usize..30,
            min in 0u64..4,
        ) {
            let tally = Tally { counts: counts.clone(), ..Tally::default() };
            let mut sorted: Vec<(usize, u64)> = counts.iter().map(|count| u64::from(*count)).enumerate()
                .filter(|(_, count)| *count >= min.max(1)).collect();
            sorted.sort_by_key(|(place, count)| (Reverse(*count), *place));
            let others: u64 = sorted.iter().skip(size).map(|(_, count)| count).sum();
            let (mut found, other, cut) = tally.most(size, min);
            found.sort_by_key(|(place, count)| (Reverse(*count), *place));
            prop_assert_eq!(cut, sorted.len() > size);
            prop_assert_eq!(other, others);
            sorted.truncate(size);
            prop_assert_eq!(found, sorted);
        }
    }

    #[test]
    fn numbers_far_apart_are_not_counted_in_an_array() {
        assert!(Tally::of_numbers(i64::MIN, i64::MAX).is_none());
        assert!(Tally::of_numbers(-5, 1 << 20).is_none());
        let mut tally = Tally::of_numbers(-5, 5).unwrap();
        // the first document has -5 twice
        tally.add(Values {
            rows: &[0, 0, 1, 2],
            each: false,
            values: &[-5, -5, -5, 5],
        });
        let found: Vec<(i64, u64)> = tally.iter().map(|(p, n)| (tally.number(p), n)).collect();
        assert_eq!(found, [(-5, 2), (5, 1)]);
    }
}
