//! Regular expressions in Lucene's dialect, as automata over bytes.
//!
//! States are expressions: reading a byte turns an expression into its derivative (Brzozowski, "Derivatives of regular
//! expressions", 1964), which makes intersection and complement as easy as union. Expressions are interned and states are
//! made when first needed, up to a limit, past which nothing more is accepted and [`Matcher::overflowed`] tells.

mod derivative;
mod parser;

pub(crate) use derivative::{Builder, Expression, Matcher};
pub(crate) use parser::{parse, wildcard};
