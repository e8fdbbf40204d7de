//! What can go wrong with a segment's bytes.

use std::io;

use crate::ids::SegmentId;

/// A segment file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenSegmentError {
    /// The bytes are no segment, or their structure or a checksum is broken.
    #[error(
        "segment {segment}: {section}: {what}; the file is damaged, recover this shard from another copy"
    )]
    Damaged {
        /// Name of the segment as the caller knows it.
        segment: SegmentId,
        /// Which part of the file.
        section: String,
        /// What is wrong there.
        what: String,
    },
    /// The file was written by a release with another format.
    #[error(
        "segment {segment}: format v{found}, this build reads v{oldest}..=v{newest}; \
         open the index with a release that reads v{found} and force-merge it"
    )]
    UnsupportedFormat {
        /// Name of the segment.
        segment: SegmentId,
        /// Version in the file.
        found: u16,
        /// Oldest version this build reads.
        oldest: u16,
        /// Newest version this build reads.
        newest: u16,
    },
    /// The file belongs to another segment than its name says.
    #[error("segment {segment}: the file says it is segment {found}; it was copied or renamed")]
    OtherSegment {
        /// Name of the segment as the caller knows it.
        segment: SegmentId,
        /// Name in the file.
        found: SegmentId,
    },
}

/// Bytes of a segment read after it was opened are not what was written.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "segment {segment}: {section}: {what}; the file is damaged, recover this shard from another copy"
)]
pub struct ReadError {
    /// The segment.
    pub segment: SegmentId,
    /// Which part of the file.
    pub section: String,
    /// What is wrong there.
    pub what: String,
}

/// A full check found damage.
#[derive(Debug, thiserror::Error)]
#[error(
    "segment {segment}: {section}: {what}; the file is damaged, recover this shard from another copy"
)]
pub struct VerifyError {
    /// The segment.
    pub segment: SegmentId,
    /// Which part of the file.
    pub section: String,
    /// What is wrong there.
    pub what: String,
}

impl From<ReadError> for VerifyError {
    fn from(error: ReadError) -> Self {
        VerifyError {
            segment: error.segment,
            section: error.section,
            what: error.what,
        }
    }
}

/// Several segments could not be made into one.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// An input is damaged; nothing of the output may be used.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output could not be written.
    #[error("merge output: {0}")]
    Write(#[from] io::Error),
    /// The caller asked to stop.
    #[error("merge cancelled")]
    Cancelled,
    /// The result would pass a limit of the format.
    #[error("merge output: {0}; merge fewer segments at once")]
    TooLarge(String),
}
