//! The generated code is what the `.proto` files say.

use std::path::Path;

const FILES: &[&str] = &["quidditch/state/v1/journal.proto"];

#[test]
fn generated_code_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = tempfile::tempdir().expect("a folder");
    let descriptors = protox::compile(FILES, [root]).expect("the .proto files compile");
    tonic_prost_build::configure()
        .out_dir(made.path())
        .compile_fds(descriptors)
        .expect("code is generated");
    let kept = root.join("src/generated");
    for entry in std::fs::read_dir(made.path()).expect("generated files") {
        let entry = entry.expect("an entry");
        let fresh = std::fs::read_to_string(entry.path()).expect("generated text");
        let target = kept.join(entry.file_name());
        if std::env::var_os("UPDATE_PROTO").is_some() {
            std::fs::write(&target, &fresh).expect("kept text");
        }
        let old = std::fs::read_to_string(&target).unwrap_or_default();
        assert!(
            old == fresh,
            "{} is out of date: UPDATE_PROTO=1 cargo test -p quidditch-proto",
            target.display()
        );
    }
}
