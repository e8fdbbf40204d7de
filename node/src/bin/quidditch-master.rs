//! The `quidditch-master` program: agrees with the others on the cluster state.

use std::process::ExitCode;

use quidditch_node::command_line;
use quidditch_node::config::Role;

fn main() -> ExitCode {
    command_line::main(Role::Master)
}
