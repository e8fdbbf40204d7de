//! Reads the index of terms, which the [`fst`] crate (version 3 of its format) wrote: from a key to a number, both ascending.
//!
//! The crate trusts the bytes and reads more of each node than a look for one key needs. Here every byte is looked for where
//! it may not be, and a node is read as far as it is asked.
//!
//! A node ends at its address; its parts lie before it, each before the one above it:
//!
//! | part     | bytes | meaning                                                                                      |
//! |----------|------:|----------------------------------------------------------------------------------------------|
//! | state    |     1 | highest bits `11`: one transition, to the node right before, which adds nothing; `10`: one transition; else, bit 6: a key ends here. Lower 6 bits: of one transition, 1 and more: its input, by [`COMMON`]; else the number of transitions, 0: in the next part |
//! | more     |     1 | if those bits are 0: the input; or the number of transitions, 1 standing for 256             |
//! | sizes    |     1 | but of `11`: bytes of an address (high half) and of an output                                |
//! | index    |   256 | of more than 32 transitions: the number of the transition for each input, too high for none  |
//! | inputs   |     … | of many transitions: the first one last, as are those below; they ascend                      |
//! | targets  |     … | how far the target's address is before the start of this node; 0: the node without parts     |
//! | outputs  |     … | what each transition adds to the number                                                      |
//! | output   |     … | what the end of a key adds, if one ends here                                                 |
//!
//! The node of address 0 has no parts: a key ends there. The address of the root is 12 bytes before the end.

use crate::format::bytes::{Malformed, u64_at};

/// Version of the format, its first number.
const VERSION: u64 = 3;
/// Transitions from which on there is an index of them.
const INDEXED_FROM: usize = 33;
/// Inputs that are told by the state alone.
const COMMON: &[u8; 63] = b"te/oasripcnw.hlm-du012g=:bf3y5&_4v9678k%?xCDASFIBEjPTzRNM+LOqHG";

/// A node, as far as it was read.
#[derive(Clone, Copy)]
struct Node<'a> {
    bytes: &'a [u8],
    transitions: usize,
    /// Of a single transition.
    input: Option<u8>,
    /// Whether that leads to the node right before.
    is_chain: bool,
    is_final: bool,
    /// Where the parts end that lie below the index.
    inputs_end: usize,
    targets_end: usize,
    outputs_end: usize,
    target_len: usize,
    output_len: usize,
    /// Where the node starts.
    start: usize,
}

const BROKEN: Malformed = Malformed("has an index that is no fst");

/// Checks version and sum of the bytes.
pub(crate) fn verify(bytes: &[u8]) -> Result<(), Malformed> {
    if u64_at(bytes, 0) != Some(VERSION) {
        return Err(BROKEN);
    }
    let map = fst::Map::new(bytes).map_err(|_| BROKEN)?;
    map.as_fst().verify().map_err(|_| BROKEN)
}

