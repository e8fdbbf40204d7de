//! What coordination asks of data nodes, as messages. Each file converts one kind of them, both ways.

mod documents;
mod errors;
mod searches;
mod shards;

pub use shards::{Seen, shard_of, target_of};

use super::tree::WireError;

/// A message that says how a call ended: with what was asked for, or with the shard's error.
pub trait Reply: Sized {
    /// What was asked for.
    type Value;
    /// The shard's error.
    type Error;

    /// Makes the message.
    fn of(outcome: Result<Self::Value, Self::Error>) -> Result<Self, WireError>;

    /// Reads the message.
    fn read(self) -> Result<Result<Self::Value, Self::Error>, WireError>;
}

/// One kind of reply: its message and that message's module, the variant of its value, the value, the error, how an error is
/// written, how the value is written, how it is read.
macro_rules! reply {
    (
        $reply:ident in $module:ident, $variant:ident: $value:ty, $error:ty, $write_error:expr,
        $write:expr, $read:expr $(,)?
    ) => {
        impl Reply for proto::$reply {
            type Value = $value;
            type Error = $error;

            fn of(outcome: Result<$value, $error>) -> Result<Self, WireError> {
                use proto::$module::Outcome;
                let write: fn($value) -> Result<_, WireError> = $write;
                let write_error: fn($error) -> Result<_, WireError> = $write_error;
                let outcome = match outcome {
                    Ok(value) => Outcome::$variant(write(value)?),
                    Err(error) => Outcome::Error(write_error(error)?),
                };
                Ok(proto::$reply {
                    outcome: Some(outcome),
                })
            }

            fn read(self) -> Result<Result<$value, $error>, WireError> {
                use proto::$module::Outcome;
                let read: fn(_) -> Result<$value, WireError> = $read;
                let missing = WireError::missing(stringify!($module));
                Ok(match self.outcome.ok_or(missing)? {
                    Outcome::$variant(value) => Ok(read(value)?),
                    Outcome::Error(error) => Err(error.try_into()?),
                })
            }
        }
    };
}
use reply;
