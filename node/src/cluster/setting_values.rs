//! Times, sizes and ratios as settings write them.
