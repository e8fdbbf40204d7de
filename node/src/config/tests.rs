use super::*;

fn sample(role: Role) -> &'static str {
    match role {
        Role::All => include_str!("../../../deployments/quidditch.yml"),
        Role::Master => include_str!("../../../deployments/master.yaml"),
        Role::Coordination => include_str!("../../../deployments/coordination.yaml"),
        Role::Data => include_str!("../../../deployments/data.yaml"),
    }
}

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn read(role: Role, variables: &[(&str, &str)], arguments: &[&str]) -> Result<Config, ConfigError> {
    let sources = Sources {
        file: None,
        environment: environment(variables),
        arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
    };
    Config::read(role, &sources)
}

fn from_yaml(role: Role, yaml: &str) -> Result<Config, ConfigError> {
    let mut config = Config::of(role);
    let mut mistakes = Vec::new();
    config.set_yaml(yaml, &mut mistakes);
    checked(config, mistakes)
}

#[test]
fn the_program_says_the_role() {
    for role in ALL_ROLES {
        let path = Path::new("/opt/search").join(role.program());
        assert_eq!(Role::of_program(&path), Some(role));
    }
    assert_eq!(Role::of_program(Path::new("/usr/bin/search")), None);
    assert_eq!(Role::of_program(Path::new("/")), None);
}

#[test]
fn each_file_shows_every_setting_of_its_role_at_its_default() {
    for role in ALL_ROLES {
        let mut yaml = String::new();
        for line in sample(role).lines() {
            if let Some(setting) = line.strip_prefix('#')
                && !setting.starts_with(' ')
            {
                yaml.push_str(setting);
                yaml.push('\n');
            }
        }
        let uncommented = from_yaml(role, &yaml).unwrap();
        assert_eq!(uncommented, Config::of(role), "{}", role.name());
        for setting in SETTINGS {
            let key = setting.key.trim_end_matches('.');
            let is_shown = yaml
                .lines()
                .any(|line| line.starts_with(&format!("{key}: ")));
            assert_eq!(
                is_shown,
                setting.roles.contains(&role),
                "{key} in the file of {}",
                role.program()
            );
            let names_variable = sample(role).contains(setting.env);
            assert!(
                !is_shown || names_variable,
                "{}: {} of {key} is not named",
                role.program(),
                setting.env
            );
        }
        let as_it_is = from_yaml(role, sample(role)).unwrap();
        assert_eq!(as_it_is, Config::of(role));
    }
}

#[test]
fn what_is_shown_can_be_read_again() {
    for role in ALL_ROLES {
        let shown = Config::of(role).shown();
        let again: Vec<String> = shown
            .lines()
            .filter(|line| !line.ends_with("[]") && !line.ends_with("{}"))
            .map(|line| line.replacen(": ", "=", 1))
            .filter(|line| line != "raft.peers=")
            .collect();
        let sources = Sources {
            arguments: again,
            ..Sources::default()
        };
        assert_eq!(
            Config::read(role, &sources),
            Ok(Config::of(role)),
            "{shown}"
        );
    }
}

#[test]
fn keys_may_be_nested_or_dotted() {
    let yaml = "http: {port: 0}\nnode.attr.zone: a\npath.repo: [/a, /b]";
    let config = from_yaml(Role::All, yaml).unwrap();
    assert_eq!(config.http_port, 0);
    assert_eq!(config.node_attributes["zone"], "a");
    assert_eq!(config.repo_dirs.len(), 2);
}

