//! Phrases without slop.

/// How many times slot `s` has a position `start + place(s)`, for all slots and one `start`.
///
/// `lead` is the slot whose positions are tried; any gives the same answer, the shortest list is the quickest.
pub(super) fn count_exact(
    positions: &[Vec<u32>],
    place: impl Fn(usize) -> u32,
    lead: usize,
) -> u32 {
    let mut at = vec![0usize; positions.len()];
    let mut count = 0;
    'starts: for &position in &positions[lead] {
        let Some(start) = position.checked_sub(place(lead)) else {
            continue;
        };
        for (slot, list) in positions.iter().enumerate() {
            if slot == lead {
                continue;
            }
            let wanted = start + place(slot);
            while list.get(at[slot]).is_some_and(|found| *found < wanted) {
                at[slot] += 1;
            }
            match list.get(at[slot]) {
                None => break 'starts,
                Some(found) if *found != wanted => continue 'starts,
                Some(_) => {}
            }
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_starts_where_all_slots_fit() {
        let positions = [vec![0, 4, 9], vec![1, 5, 8], vec![2, 7]];
        for lead in 0..3 {
            assert_eq!(
                count_exact(&positions, |slot| slot as u32, lead),
                1,
                "{lead}"
            );
            assert_eq!(
                count_exact(&positions[..2], |slot| slot as u32, lead % 2),
                2
            );
        }
    }

    #[test]
    fn a_gap_between_places_counts() {
        let positions = [vec![3], vec![5]];
        assert_eq!(count_exact(&positions, |slot| slot as u32 * 2, 0), 1);
        assert_eq!(count_exact(&positions, |slot| slot as u32, 0), 0);
    }
}
