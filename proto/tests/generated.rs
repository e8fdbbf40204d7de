//! The generated code is what the `.proto` files say.

use std::path::Path;

const FILES: &[&str] = &[
    "quidditch/data.proto",
    "quidditch/master.proto",
    "quidditch/node.proto",
    "quidditch/raft.proto",
    "quidditch/replication.proto",
    "quidditch/state/v1/journal.proto",
];

/// Messages whose `bytes` are cheap to share, since they go to many nodes or hold documents.
const SHARED_BYTES: &[&str] = &[
    ".quidditch.Diff",
    ".quidditch.ImagePart",
    ".quidditch.data.v1",
    ".quidditch.node.v1",
    ".quidditch.raft",
];

#[test]
fn generated_code_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = tempfile::tempdir().expect("a folder");
    let descriptors = protox::compile(FILES, [root]).expect("the .proto files compile");
    let mut shown = descriptors.clone();
    for file in &mut shown.file {
        file.source_code_info = None;
    }
    let bytes = prost::Message::encode_to_vec(&shown);
    std::fs::write(made.path().join("descriptors.bin"), bytes).expect("a written file");
    let builder = tonic_prost_build::configure().out_dir(made.path());
    SHARED_BYTES
        .iter()
        .fold(builder, |builder, path| builder.bytes(path))
        .compile_fds(descriptors)
        .expect("code is generated");
    let kept = root.join("src/generated");
    for entry in std::fs::read_dir(made.path()).expect("generated files") {
        let entry = entry.expect("an entry");
        let fresh = std::fs::read(entry.path()).expect("a generated file");
        let target = kept.join(entry.file_name());
        if std::env::var_os("UPDATE_PROTO").is_some() {
            std::fs::write(&target, &fresh).expect("a kept file");
        }
        let old = std::fs::read(&target).unwrap_or_default();
        assert!(
            old == fresh,
            "{} is out of date: UPDATE_PROTO=1 cargo test -p quidditch-proto",
            target.display()
        );
    }
}