#[test]
fn all_mistakes_of_all_sources_are_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data.yaml");
    std::fs::write(&file, "grpc.port: x\ncolour: red\nraft.peers: a:1\n").unwrap();
    let sources = Sources {
        file: Some(&file),
        environment: environment(&[("STORAGE_TIER", "tepid"), ("MASTER_ADDR", "m-1")]),
        arguments: vec!["log.format=xml".to_owned(), "loud".to_owned()],
    };
    let error = Config::read(Role::Data, &sources).unwrap_err();
    let shown = file.display();
    assert_eq!(
        error.mistakes,
        [
            &format!("{shown}: [grpc.port]: must be a port, 0 to 65535, but is [x]"),
            &format!("{shown}: [colour]: unknown setting"),
            &format!("{shown}: [raft.peers]: is no setting of quidditch-data"),
            "STORAGE_TIER: must be one of hot, warm, cold, but is [tepid]",
            "MASTER_ADDR: must be HOST:PORT, such as 10.0.0.7:9301, but is [m-1]",
            "[log.format]: must be text or json, but is [xml]",
            "-E loud: must be KEY=VALUE",
        ]
    );
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("master.yaml");
    std::fs::write(&file, "node.name: f\ncluster.name: f\nlog.level: error\n").unwrap();
    let sources = Sources {
        file: Some(&file),
        environment: environment(&[("NODE_ID", "e"), ("CLUSTER_NAME", "e")]),
        arguments: vec!["node.name=a".to_owned()],
    };
    let config = Config::read(Role::Master, &sources).unwrap();
    let names = [&config.node_name, &config.cluster_name, &config.log_level];
    assert_eq!(names, ["a", "e", "error"]);
}

#[test]
fn the_variables_of_each_role_take_effect() {
    let master = read(
        Role::Master,
        &[
            ("NODE_ID", "master-1"),
            ("RAFT_PEERS", "master-1:9300, master-2:9300,master-3:9300"),
            ("BOOTSTRAP", "true"),
            ("CLUSTER_NAME", "shop"),
            ("LOG_LEVEL", "debug"),
            ("MASTER_ADDR", "not read by a master"),
        ],
        &[],
    )
    .unwrap();
    assert_eq!(master.raft_peers.len(), 3);
    assert!(master.bootstrap);
    let data = read(
        Role::Data,
        &[
            ("NODE_ID", "data-1"),
            ("MASTER_ADDR", "master-1:9301,[::1]:9301"),
            ("STORAGE_TIER", "cold"),
            ("MAX_SHARDS", "500"),
            ("NUM_THREADS", "4"),
            ("MAX_MEMORY", "2g"),
            ("DIAGON_ENABLED", "false"),
            ("LOG_LEVEL", ""),
        ],
        &[],
    )
    .unwrap();
    assert_eq!((data.tier.as_str(), data.max_shards), ("cold", 500));
    assert_eq!((data.processors, data.masters.len()), (4, 2));
    assert_eq!(data.memory, MemoryLimit::Bytes(2 << 30));
    assert_eq!(data.diagon, Some(false));
    assert_eq!(data.log_level, "info", "an empty variable is none");
}

#[test]
fn ports_and_addresses() {
    let config = read(
        Role::Data,
        &[],
        &["grpc.port=0", "metrics.port=off", "network.host=0.0.0.0"],
    )
    .unwrap();
    assert_eq!((config.grpc_port, config.metrics_port), (0, None));
    assert_eq!(config.publish_host(), None);
    let [host, port] = http_address("[::1]:0").unwrap();
    let config = read(Role::All, &[], &[&host, &port]).unwrap();
    assert_eq!((config.http_host(), config.http_port), ("::1", 0));
    assert!(http_address("nowhere").is_err());
    assert!(http_address("host:99999").is_err());
    for wrong in ["m:0", ":9301", "::1:9301", "m:1,m:1", ","] {
        let error = read(Role::Data, &[("MASTER_ADDR", wrong)], &[]).unwrap_err();
        assert!(
            error.to_string().contains("MASTER_ADDR"),
            "{wrong}: {error}"
        );
    }
}

#[test]
fn a_log_level_that_is_none_is_refused_by_name() {
    let error = read(Role::All, &[("LOG_LEVEL", "loud")], &[]).unwrap_err();
    assert!(error.to_string().contains("[loud]"), "{error}");
    read(Role::All, &[], &["log.level=warn,quidditch_node=debug"]).unwrap();
}
