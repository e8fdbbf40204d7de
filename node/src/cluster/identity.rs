//! Who this node is, across restarts.

use std::io::{self, Write};

use quidditch_engine::directory::Directory;

use super::node::NodeId;

const FILE: &str = "node-id";
const FILE_NEW: &str = "node-id-new";

/// The id of the node that owns a directory; a new directory takes `fresh`, for good.
pub fn node_id(directory: &dyn Directory, fresh: &str) -> io::Result<NodeId> {
    let names = directory.list()?;
    if names.iter().any(|name| name == FILE) {
        let bytes = directory.open(FILE)?;
        let is_id = bytes.len() == 22
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
        let text = std::str::from_utf8(&bytes).ok().filter(|_| is_id);
        return match text {
            Some(text) => Ok(NodeId(text.to_owned())),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{FILE}: is no node id; restore the file, or remove it to let the node take a new id"
                ),
            )),
        };
    }
    if names.iter().any(|name| name == FILE_NEW) {
        directory.delete(FILE_NEW)?;
    }
    let mut writer = directory.create(FILE_NEW)?;
    writer.write_all(fresh.as_bytes())?;
    writer.sync()?;
    directory.rename(FILE_NEW, FILE)?;
    directory.sync_names()?;
    Ok(NodeId(fresh.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quidditch_engine::directory::ram::RamDirectory;

    #[test]
    fn the_first_id_stays() {
        let directory = RamDirectory::new();
        let first = node_id(&directory, "aaaaaaaaaaaaaaaaaaaaaa").unwrap();
        let second = node_id(&directory, "bbbbbbbbbbbbbbbbbbbbbb").unwrap();
        assert_eq!(first, second);
    }
}
