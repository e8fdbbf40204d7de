//! The `quidditch-data` program: keeps and searches shards.

use std::process::ExitCode;

use quidditch_node::command_line;
use quidditch_node::config::Role;

fn main() -> ExitCode {
    command_line::main(Role::Data)
}
