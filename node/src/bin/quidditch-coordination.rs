//! The `quidditch-coordination` program: serves REST over the shards of others.

use std::process::ExitCode;

use quidditch_node::command_line;
use quidditch_node::config::Role;

fn main() -> ExitCode {
    command_line::main(Role::Coordination)
}
