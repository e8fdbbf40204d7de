//! Phrases with slop, in Lucene's sense.
//!
//! Every slot has a place in the phrase; a token's *start* is its position less that place. The width of a match is the
//! distance between the smallest and the greatest start of one token per slot; a match counts `1 / (1 + width)` if that is
//! at most the slop. Matches are found by always moving the slot of the smallest start. Slots that share a term may not
//! use the same token: of two that do, the one behind moves on.

/// Finds sloppy matches; reused from document to document.
#[derive(Debug)]
pub(super) struct SloppyMatcher {
    slop: i64,
    slots: Vec<Slot>,
    /// Slots that share terms, in order of place.
    groups: Vec<Vec<usize>>,
    /// Whether a slot of a group has several alternatives.
    alternatives_in_groups: bool,
}

#[derive(Debug)]
struct Slot {
    place: i64,
    group: Option<usize>,
    /// Index of the current position.
    at: usize,
    /// Current position less place.
    start: i64,
}

/// Slots by start; a plain list, since phrases are short.
struct Queue(Vec<usize>);

impl SloppyMatcher {
    /// Place and alternatives of each slot.
    pub fn new(places: Vec<(u32, Vec<Vec<u8>>)>, slop: u32) -> Self {
        let groups = groups_of(&places);
        let mut slots = Vec::with_capacity(places.len());
        for (n, (place, _)) in places.iter().enumerate() {
            slots.push(Slot {
                place: i64::from(*place),
                group: groups.iter().position(|group| group.contains(&n)),
                at: 0,
                start: 0,
            });
        }
        let alternatives_in_groups = groups
            .iter()
            .flatten()
            .any(|slot| places[*slot].1.len() > 1);
        SloppyMatcher {
            slop: i64::from(slop),
            slots,
            groups,
            alternatives_in_groups,
        }
    }

    /// The sum over all matches, given each slot's positions, ascending and not empty.
    pub fn frequency(&mut self, positions: &[Vec<u32>]) -> f32 {
        let mut sum = 0.0f32;
        for slot in 0..self.slots.len() {
            if !self.place(slot, 0, positions) {
                return 0.0;
            }
        }
        if !self.separate_groups(positions) {
            return 0.0;
        }
        let mut queue = Queue((0..self.slots.len()).collect());
        let mut end = i64::MIN;
        for slot in &self.slots {
            end = end.max(slot.start);
        }
        if self.slots.len() == 1 {
            return positions[0].len() as f32;
        }
        let mut current = self.pop(&mut queue);
        let mut width = end - self.slots[current].start;
        let mut next = self.smallest_start(&queue);
        while self.advance(current, positions, &mut end) {
            if !self.separate(current, positions, &mut end) {
                break;
            }
            let start = self.slots[current].start;
            if start > next {
                queue.0.push(current);
                if width <= self.slop {
                    sum += 1.0 / (1.0 + width as f32);
                }
                current = self.pop(&mut queue);
                next = self.smallest_start(&queue);
                width = end - self.slots[current].start;
            } else {
                width = width.min(end - start);
            }
        }
        if width <= self.slop {
            sum += 1.0 / (1.0 + width as f32);
        }
        sum
    }

    fn place(&mut self, slot: usize, at: usize, positions: &[Vec<u32>]) -> bool {
        let Some(position) = positions[slot].get(at) else {
            return false;
        };
        let slot = &mut self.slots[slot];
        slot.at = at;
        slot.start = i64::from(*position) - slot.place;
        true
    }

    fn advance(&mut self, slot: usize, positions: &[Vec<u32>], end: &mut i64) -> bool {
        if !self.place(slot, self.slots[slot].at + 1, positions) {
            return false;
        }
        *end = (*end).max(self.slots[slot].start);
        true
    }

    /// Takes the slot of the smallest start out; of equal ones that of the smallest place.
    fn pop(&self, queue: &mut Queue) -> usize {
        let mut best = 0;
        for n in 1..queue.0.len() {
            let (a, b) = (queue.0[n], queue.0[best]);
            let key = |slot: usize| (self.slots[slot].start, self.slots[slot].place, slot);
            if key(a) < key(b) {
                best = n;
            }
        }
        queue.0.swap_remove(best)
    }

    fn smallest_start(&self, queue: &Queue) -> i64 {
        let starts = queue.0.iter().map(|slot| self.slots[*slot].start);
        starts.min().unwrap_or(i64::MAX)
    }

