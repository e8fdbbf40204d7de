//! A server with a folder of its own, which may be stopped and started again.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::node::Node;

/// Status and body.
pub type Answer = (u16, Value);

/// One server on one folder.
pub struct Shop {
    /// The process; `None` only while it is being started again.
    node: Option<Node>,
    dir: TempDir,
}

impl Shop {
    /// Starts a server on an empty folder.
    pub fn open() -> Shop {
        Shop::open_with(&[])
    }

    /// Starts a server with settings, each `key=value`.
    pub fn open_with(settings: &[&str]) -> Shop {
        let dir = tempfile::tempdir().expect("a folder for the story");
        let node = Node::start_with(&dir.path().join("data"), settings);
        Shop {
            node: Some(node),
            dir,
        }
    }

    /// The running server.
    pub fn node(&self) -> &Node {
        self.node.as_ref().expect("it runs between two calls")
    }

    /// The folder of the server's data.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Stops it as an operator does, and starts it again on the same folder.
    pub fn restart(&mut self) {
        self.node.take().expect("it runs").stop();
        self.node = Some(Node::start(&self.data_dir()));
    }

    /// Stops it as a power cut does, and starts it again on the same folder.
    pub fn kill_9_and_restart(&mut self) {
        drop(self.node.take());
        self.node = Some(Node::start(&self.data_dir()));
    }

    /// Stops it for good.
    pub fn close(mut self) {
        self.node.take().expect("it runs").stop();
    }

    /// `GET`
    pub fn get(&self, path: &str) -> Answer {
        self.node().send("GET", path, "")
    }

    /// `PUT` with a JSON body.
    pub fn put(&self, path: &str, body: Value) -> Answer {
        self.node().send("PUT", path, &body.to_string())
    }

    /// `POST` with a JSON body.
    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.node().send("POST", path, &body.to_string())
    }

    /// `DELETE`
    pub fn delete(&self, path: &str) -> Answer {
        self.node().send("DELETE", path, "")
    }
}
