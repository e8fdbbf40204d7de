//! The `quidditch` program: all roles in one process, or the one role by whose program's name it was started.

use std::path::PathBuf;
use std::process::ExitCode;

use quidditch_node::command_line;
use quidditch_node::config::Role;

fn main() -> ExitCode {
    let started_as = std::env::args_os().next().map(PathBuf::from);
    let role = started_as.and_then(|program| Role::of_program(&program));
    command_line::main(role.unwrap_or(Role::All))
}
