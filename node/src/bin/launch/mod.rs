//! What the programs of the roles are: small ones that start `quidditch`, which lies beside them, by their own name. It knows
//! its role by that name. The process stays the same: its id, its signals, what it inherited.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Name of the program that is every role.
const SERVER: &str = "quidditch";

/// Becomes the server by the name of a role's program; returns when that fails.
pub fn launch(program: &str) -> ExitCode {
    match std::env::current_exe() {
        Err(error) => eprintln!("{program}: cannot find out where this program is: {error}"),
        Ok(own) => {
            let server = own.with_file_name(SERVER);
            let arguments = std::env::args_os().skip(1);
            let error = Command::new(&server).arg0(program).args(arguments).exec();
            eprintln!(
                "{program}: cannot start {}: {error}; {program} only starts {SERVER} in its role, put both into one folder",
                server.display()
            );
        }
    }
    ExitCode::FAILURE
}
