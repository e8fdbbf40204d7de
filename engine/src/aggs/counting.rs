//! Counts by bucket.

/// Counters up to which a batch is counted in several rows of its own: a counter that was just written would make the
/// next addition to it wait.
const SMALL: usize = 256;
/// Counters up to which several buckets are counted by one addition.
const FEW: usize = 16;
/// Fewer buckets than this are counted one by one.
const COMBINED_MIN: usize = 512;
/// Buckets that are counted together at most.
const TOGETHER: usize = 4096;

/// Adds one to the count of each bucket named.
pub(crate) fn count_each(buckets: &[u32], counts: &mut [u64]) {
    if counts.len() > SMALL {
        for bucket in buckets {
            // past the counts there is none: bytes on disk may say what they want
            if let Some(count) = counts.get_mut(*bucket as usize) {
                *count += 1;
            }
        }
        return;
    }
    for buckets in buckets.chunks(TOGETHER) {
        let more = small_counts(buckets, counts.len());
        for (count, more) in counts.iter_mut().zip(more) {
            *count += u64::from(more);
        }
    }
}

/// The same for counts of 32 bits, which do not overflow.
pub(crate) fn count_each_u32(buckets: &[u32], counts: &mut [u32]) {
    if counts.len() > SMALL {
        for bucket in buckets {
            // past the counts there is none: bytes on disk may say what they want
            if let Some(count) = counts.get_mut(*bucket as usize) {
                *count += 1;
            }
        }
        return;
    }
    for buckets in buckets.chunks(TOGETHER) {
        let more = small_counts(buckets, counts.len());
        for (count, more) in counts.iter_mut().zip(more) {
            *count += more;
        }
    }
}

/// How often at most [`TOGETHER`] buckets, of `size`, which is at most [`SMALL`], are named.
fn small_counts(buckets: &[u32], size: usize) -> [u32; SMALL] {
    match size {
        0..=FEW if buckets.len() < COMBINED_MIN => sum_of_rows(&count_rows(buckets, as_byte)),
        0..=2 => count_combined::<1>(buckets),
        3..=4 => count_combined::<2>(buckets),
        5..=8 => count_combined::<3>(buckets),
        9..=FEW => count_combined::<4>(buckets),
        _ => sum_of_rows(&count_rows(buckets, as_byte)),
    }
}

fn as_byte(bucket: &u32) -> u8 {
    *bucket as u8
}

/// Counts numbers of so many bits: as many of them as fit a byte are one number there, which is counted once for all of them.
fn count_combined<const BITS: usize>(buckets: &[u32]) -> [u32; SMALL] {
    let parts = 8 / BITS;
    let mask = (1u32 << BITS) - 1;
    let len = buckets.len() / parts;
    let mut combined = [0u8; TOGETHER / 2];
    let combined = &mut combined[..len];
    for (part, buckets) in buckets.chunks_exact(len.max(1)).take(parts).enumerate() {
        for (byte, bucket) in combined.iter_mut().zip(buckets) {
            *byte |= ((bucket & mask) << (part * BITS)) as u8;
        }
    }
    let bytes = sum_of_rows(&count_rows(combined, |byte| *byte));
    let mut counts = [0; SMALL];
    for (byte, count) in bytes.iter().enumerate().take(1 << (parts * BITS)) {
        for part in 0..parts {
            counts[byte >> (part * BITS) & mask as usize] += count;
        }
    }
    for bucket in &buckets[len * parts..] {
        counts[(bucket & mask) as usize] += 1;
    }
    counts
}

/// Counts bytes in four rows by turns.
fn count_rows<T>(items: &[T], byte: impl Fn(&T) -> u8) -> [[u32; SMALL]; 4] {
    let mut rows = [[0u32; SMALL]; 4];
    let (groups, rest) = items.as_chunks::<4>();
    for group in groups {
        for (row, item) in rows.iter_mut().zip(group) {
            row[usize::from(byte(item))] += 1;
        }
    }
    for item in rest {
        rows[0][usize::from(byte(item))] += 1;
    }
    rows
}

fn sum_of_rows(rows: &[[u32; SMALL]; 4]) -> [u32; SMALL] {
    std::array::from_fn(|at| rows.iter().map(|row| row[at]).sum())
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
            let mut counts = vec![1; size];
            count_each(&buckets, &mut counts);
            assert_eq!(counts, expected);
            let mut small = vec![1; size];
            count_each_u32(&buckets, &mut small);
            assert!(small.iter().map(|count| u64::from(*count)).eq(expected));
        }
    }
}
