//! Names the code that decides the bytes of an index, so that kept indexes are used by the code that made them only.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;

fn hash(path: &Path, into: &mut DefaultHasher) -> io::Result<()> {
    if path.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path)?.collect::<io::Result<_>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        return entries
            .iter()
            .try_for_each(|entry| hash(&entry.path(), into));
    }
    path.file_name().hash(into);
    fs::read(path)?.hash(into);
    Ok(())
}

fn main() -> io::Result<()> {
    let mut hasher = DefaultHasher::new();
    for folder in ["format", "writer", "buffer"] {
        let path = Path::new("../engine/src").join(folder);
        println!("cargo::rerun-if-changed={}", path.display());
        hash(&path, &mut hasher)?;
    }
    let code = hasher.finish() as u32;
    println!("cargo::rustc-env=QUIDDITCH_INDEX_CODE={code:08x}");
    Ok(())
}
