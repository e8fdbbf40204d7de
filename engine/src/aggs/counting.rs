//! Counts by bucket.

use std::ops::AddAssign;

use crate::simd::columns::{FEW, kernels};

/// Counters up to which a batch is counted in several rows of its own: a counter that was just written would make the
/// next addition to it wait.
const SMALL: usize = 256;

/// Adds one to the count of each bucket named.
pub(crate) fn count_each<C: AddAssign + From<u32>>(buckets: &[u32], counts: &mut [C]) {
    match small_counts(buckets, counts.len()) {
        Some(small) => {
            for (count, more) in counts.iter_mut().zip(small) {
                *count += C::from(more);
            }
        }
        None => {
            for bucket in buckets {
                // past the counts there is none: bytes on disk may say what they want
                if let Some(count) = counts.get_mut(*bucket as usize) {
                    *count += C::from(1);
                }
            }
        }
    }
}

/// How often each bucket is named, where there are so few; bytes on disk may name what there is not, which says nothing then.
fn small_counts(buckets: &[u32], size: usize) -> Option<[u32; SMALL]> {
    let mut counts = [0; SMALL];
    if size <= FEW {
        counts[..FEW].copy_from_slice(&(kernels().count_few)(buckets));
    } else if size <= SMALL {
        let mut rows = [[0u32; SMALL]; 4];
        let (groups, rest) = buckets.as_chunks::<4>();
        for group in groups {
            for (row, bucket) in rows.iter_mut().zip(group) {
                row[*bucket as usize & (SMALL - 1)] += 1;
            }
        }
        for bucket in rest {
            rows[0][*bucket as usize & (SMALL - 1)] += 1;
        }
        counts = std::array::from_fn(|at| rows.iter().map(|row| row[at]).sum());
    } else {
        return None;
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_buckets_are_counted_alike() {
        let lengths = [0, 1, 7, 511, 512, 513, 1003, 4096, 5003];
        let sizes = (1..=17usize).chain([256, 257, 5000]);
        for (size, length) in sizes.flat_map(|size| lengths.map(|length| (size, length))) {
            let buckets: Vec<u32> = (0..length).map(|i| (i * 5003 % size) as u32).collect();
            let mut expected = vec![1; size];
            for bucket in &buckets {
                expected[*bucket as usize] += 1;
            }
            let mut counts = vec![1u64; size];
            count_each(&buckets, &mut counts);
            assert_eq!(counts, expected);
            let mut small = vec![1u32; size];
            count_each(&buckets, &mut small);
            assert!(small.iter().map(|count| u64::from(*count)).eq(expected));
        }
    }
}
