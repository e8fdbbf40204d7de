//! The `quidditch-master` program: agrees with the others on the cluster state.

mod launch;

use std::process::ExitCode;

fn main() -> ExitCode {
    launch::launch("quidditch-master")
}
