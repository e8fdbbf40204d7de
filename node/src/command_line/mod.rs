//! The four programs: their arguments, what can be asked of a process that runs, and what they say when they cannot start.

mod ask;
mod health;
mod members;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::{Config, ConfigError, Role, Sources, http_address};
use crate::{process, telemetry};

/// Where the settings are, if the command line does not say.
const CONFIG_VARIABLE: &str = "QUIDDITCH_CONFIG";
/// Where REST is served, if the command line does not say.
const HTTP_ADDR_VARIABLE: &str = "QUIDDITCH_HTTP_ADDR";

/// Runs the program of a role, from its arguments to its exit code.
pub fn main(role: Role) -> ExitCode {
    // under this name `ps` and `pgrep` show it; where that cannot be it is only shown as `quidditch`
    let _ = std::fs::write("/proc/self/comm", role.program());
    let arguments = command(role).get_matches();
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let result = match read_config(role, &arguments, environment) {
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
            option("config", "FILE", file).value_parser(path()),
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
        command = command.arg(option("http-addr", "HOST:PORT", help.to_owned()));
    }
    command
}

/// The part of the help that names the environment.
fn variables(role: Role) -> String {
    let mut text = String::from("Environment variables, over the file's settings:\n");
    let mut line = |variable: &str, meaning: &str| {
        text.push_str(&format!("  {variable:<31} {meaning}\n"));
    };
    line(CONFIG_VARIABLE, "--config");
    for (variable, key) in Config::variables(role) {
        line(variable, key);
    }
    if role.has_rest() {
        line(HTTP_ADDR_VARIABLE, "--http-addr");
    }
    line("QUIDDITCH_LOG", "log.level, over everything else");
    text
}

/// A variable that is set to nothing counts as not set, as those of settings do.
fn read_config(
    role: Role,
    arguments: &ArgMatches,
    environment: BTreeMap<String, String>,
) -> Result<Config, ConfigError> {
    let variable = |name: &str| environment.get(name).filter(|text| !text.is_empty());
    let flag = arguments.get_one::<PathBuf>("config");
    let file = flag
        .cloned()
        .or_else(|| variable(CONFIG_VARIABLE).map(PathBuf::from));
    let (mut set, mut mistakes) = (Vec::new(), Vec::new());
    // what stands later wins
    if role.has_rest()
        && let Some(address) = variable(HTTP_ADDR_VARIABLE)
    {
        serve_at(address, &mut set, &mut mistakes);
    }
    let settings = arguments.get_many::<String>("setting");
    set.extend(settings.into_iter().flatten().cloned());
    if role.has_rest()
        && let Some(address) = arguments.get_one::<String>("http-addr")
    {
        serve_at(address, &mut set, &mut mistakes);
    }
    let sources = Sources {
        file: file.as_deref(),
        environment,
        arguments: set,
    };
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

/// Has REST served at an address.
fn serve_at(address: &str, set: &mut Vec<String>, mistakes: &mut Vec<String>) {
    match http_address(address) {
        Ok(both) => set.extend(both),
        Err(mistake) => mistakes.push(mistake),
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
        let config = read_config(Role::Coordination, &arguments, BTreeMap::new()).unwrap();
        assert_eq!((config.http_port, config.data_dir), (2, "b".into()));
    }

    fn read(flags: &[&str], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let flags = [&["quidditch"], flags].concat();
        let arguments = command(Role::All).get_matches_from(flags);
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        read_config(Role::All, &arguments, environment)
    }

    #[test]
    fn the_command_line_wins_over_the_variable_of_the_rest_address() {
        let set = [("QUIDDITCH_HTTP_ADDR", "127.0.0.2:1")];
        for (flags, host, port) in [
            (&[][..], "127.0.0.2", 1),
            (&["-E", "http.port=2"], "127.0.0.2", 2),
            (&["-E", "http.host=127.0.0.3"], "127.0.0.3", 1),
            (&["--http-addr", "127.0.0.4:3"], "127.0.0.4", 3),
        ] {
            let config = read(flags, &set).unwrap();
            assert_eq!((config.http_host(), config.http_port), (host, port));
        }
        let wrong = read(&[], &[("QUIDDITCH_HTTP_ADDR", "x")]).unwrap_err();
        assert!(wrong.to_string().contains("[x]"), "{wrong}");
    }

    #[test]
    fn a_variable_that_is_set_to_nothing_is_not_set() {
        let config = read(
            &[],
            &[("QUIDDITCH_HTTP_ADDR", ""), ("QUIDDITCH_CONFIG", "")],
        );
        assert_eq!(config, Ok(Config::of(Role::All)));
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, port: u16| {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("http.port: {port}\n")).unwrap();
            path.display().to_string()
        };
        let (a, b) = (file("a.yml", 1), file("b.yml", 2));
        let set = [("QUIDDITCH_CONFIG", a.as_str())];
        assert_eq!(read(&[], &set).unwrap().http_port, 1);
        assert_eq!(read(&["--config", &b], &set).unwrap().http_port, 2);
    }
}
