//! The four programs: their arguments, what can be asked of a process that runs, and what they say when they cannot start.

mod ask;
mod health;
mod members;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::{Config, ConfigError, Role, Sources, http_address};
use crate::{process, telemetry};

/// Runs the program of a role, from its arguments to its exit code.
pub fn main(role: Role) -> ExitCode {
    let arguments = command(role).get_matches();
    let result = match read_config(role, &arguments) {
        Err(error) => Err(error.into()),
        Ok(config) => match arguments.subcommand() {
            Some(("health", _)) => health::health(&config),
            Some(("members", what)) => members::run(&config, what),
            _ => start(config),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {}", role.program(), said_once(&error));
            match error.downcast_ref::<process::Fatal>() {
                Some(fatal) => ExitCode::from(fatal.code),
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn start(config: Config) -> anyhow::Result<()> {
    telemetry::init(&config).map_err(anyhow::Error::msg)?;
    process::run(config)
}

/// What the program understands.
fn command(role: Role) -> Command {
    let about = match role {
        Role::All => "A search engine that speaks OpenSearch's REST API",
        Role::Master => {
            "A master of a Quidditch cluster: agrees with the others on the cluster state"
        }
        Role::Coordination => {
            "A coordination node of a Quidditch cluster: serves OpenSearch's REST API"
        }
        Role::Data => "A data node of a Quidditch cluster: keeps and searches shards",
    };
    let option = |name: &'static str, value: &'static str, help: String| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .help(help)
            .global(true)
    };
    let file = match role.default_file() {
        None => "A file of settings, YAML".to_owned(),
        Some(file) => format!("A file of settings, YAML [default: {file}, if it is there]"),
    };
    let path = || value_parser!(PathBuf);
    let mut command = Command::new(role.program())
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .after_help(variables(role))
        .arg(
            option("data-dir", "DIR", "Where everything is kept [default: ./data]".to_owned())
                .value_parser(path()),
        )
        .arg(
            option("config", "FILE", file)
                .env("QUIDDITCH_CONFIG")
                .value_parser(path()),
        )
        .arg(
            Arg::new("setting")
                .short('E')
                .value_name("KEY=VALUE")
                .help("One setting, over the file's and the environment's")
                .action(ArgAction::Append)
                .global(true),
        )
        .subcommand(Command::new("health").about(
            "Asks the process at the configured address how it is; exits with 0 if it answers well, 1 if not",
        ));
    if role == Role::Master {
        command = command.subcommand(members::command());
    }
    if role.has_rest() {
        let help = "Where REST is served; port 0 picks one [default: 127.0.0.1:9200]";
        command = command
            .arg(option("http-addr", "HOST:PORT", help.to_owned()).env("QUIDDITCH_HTTP_ADDR"));
    }
    command
}

/// The part of the help that names the environment.
fn variables(role: Role) -> String {
    let mut text = String::from("Environment variables, over the file's settings:\n");
    for (variable, key) in Config::variables(role) {
        text.push_str(&format!("  {variable:<31} {key}\n"));
    }
    text.push_str("  QUIDDITCH_LOG                   log.level, over everything else");
    text
}

fn read_config(role: Role, arguments: &ArgMatches) -> Result<Config, ConfigError> {
    let mut sources = Sources {
        file: arguments.get_one::<PathBuf>("config").map(PathBuf::as_path),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        arguments: arguments
            .get_many::<String>("setting")
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
    };
    let mut mistakes = Vec::new();
    if role.has_rest()
        && let Some(address) = arguments.get_one::<String>("http-addr")
    {
        match http_address(address) {
            Ok(both) => sources.arguments.extend(both),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    let read = Config::read(role, &sources);
    match read {
        Ok(mut config) if mistakes.is_empty() => {
            if let Some(dir) = arguments.get_one::<PathBuf>("data-dir") {
                config.data_dir.clone_from(dir);
            }
            Ok(config)
        }
        Ok(_) => Err(ConfigError { mistakes }),
        Err(mut error) => {
            error.mistakes.extend(mistakes);
            Err(error)
        }
    }
}

/// An error and its causes, but those that the words before them hold already.
fn said_once(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if said.contains(&cause) {
            continue;
        }
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&cause);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ALL_ROLES;

    #[test]
    fn every_program_understands_its_arguments_and_names_its_variables() {
        for role in ALL_ROLES {
            command(role).debug_assert();
            let help = command(role).render_help().to_string();
            for (variable, key) in Config::variables(role) {
                assert!(help.contains(variable) && help.contains(key), "{help}");
            }
            assert_eq!(help.contains("--http-addr"), role.has_rest());
        }
    }

    #[test]
    fn flags_win_over_settings() {
        let arguments = command(Role::Coordination).get_matches_from([
            "quidditch-coordination",
            "-E",
            "http.port=1",
            "-E",
            "path.data=a",
            "--http-addr",
            "127.0.0.1:2",
            "--data-dir",
            "b",
        ]);
        let config = read_config(Role::Coordination, &arguments).unwrap();
        assert_eq!((config.http_port, config.data_dir), (2, "b".into()));
    }
}
