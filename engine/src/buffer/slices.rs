//! Many byte streams that grow side by side, in one pool: each is a chain of slices, each slice longer than the one before.

const POOL_BLOCK: usize = 1 << 16;
/// Data bytes of the slices of a stream, first to later; the last size repeats.
const SLICE_BYTES: [u8; 9] = [6, 12, 20, 32, 48, 72, 108, 160, 240];
const LINK_BYTES: usize = 4;

/// One stream: where it starts and where it goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stream {
    first: u32,
    at: u32,
    left: u8,
    level: u8,
    started: bool,
}

/// The pool.
#[derive(Debug, Default)]
pub(super) struct SlicePool {
    blocks: Vec<Box<[u8]>>,
    used: usize,
}

impl SlicePool {
    pub fn bytes_used(&self) -> usize {
        self.blocks.len() * POOL_BLOCK
    }

    fn allocate(&mut self, len: usize) -> u32 {
        if self.blocks.is_empty() || self.used + len > POOL_BLOCK {
            self.blocks.push(vec![0; POOL_BLOCK].into_boxed_slice());
            self.used = 0;
        }
        let address = (self.blocks.len() - 1) * POOL_BLOCK + self.used;
        self.used += len;
        u32::try_from(address)
            .expect("a buffer is frozen when it is full, long before its pool has 4 GiB")
    }

    #[inline]
    fn byte(&mut self, address: u32) -> &mut u8 {
        &mut self.blocks[address as usize / POOL_BLOCK][address as usize % POOL_BLOCK]
    }

    /// Appends a byte to a stream.
    #[inline]
    pub fn push(&mut self, stream: &mut Stream, byte: u8) {
        if stream.left == 0 {
            self.grow(stream);
        }
        *self.byte(stream.at) = byte;
        stream.at += 1;
        stream.left -= 1;
    }

    fn grow(&mut self, stream: &mut Stream) {
        let size = SLICE_BYTES[usize::from(stream.level)];
        let address = self.allocate(usize::from(size) + LINK_BYTES);
        if stream.started {
            // The link of a slice lies behind its data, where the stream now stands.
            for (index, byte) in address.to_le_bytes().into_iter().enumerate() {
                *self.byte(stream.at + index as u32) = byte;
            }
        } else {
            stream.first = address;
            stream.started = true;
        }
        stream.at = address;
        stream.left = size;
        stream.level = (stream.level + 1).min(SLICE_BYTES.len() as u8 - 1);
    }

    /// Appends a varint to a stream.
    #[inline]
    pub fn push_varint(&mut self, stream: &mut Stream, mut value: u64) {
        while value >= 0x80 {
            self.push(stream, value as u8 | 0x80);
            value >>= 7;
        }
        self.push(stream, value as u8);
    }

    /// Reads a stream from its start.
    pub fn read(&self, stream: &Stream) -> StreamReader<'_> {
        StreamReader {
            pool: self,
            at: stream.first,
            left: if stream.started { SLICE_BYTES[0] } else { 0 },
            level: 1,
        }
    }
}

/// Reads what was pushed; the caller knows how much that is.
#[derive(Debug)]
pub(super) struct StreamReader<'a> {
    pool: &'a SlicePool,
    at: u32,
    left: u8,
    level: u8,
}

impl StreamReader<'_> {
    #[inline]
    fn next(&mut self) -> u8 {
        if self.left == 0 {
            let mut link = [0; LINK_BYTES];
            let block = &self.pool.blocks[self.at as usize / POOL_BLOCK];
            let start = self.at as usize % POOL_BLOCK;
            link.copy_from_slice(&block[start..start + LINK_BYTES]);
            self.at = u32::from_le_bytes(link);
            self.left = SLICE_BYTES[usize::from(self.level)];
            self.level = (self.level + 1).min(SLICE_BYTES.len() as u8 - 1);
        }
        let byte = self.pool.blocks[self.at as usize / POOL_BLOCK][self.at as usize % POOL_BLOCK];
        self.at += 1;
        self.left -= 1;
        byte
    }

    #[inline]
    pub fn varint(&mut self) -> u64 {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = self.next();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn interleaved_streams_come_back(pushes in proptest::collection::vec((0usize..5, 0u64..1 << 40), 0..3000)) {
            let mut pool = SlicePool::default();
            let mut streams = [Stream::default(); 5];
            for (stream, value) in &pushes {
                pool.push_varint(&mut streams[*stream], *value);
            }
            let mut readers: Vec<_> = streams.iter().map(|stream| pool.read(stream)).collect();
            for (stream, value) in pushes {
                prop_assert_eq!(readers[stream].varint(), value);
            }
        }
    }
}
