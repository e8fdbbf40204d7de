//! The full check of a shard's bytes.

use super::ShardError;
use super::commit::{Commit, FileStamp, commit_name, live_docs_name, segment_name};
use super::inner::Inner;
use crate::segment::SegmentReader;
use crate::translog::frame::crc32c;

/// See [`Shard::verify`](super::Shard::verify). A flush waits only while the small files and the translog are read;
/// segments stay readable when a merge removes their names meanwhile.
pub(super) fn verify(inner: &Inner) -> Result<(), ShardError> {
    let mut segments = Vec::new();
    {
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
            if let Some(live) = segment.live {
                let name = live_docs_name(segment.id, live.generation);
                let bytes = inner.directory.open(&name).map_err(ShardError::io(&name))?;
                check_file(&name, &bytes, live.file)?;
            }
            let name = segment_name(segment.id);
            let bytes = inner.directory.open(&name).map_err(ShardError::io(&name))?;
            segments.push((segment.id, name, segment.file, bytes));
        }
        for operation in inner.translog.operations(0)? {
            operation?;
        }
    }
    for (id, name, stamp, bytes) in segments {
        check_file(&name, &bytes, stamp)?;
        let reader =
            SegmentReader::open(id, bytes).map_err(|error| corrupt(&name, error.to_string()))?;
        reader
            .verify()
            .map_err(|error| corrupt(&name, error.to_string()))?;
    }
    for entry in &inner.view.load().segments {
        let file = entry.reader.id();
        entry
            .reader
            .verify()
            .map_err(|error| corrupt(&segment_name(file), error.to_string()))?;
    }
    Ok(())
}

fn corrupt(file: &str, reason: String) -> ShardError {
    ShardError::Corrupt {
        file: file.to_owned(),
        reason,
    }
}

fn check_file(name: &str, bytes: &[u8], stamp: FileStamp) -> Result<(), ShardError> {
    let (len, crc) = (bytes.len() as u64, crc32c(bytes));
    if len != stamp.len || crc != stamp.crc {
        return Err(corrupt(
            name,
            format!(
                "it has {len} bytes and checksum {crc:#010x}, the commit point says {} and {:#010x}",
                stamp.len, stamp.crc
            ),
        ));
    }
    Ok(())
}
