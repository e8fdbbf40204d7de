//! Bounded reading and plain writing of little-endian integers and varints.
//!
//! A varint is 7 bits a byte, lowest first, the top bit set on all bytes but the last; at most 10 bytes.

/// Bytes that do not follow their format: what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub &'static str);

/// Reads from the front of a slice; every read is checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByteReader<'a> {
    rest: &'a [u8],
}

impl<'a> ByteReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        ByteReader { rest: bytes }
    }

    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(Malformed("ends too early"))?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(self.u64()? as i64)
    }

    #[inline]
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        if let [byte, rest @ ..] = self.rest
            && *byte < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(Malformed("holds a broken varint"))
    }

    #[inline]
    pub fn varint_u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.varint()?).map_err(|_| Malformed("holds a varint above 32 bits"))
    }

    /// A varint that is used as a length of what follows in memory.
    pub fn varint_len(&mut self) -> Result<usize, Malformed> {
        let len = self.varint()?;
        usize::try_from(len).map_err(|_| Malformed("holds a length above the address space"))
    }

    /// A varint length and that many bytes.
    pub fn sized(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.varint_len()?;
        self.take(len)
    }
}

#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The `index`-th `u32` of an array of them.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], index: usize) -> Option<u32> {
    let start = index.checked_mul(4)?;
    let word = bytes.get(start..start.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

/// The `index`-th `u64` of an array of them.
#[inline]
pub(crate) fn u64_at(bytes: &[u8], index: usize) -> Option<u64> {
    let start = index.checked_mul(8)?;
    let word = bytes.get(start..start.checked_add(8)?)?;
    Some(u64::from_le_bytes(word.try_into().ok()?))
}

/// A stable 64-bit hash of bytes, part of the format of the `_id` filter: words of 8 bytes, little-endian, the last
/// one padded with zeros, multiplied and folded in one after the other, length first.
#[inline]
pub(crate) fn hash64(bytes: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
        hash ^= hash >> 29;
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut word = 0;
        for (index, byte) in rest.iter().enumerate() {
            word |= u64::from(*byte) << (8 * index);
        }
        hash = (hash ^ word).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn broken_varints_are_errors() {
        assert!(ByteReader::new(&[]).varint().is_err());
        assert!(ByteReader::new(&[0x80]).varint().is_err());
        assert!(ByteReader::new(&[0xff; 11]).varint().is_err());
        assert!(ByteReader::new(&[3, 1]).sized().is_err());
    }

    proptest! {
        #[test]
        fn varints_come_back(values: Vec<u64>) {
            let mut bytes = Vec::new();
            for value in &values {
                put_varint(&mut bytes, *value);
            }
            let mut reader = ByteReader::new(&bytes);
            for value in &values {
                prop_assert_eq!(reader.varint(), Ok(*value));
            }
            prop_assert_eq!(reader.remaining(), 0);
        }
    }
}
