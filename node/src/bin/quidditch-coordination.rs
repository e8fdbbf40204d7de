//! The `quidditch-coordination` program: serves REST over the shards of others.

mod launch;

use std::process::ExitCode;

fn main() -> ExitCode {
    launch::launch("quidditch-coordination")
}
