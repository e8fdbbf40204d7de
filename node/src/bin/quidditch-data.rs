//! The `quidditch-data` program: keeps and searches shards.

mod launch;

use std::process::ExitCode;

fn main() -> ExitCode {
    launch::launch("quidditch-data")
}
