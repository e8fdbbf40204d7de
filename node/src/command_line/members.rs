//! `members`: who belongs to the group of masters.

use clap::{Arg, ArgMatches, Command};

use super::ask::{block_on, grpc_address};
use crate::config::Config;
use crate::master::raft::MasterMember;
use crate::master::remote::{add_master, list_masters, remove_master};

/// What the subcommand understands.
pub(super) fn command() -> Command {
    Command::new("members")
        .about("Shows or changes who belongs to the group of masters; asks the master at the configured address")
        .subcommand_required(true)
        .subcommand(Command::new("list").about("Shows the masters"))
        .subcommand(
            Command::new("add")
                .about("Takes a master that runs into the group: a new one, or one that was taken out and has its data still")
                .arg(
                    Arg::new("member")
                        .value_name("HOST:PORT")
                        .help("Where its raft answers")
                        .required(true),
                ),
        )
        .subcommand(
            Command::new("remove")
                .about("Takes a master out of the group; it does not come back by itself, only by `add`")
                .arg(
                    Arg::new("member")
                        .value_name("NAME")
                        .help("Its name, or its number as `list` shows it")
                        .required(true),
                ),
        )
}

/// Carries it out and shows the group after it.
pub(super) fn run(config: &Config, what: &ArgMatches) -> anyhow::Result<()> {
    let address = grpc_address(config)?;
    let cluster = &config.cluster_name;
    let members = block_on(async {
        let member = |what: &ArgMatches| {
            let given = what.get_one::<String>("member").cloned();
            // the command line was refused without it
            given.unwrap_or_default()
        };
        match what.subcommand() {
            Some(("add", what)) => add_master(&address, cluster, &member(what)).await,
            Some(("remove", what)) => remove_master(&address, cluster, &member(what)).await,
            _ => list_masters(&address).await,
        }
    })??;
    print!("{}", shown(&members));
    Ok(())
}

fn shown(members: &[MasterMember]) -> String {
    let row = |name: &str, number: &str, raft: &str, grpc: &str, role: &str| {
        format!("{name:<20}  {number:<20}  {raft:<22}  {grpc:<22}  {role}\n")
    };
    let mut text = row("NAME", "NUMBER", "RAFT", "GRPC", "ROLE");
    for member in members {
        let role = match (member.is_leader, member.is_voter) {
            (true, _) => "leader",
            (false, true) => "voter",
            (false, false) => "learner",
        };
        let number = member.raft_id.to_string();
        text.push_str(&row(
            &member.name,
            &number,
            &member.raft_address,
            &member.grpc_address,
            role,
        ));
    }
    text
}
