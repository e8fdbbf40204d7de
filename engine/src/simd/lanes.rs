//! How packed integers lie in lanes of 32 bits, whatever the instruction set.

/// Widths up to this one are unpacked in lanes of 32 bits: with an offset of up to 7 bits they fit.
pub(super) const LANE_WIDTH_MAX: u32 = 25;
/// Packed bytes of the widest such block, and room for loads that reach past its end.
pub(super) const PADDED: usize = 16 * LANE_WIDTH_MAX as usize + 64;

/// Bytes of a block that loads may touch.
pub(super) const fn reach(width: u32) -> usize {
    16 * width as usize + 16
}

/// How 8 values of one width lie in their bytes: values 0 to 3 are taken from 16 bytes at the start, values 4 to 7 from 16
/// bytes at `second`.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// For each byte of the 8 lanes, which byte of its 16 it is.
    pub shuffle: [u8; 32],
    /// For each lane, how far its value is from the lowest bit.
    pub shift: [u32; 8],
    pub second: usize,
}

const fn layout(width: usize) -> Layout {
    let mut layout = Layout {
        shuffle: [0; 32],
        shift: [0; 8],
        second: 4 * width / 8,
    };
    let mut lane = 0;
    while lane < 8 {
        let start = if lane < 4 { 0 } else { layout.second };
        let first = lane * width / 8 - start;
        layout.shift[lane] = (lane * width % 8) as u32;
        let mut byte = 0;
        while byte < 4 {
            layout.shuffle[lane * 4 + byte] = (first + byte) as u8;
            byte += 1;
        }
        lane += 1;
    }
    layout
}

/// By width.
pub(super) static LAYOUTS: [Layout; LANE_WIDTH_MAX as usize + 1] = {
    let mut layouts = [layout(0); LANE_WIDTH_MAX as usize + 1];
    let mut width = 0;
    while width < layouts.len() {
        layouts[width] = layout(width);
        width += 1;
    }
    layouts
};

/// The packed bytes of a block with zeros behind them.
pub(super) fn padded(width: u32, packed: &[u8]) -> [u8; PADDED] {
    let mut bytes = [0; PADDED];
    let len = packed.len().min(16 * width as usize);
    bytes[..len].copy_from_slice(&packed[..len]);
    bytes
}
