//! The `quidditch` program: all roles in one process.

use std::process::ExitCode;

use quidditch_node::command_line;
use quidditch_node::config::Role;

fn main() -> ExitCode {
    command_line::main(Role::All)
}