/// The value of the last key that is not above `term`; `None` if all are.
pub(crate) fn last_not_above(bytes: &[u8], term: &[u8]) -> Result<Option<u64>, Malformed> {
    let root = bytes.len().checked_sub(12).ok_or(BROKEN)?;
    let mut address = number(bytes, root, 8)? as usize;
    let mut value = 0u64;
    // The best so far: a key on the way, or the last of all keys below a branch that was passed by, a transition of a node.
    let mut key = None;
    let mut branch = None;
    let mut rest = term.iter();
    loop {
        let node = Node::read(bytes, address)?;
        if node.is_final {
            (key, branch) = (Some(value.wrapping_add(node.final_output()?)), None);
        }
        let Some(byte) = rest.next() else {
            break;
        };
        let (below, found) = node.find(*byte)?;
        if let Some(last) = below.checked_sub(1) {
            branch = Some((node, last, value));
        }
        if !found {
            break;
        }
        (value, address) = node.follow(below, value)?;
    }
    let Some((mut node, mut last, mut value)) = branch else {
        return Ok(key);
    };
    loop {
        (value, address) = node.follow(last, value)?;
        node = Node::read(bytes, address)?;
        match node.transitions.checked_sub(1) {
            Some(transition) => last = transition,
            None => return Ok(Some(value.wrapping_add(node.final_output()?))),
        }
    }
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8], address: usize) -> Result<Node<'a>, Malformed> {
        let mut node = Node {
            bytes,
            transitions: 0,
            input: None,
            is_chain: false,
            is_final: true,
            inputs_end: 0,
            targets_end: 0,
            outputs_end: 0,
            target_len: 0,
            output_len: 0,
            start: 0,
        };
        if address == 0 {
            return Ok(node);
        }
        let state = byte(bytes, address)?;
        let (kind, low) = (state >> 6, usize::from(state & 63));
        node.is_final = kind == 1;
        // Parts are cut off from the end: places before the first byte wrap around, and hold no byte.
        let mut end = address;
        let mut more = 0;
        if low == 0 {
            end = end.wrapping_sub(1);
            more = byte(bytes, end)?;
        }
        if kind >= 2 {
            node.transitions = 1;
            node.input = Some(match low {
                0 => more,
                low => COMMON[low - 1],
            });
        } else {
            node.transitions = match (low, more) {
                (0, 1) => 256,
                (0, more) => usize::from(more),
                (low, _) => low,
            };
        }
        if kind == 3 {
            (node.is_chain, node.start) = (true, end);
            return Ok(node);
        }
        end = end.wrapping_sub(1);
        let sizes = byte(bytes, end)?;
        (node.target_len, node.output_len) = (usize::from(sizes >> 4), usize::from(sizes & 15));
        if node.transitions >= INDEXED_FROM {
            end = end.wrapping_sub(256);
        }
        node.inputs_end = end;
        if node.input.is_none() {
            end = end.wrapping_sub(node.transitions);
        }
        node.targets_end = end;
        node.outputs_end = end.wrapping_sub(node.transitions * node.target_len);
        let outputs = node.transitions + usize::from(node.is_final);
        node.start = node.outputs_end.wrapping_sub(outputs * node.output_len);
        // Whoever goes on from here gets nearer to the first byte with each step.
        match node.start <= address {
            true => Ok(node),
            false => Err(BROKEN),
        }
    }

    /// How many transitions have inputs below one, and whether the next one has it.
    fn find(&self, wanted: u8) -> Result<(usize, bool), Malformed> {
        if let Some(input) = self.input {
            return Ok((usize::from(input < wanted), input == wanted));
        }
        if self.transitions >= INDEXED_FROM {
            let place = self.inputs_end.wrapping_add(usize::from(wanted));
            let transition = usize::from(byte(self.bytes, place)?);
            if transition < self.transitions {
                return Ok((transition, true));
            }
        }
        let inputs = self.inputs_end.wrapping_sub(self.transitions)..self.inputs_end;
        let inputs = self.bytes.get(inputs).ok_or(BROKEN)?;
        // A node of 256 has all inputs, as its index told: a byte holds how many are below.
        let below = inputs.iter().map(|input| u8::from(*input < wanted));
        let below = usize::from(below.fold(0u8, u8::wrapping_add));
        let next = inputs.iter().rev().nth(below);
        Ok((below, next == Some(&wanted)))
    }

    /// Where a transition leads, and what the way there adds up to.
    fn follow(&self, transition: usize, value: u64) -> Result<(u64, usize), Malformed> {
        if self.is_chain {
            return Ok((value, self.start.checked_sub(1).ok_or(BROKEN)?));
        }
        let back = (transition + 1) * self.target_len;
        let place = self.targets_end.wrapping_sub(back);
        let target = match number(self.bytes, place, self.target_len)? {
            0 => 0,
            distance => {
                let target = (self.start as u64).checked_sub(distance);
                target.ok_or(BROKEN)? as usize
            }
        };
        let place = (self.outputs_end).wrapping_sub((transition + 1) * self.output_len);
        let output = number(self.bytes, place, self.output_len)?;
        Ok((value.wrapping_add(output), target))
    }

    fn final_output(&self) -> Result<u64, Malformed> {
        number(self.bytes, self.start, self.output_len)
    }
}

fn byte(bytes: &[u8], place: usize) -> Result<u8, Malformed> {
    bytes.get(place).copied().ok_or(BROKEN)
}

/// A number of up to 8 bytes, little-endian. Behind all nodes there are more bytes than that.
fn number(bytes: &[u8], place: usize, len: usize) -> Result<u64, Malformed> {
    if len == 0 {
        return Ok(0);
    }
    let word = bytes.get(place..).and_then(<[u8]>::first_chunk);
    let word = u64::from_le_bytes(*word.ok_or(BROKEN)?);
    Ok(word & (u64::MAX >> (64 - 8 * len.min(8))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Bound;

    use super::*;
    use proptest::prelude::*;

    /// The index of some keys.
    fn index(keys: &BTreeMap<Vec<u8>, u64>) -> Vec<u8> {
        let mut builder = fst::MapBuilder::memory();
        for (key, value) in keys {
            builder.insert(key, *value).unwrap();
        }
        builder.into_inner().unwrap()
    }

    /// Keys of few letters and of many, with numbers that ascend by steps, the empty one among them or not.
    fn keys() -> impl Strategy<Value = BTreeMap<Vec<u8>, u64>> {
        let letter = || prop_oneof![b'a'..b'e', any::<u8>()];
        let key = proptest::collection::vec(letter(), 0..6);
        let all = proptest::collection::btree_map(key, 1u64..1000, 1..400);
        (all, any::<bool>()).prop_map(|(mut keys, far)| {
            let mut sum = 0;
            for step in keys.values_mut() {
                sum += *step * if far { 1 << 40 } else { 1 };
                *step = sum;
            }
            keys
        })
    }

    proptest! {
        #[test]
        fn the_last_key_is_found_that_is_not_above(
            keys in keys(),
            others in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..7), 0..50),
        ) {
            let bytes = index(&keys);
            let longer = keys.keys().map(|key| [&key[..], b"c"].concat());
            let shorter = keys.keys().map(|key| key[..key.len() / 2].to_vec());
            for term in keys.keys().cloned().chain(longer).chain(shorter).chain(others) {
                let not_above = (Bound::Unbounded, Bound::Included(term.clone()));
                let expected = keys.range(not_above).next_back().map(|(_, value)| *value);
                prop_assert_eq!(last_not_above(&bytes, &term), Ok(expected));
            }
        }

        #[test]
        fn any_bytes_lead_to_an_end(
            keys in keys(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
            len in any::<prop::sample::Index>(),
        ) {
            let mut bytes = index(&keys);
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            for key in keys.keys() {
                let _ = last_not_above(&bytes, key);
                let _ = last_not_above(&bytes[..len.index(bytes.len())], key);
            }
        }
    }
}
