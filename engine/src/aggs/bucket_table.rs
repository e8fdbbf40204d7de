//! Bucket numbers of small numbers: what stands between a row's place in a row of buckets and the bucket itself.

use super::bucket_map::BucketMap;

/// The place has no bucket yet.
const UNKNOWN: u32 = u32::MAX;
/// Places of all owners together.
const PLACES_MAX: usize = 1 << 20;

/// Buckets by owner and place.
#[derive(Default)]
pub(crate) struct BucketTable {
    /// Places of an owner.
    width: usize,
    numbers: Vec<u32>,
}

impl BucketTable {
    /// Forgets all; from now on places are below `width`.
    pub fn reset(&mut self, width: usize) {
        self.width = width;
        self.numbers.clear();
    }

    /// Whether there are places at all.
    pub fn is_ready(&self) -> bool {
        self.width > 0
    }

    /// Whether there is room for so many owners.
    pub fn fits(&self, owners: usize) -> bool {
        self.width.saturating_mul(owners) <= PLACES_MAX
    }

    /// Replaces places by the numbers of their buckets, which are made where there are none. `key` is the key of a
    /// place; `owners` are the rows' owners, or empty for owner 0.
    pub fn number(
        &mut self,
        owners: &[u32],
        places: &mut [u32],
        buckets: &mut BucketMap<i64>,
        key: impl Fn(u32) -> i64,
    ) {
        let most = owners.iter().copied().max().unwrap_or(0) as usize;
        let needed = (most + 1) * self.width;
        if self.numbers.len() < needed {
            self.numbers.resize(needed, UNKNOWN);
        }
        if owners.is_empty() {
            // without a look at owners the compiler leaves a lookup and a comparison
            for place in places.iter_mut() {
                match self.numbers.get(*place as usize) {
                    Some(&number) if number != UNKNOWN => *place = number,
                    known => {
                        let is_place = known.is_some();
                        let made = buckets.bucket(0, &key(*place), 0, |key| *key);
                        if is_place {
                            self.numbers[*place as usize] = made;
                        }
                        *place = made;
                    }
                }
            }
            return;
        }
        for (row, place) in places.iter_mut().enumerate() {
            let owner = owners.get(row).copied().unwrap_or(0);
            let at = owner as usize * self.width + *place as usize;
            let number = self.numbers.get_mut(at);
            let known = number.as_deref().copied().unwrap_or(UNKNOWN);
            if known != UNKNOWN && (*place as usize) < self.width {
                *place = known;
                continue;
            }
            let made = buckets.bucket(owner, &key(*place), 0, |key| *key);
            if let Some(number) = number.filter(|_| (*place as usize) < self.width) {
                *number = made;
            }
            *place = made;
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.numbers.capacity() * size_of::<u32>()
    }
}
