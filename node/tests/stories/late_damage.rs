//! A byte of a stored document goes wrong on disk: the shard is taken out of service and says which file it is.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::node::Node;

#[test]
fn a_damaged_shard_is_found_after_the_start_and_named() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    node.ok("PUT", "/hats", r#"{"settings": {"number_of_replicas": 0}}"#);
    node.ok("PUT", "/caps", r#"{"settings": {"number_of_replicas": 0}}"#);
    node.ok("PUT", "/caps/_doc/1?refresh=true", r#"{"colour": "red"}"#);
    let mut lines = String::new();
    for number in 0..4000 {
        lines += "{\"index\":{}}\n";
        lines += &format!(
            "{}\n",
            json!({"text": format!("{:x} hat", number * 2_654_435_761u64)})
        );
    }
    node.ok("POST", "/hats/_bulk?refresh=true", &lines);
    let uuid = node.ok("GET", "/hats/_settings", "")["hats"]["settings"]["index"]["uuid"].clone();
    node.ok("POST", "/hats/_forcemerge?max_num_segments=1", "");
    node.stop();

    let folder = data
        .path()
        .join("indices")
        .join(uuid.as_str().expect("a uuid"));
    let file = segment_in(&folder);
    let mut bytes = std::fs::read(&file).expect("a segment");
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("written");

    let node = Node::start(data.path());
    let deadline = Instant::now() + Duration::from_secs(60);
    while node.ok("GET", "/_cluster/health", "")["status"] != json!("red") {
        assert!(Instant::now() < deadline, "nobody found the damage");
        std::thread::sleep(Duration::from_millis(100));
    }
    let name = file
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let explained = node.ok("GET", "/_cluster/allocation/explain", "");
    assert_eq!(explained["index"], json!("hats"));
    let details = explained["unassigned_info"]["details"]
        .as_str()
        .unwrap_or("");
    assert!(details.contains(&name), "{explained}");
    let (status, body) = node.send("GET", "/hats/_search", "");
    assert_eq!(status, 503, "{body}");
    let found: Value = node.ok("GET", "/caps/_search", "");
    assert_eq!(found["hits"]["total"]["value"], json!(1));
}

fn segment_in(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder.join("0").join("index")).expect("a folder");
    let mut segments: Vec<PathBuf> = files
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "qsg"))
        .collect();
    segments.sort_by_key(|path| std::fs::metadata(path).map_or(0, |file| file.len()));
    segments.pop().expect("a segment")
}
