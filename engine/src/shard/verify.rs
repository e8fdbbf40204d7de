//! The full check of a shard's bytes.

use super::ShardError;
use super::commit::{Commit, FileStamp, commit_name, live_docs_name, segment_name};
use super::inner::Inner;
use crate::segment::SegmentReader;
use crate::translog::frame::crc32c;

/// See [`Shard::verify`](super::Shard::verify). No flush runs meanwhile.
pub(super) fn verify(inner: &Inner) -> Result<(), ShardError> {
    let flushing = inner.flushing.lock();
    let commit = &flushing.commit;
    let name = commit_name(commit.generation);
    let bytes = inner.directory.open(&name).map_err(ShardError::io(&name))?;
    match Commit::decode(&bytes) {
        Ok(found) if found == *commit => {}
        Ok(_) => return Err(corrupt(&name, "it is not what was written".to_owned())),
        Err(reason) => return Err(corrupt(&name, reason)),
    }
    for segment in &commit.segments {
        let name = segment_name(segment.id);
        let bytes = check_file(inner, &name, segment.file)?;
        let reader = SegmentReader::open(segment.id, bytes)
            .map_err(|error| corrupt(&name, error.to_string()))?;
        reader
            .verify()
            .map_err(|error| corrupt(&name, error.to_string()))?;
        if let Some(live) = segment.live {
            check_file(
                inner,
                &live_docs_name(segment.id, live.generation),
                live.file,
            )?;
        }
    }
    for entry in &inner.view.load().segments {
        let file = entry.reader.id();
        entry
            .reader
            .verify()
            .map_err(|error| corrupt(&segment_name(file), error.to_string()))?;
    }
    for operation in inner.translog.operations(0)? {
        operation?;
    }
    Ok(())
}

fn corrupt(file: &str, reason: String) -> ShardError {
    ShardError::Corrupt {
        file: file.to_owned(),
        reason,
    }
}

fn check_file(
    inner: &Inner,
    name: &str,
    stamp: FileStamp,
) -> Result<crate::directory::ByteView, ShardError> {
    let bytes = inner.directory.open(name).map_err(ShardError::io(name))?;
    let (len, crc) = (bytes.len() as u64, crc32c(&bytes));
    if len != stamp.len || crc != stamp.crc {
        return Err(corrupt(
            name,
            format!(
                "it has {len} bytes and checksum {crc:#010x}, the commit point says {} and {:#010x}",
                stamp.len, stamp.crc
            ),
        ));
    }
    Ok(bytes)
}