    /// Another slot of the same group on the same token.
    fn collision(&self, slot: usize) -> Option<usize> {
        let group = &self.groups[self.slots[slot].group?];
        let token = |slot: &Slot| slot.start + slot.place;
        let wanted = token(&self.slots[slot]);
        group
            .iter()
            .copied()
            .find(|other| *other != slot && token(&self.slots[*other]) == wanted)
    }

    /// Of two slots the one with the smaller start, or place.
    fn lesser(&self, a: usize, b: usize) -> usize {
        let key = |slot: usize| (self.slots[slot].start, self.slots[slot].place);
        if key(a) < key(b) { a } else { b }
    }

    /// Moves slots on until `slot` shares its token with nobody; false: positions ran out.
    fn separate(&mut self, slot: usize, positions: &[Vec<u32>], end: &mut i64) -> bool {
        let mut slot = slot;
        while let Some(other) = self.collision(slot) {
            slot = self.lesser(slot, other);
            if !self.advance(slot, positions, end) {
                return false;
            }
        }
        true
    }

    /// At the start of a document: gives each slot of a group a token of its own.
    fn separate_groups(&mut self, positions: &[Vec<u32>]) -> bool {
        let mut ignored = i64::MIN;
        for group in 0..self.groups.len() {
            let mut n = 0;
            while n < self.groups[group].len() {
                let slot = self.groups[group][n];
                if !self.alternatives_in_groups {
                    // all have the same tokens: the n-th takes the n-th
                    if !self.place(slot, n, positions) {
                        return false;
                    }
                    n += 1;
                    continue;
                }
                let mut again = false;
                while let Some(other) = self.collision(slot) {
                    let lesser = self.lesser(slot, other);
                    if !self.advance(lesser, positions, &mut ignored) {
                        return false;
                    }
                    let rank = self.groups[group].iter().position(|s| *s == lesser);
                    if rank.is_some_and(|rank| rank < n) {
                        again = true;
                        break;
                    }
                }
                if !again {
                    n += 1;
                }
            }
        }
        true
    }
}

/// Slots that share a term, directly or through others; groups of one are none.
fn groups_of(places: &[(u32, Vec<Vec<u8>>)]) -> Vec<Vec<usize>> {
    let mut group_of: Vec<usize> = (0..places.len()).collect();
    for a in 0..places.len() {
        for b in a + 1..places.len() {
            if places[a].1.iter().any(|term| places[b].1.contains(term)) {
                let (from, to) = (group_of[b], group_of[a]);
                for group in &mut group_of {
                    if *group == from {
                        *group = to;
                    }
                }
            }
        }
    }
    let mut groups = Vec::new();
    for wanted in 0..places.len() {
        let mut group: Vec<usize> = (0..places.len())
            .filter(|slot| group_of[*slot] == wanted)
            .collect();
        if group.len() > 1 {
            group.sort_by_key(|slot| places[*slot].0);
            groups.push(group);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frequency of `phrase` in `text`, both blank-separated words.
    fn check(phrase: &str, text: &str, slop: u32, expected: f32) {
        let words: Vec<&str> = text.split(' ').collect();
        let (mut places, mut positions) = (Vec::new(), Vec::new());
        for (place, word) in phrase.split(' ').enumerate() {
            places.push((place as u32, vec![word.as_bytes().to_vec()]));
            let found = (0..words.len()).filter(|at| words[*at] == word);
            positions.push(found.map(|at| at as u32).collect::<Vec<u32>>());
        }
        let found = match positions.iter().any(Vec::is_empty) {
            true => 0.0,
            false => SloppyMatcher::new(places, slop).frequency(&positions),
        };
        assert_eq!(found, expected, "\"{phrase}\"~{slop} in {text}");
    }

    #[test]
    fn width_lowers_the_frequency() {
        check("a b", "a b", 1, 1.0);
        check("a b", "a x b", 1, 0.5);
        check("a b", "a x x b", 1, 0.0);
        check("a b", "a x x b", 2, 1.0 / 3.0);
    }

    #[test]
    fn a_swap_costs_two_moves() {
        check("a b", "b a", 1, 0.0);
        check("a b", "b a", 2, 1.0 / 3.0);
    }

    #[test]
    fn every_match_counts() {
        check("a b", "a b x x x a x b", 1, 1.5);
    }

    #[test]
    fn repeated_terms_need_tokens_of_their_own() {
        check("a a", "a x", 3, 0.0);
        check("a a", "a a", 1, 1.0);
        check("a b a", "a b x a", 1, 0.5);
    }
}
