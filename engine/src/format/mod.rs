//! Bytes on disk: the container of a segment, and the formats of what lies in it, by version.

pub(crate) mod bytes;
pub(crate) mod envelope;
pub(crate) mod impacts;
pub(crate) mod v1;
pub(crate) mod v2;
pub(crate) mod v3;
