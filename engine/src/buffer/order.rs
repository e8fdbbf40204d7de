//! Byte strings in order: a radix sort over eight bytes at a time.

/// Groups this small are sorted by comparison.
const SMALL: usize = 48;

/// The numbers `0..count` in the order of their byte strings; equal strings keep the order of their numbers.
pub(super) fn sorted<'a>(count: u32, bytes_of: impl Fn(u32) -> &'a [u8]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count).collect();
    let mut scratch = Scratch::default();
    sort(&mut order, 0, &bytes_of, &mut scratch);
    order
}

#[derive(Default)]
struct Scratch {
    keys: Vec<(u64, u32)>,
    other: Vec<(u64, u32)>,
}

/// Sorts numbers whose strings agree before `depth`.
fn sort<'a>(
    order: &mut [u32],
    depth: usize,
    bytes_of: &impl Fn(u32) -> &'a [u8],
    scratch: &mut Scratch,
) {
    if order.len() <= SMALL {
        order.sort_unstable_by(|a, b| {
            let (left, right) = (bytes_of(*a), bytes_of(*b));
            left[depth.min(left.len())..]
                .cmp(&right[depth.min(right.len())..])
                .then(a.cmp(b))
        });
        return;
    }
    let mut ended = 0;
    scratch.keys.clear();
    for number in order.iter() {
        let rest = bytes_of(*number).get(depth..).unwrap_or_default();
        ended += usize::from(rest.len() < 8);
        scratch.keys.push((key(rest), *number));
    }
    radix(scratch);
    // Zeros stand for the end: where some strings of a group end, their lengths decide among equal keys.
    let some_ended = ended > 0;
    let mut groups = Vec::new();
    let mut start = 0;
    for (at, (key, number)) in scratch.keys.iter().enumerate() {
        order[at] = *number;
        if *key != scratch.keys[start].0 {
            if at - start > 1 {
                groups.push(start..at);
            }
            start = at;
        }
    }
    if order.len() - start > 1 {
        groups.push(start..order.len());
    }
    for group in groups {
        let group = &mut order[group];
        if some_ended && group.iter().any(|n| bytes_of(*n).len() < depth + 8) {
            group.sort_by(|a, b| bytes_of(*a).cmp(bytes_of(*b)));
        } else {
            sort(group, depth + 8, bytes_of, scratch);
        }
    }
}

/// The first eight bytes as a number of the same order; shorter strings are padded with zeros.
fn key(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = bytes.len().min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_le_bytes(word).swap_bytes()
}

/// Sorts by key, stably, byte by byte from the last; bytes that all keys share cost nothing.
fn radix(scratch: &mut Scratch) {
    let Some((first, _)) = scratch.keys.first().copied() else {
        return;
    };
    let differ = scratch
        .keys
        .iter()
        .fold(0, |all, (key, _)| all | (key ^ first));
    scratch.other.resize(scratch.keys.len(), (0, 0));
    for byte in 0..8 {
        let shift = byte * 8;
        if differ >> shift & 0xff == 0 {
            continue;
        }
        let mut starts = [0usize; 257];
        for (key, _) in &scratch.keys {
            starts[(key >> shift & 0xff) as usize + 1] += 1;
        }
        for digit in 0..256 {
            starts[digit + 1] += starts[digit];
        }
        for entry in &scratch.keys {
            let at = &mut starts[(entry.0 >> shift & 0xff) as usize];
            scratch.other[*at] = *entry;
            *at += 1;
        }
        std::mem::swap(&mut scratch.keys, &mut scratch.other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(strings: &[Vec<u8>]) {
        let mut expected: Vec<u32> = (0..strings.len() as u32).collect();
        expected.sort_by_key(|number| &strings[*number as usize]);
        let order = sorted(strings.len() as u32, |number| &strings[number as usize]);
        assert_eq!(order, expected);
    }

    #[test]
    fn long_shared_prefixes_and_strings_that_end_in_zeros() {
        let mut strings = Vec::new();
        for number in 0..600u32 {
            let mut string = b"a prefix that all of them share/".to_vec();
            string.extend_from_slice(format!("{}", number * 7919 % 600).as_bytes());
            string.resize(string.len() + number as usize % 9, 0);
            strings.push(string);
        }
        check(&strings);
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_the_bytes(strings in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..20),
            0..400,
        )) {
            check(&strings);
        }

        #[test]
        fn few_letters_make_many_equal_strings(strings in proptest::collection::vec(
            proptest::collection::vec(0u8..2, 0..14), 0..600,
        )) {
            check(&strings);
        }
    }
}
