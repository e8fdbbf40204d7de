//! Somebody runs a cluster: three masters, a coordination node, data nodes, each a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use quidditch_tools::cluster::http::Http;
use quidditch_tools::cluster::{Cluster, Plan, ProxyHome, parse_tiers};
use serde_json::{Value, json};

struct Shop {
    cluster: Cluster,
    http: Http,
    _dir: tempfile::TempDir,
}

fn bin_dir() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_quidditch-data"));
    program.parent().expect("a folder").to_owned()
}

impl Shop {
    fn open(tiers: &str) -> Shop {
        Shop::open_with(tiers, |_| ())
    }

    fn open_with(tiers: &str, change: impl FnOnce(&mut Plan)) -> Shop {
        let dir = tempfile::tempdir().unwrap();
        let mut plan = Plan::new(dir.path().join("shop"), bin_dir());
        plan.name = "shop".to_owned();
        plan.threads = 2;
        plan.data = parse_tiers(tiers).unwrap();
        change(&mut plan);
        let shop = Shop {
            cluster: Cluster::up(&plan, &ProxyHome::Thread, &mut |line| println!("{line}"))
                .unwrap(),
            http: Http::new(Duration::from_secs(120)),
            _dir: dir,
        };
        // how full this machine's disk is, is not the question
        let no_watermarks =
            r#"{"persistent": {"cluster.routing.allocation.disk.threshold_enabled": false}}"#;
        shop.ok("PUT", "/_cluster/settings", no_watermarks);
        shop
    }

    #[track_caller]
    fn ok(&self, method: &str, path: &str, body: &str) -> Value {
        let url = format!("{}{path}", self.cluster.rest_urls()[0]);
        let answer = self.http.send(method, &url, body).expect("an answer");
        assert!(
            (200..300).contains(&answer.status),
            "{method} {path} answered {}: {}",
            answer.status,
            answer.body
        );
        serde_json::from_str(&answer.body).unwrap_or(Value::Null)
    }

    /// Waits until every node is there, and every copy.
    fn until_whole(&self) {
        let nodes = self.cluster.names().len();
        let began = Instant::now();
        loop {
            let url = format!("{}/_cluster/health", self.cluster.rest_urls()[0]);
            // the node that is asked may just be starting
            let health = self
                .http
                .get(&url)
                .map(|answer| answer.body)
                .unwrap_or_default();
            let health: Value = serde_json::from_str(&health).unwrap_or(Value::Null);
            if health["status"] == "green" && health["number_of_nodes"] == nodes {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(120), "{health}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn until_green(&self) {
        let began = Instant::now();
        loop {
            let health = self.ok("GET", "/_cluster/health", "");
            if health["status"] == "green" {
                return;
            }
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "not green: {health}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// `hats` with a replica and ten documents.
    fn with_hats(self) -> Shop {
        self.ok(
            "PUT",
            "/hats",
            r#"{"settings": {"number_of_shards": 2, "number_of_replicas": 1, "index.unassigned.node_left.delayed_timeout": "1s"}}"#,
        );
        let lines: String = (0..10)
            .map(|n| format!("{{\"index\":{{\"_id\":\"{n}\"}}}}\n{{\"n\":{n}}}\n"))
            .collect();
        let told = self.ok("POST", "/hats/_bulk?refresh=true", &lines);
        assert_eq!(told["errors"], false, "{told}");
        self.until_green();
        self
    }

    fn hats(&self) -> u64 {
        let found = self.ok(
            "POST",
            "/hats/_search",
            r#"{"query": {"match_all": {}}, "size": 100}"#,
        );
        assert_eq!(found["_shards"]["failed"], 0, "{found}");
        found["hits"]["hits"].as_array().expect("hits").len() as u64
    }

    /// The node that has the primary of the first shard.
    fn primary(&self) -> String {
        let copies = self.ok("GET", "/_cat/shards/hats?format=json", "");
        let copies = copies.as_array().expect("copies");
        let primary = copies
            .iter()
            .find(|copy| copy["prirep"] == "p" && copy["shard"] == "0");
        primary.expect("a primary")["node"]
            .as_str()
            .expect("a name")
            .to_owned()
    }

    fn command(&self, program: &str, node: &str, arguments: &[&str]) -> Output {
        let record = self.cluster.record().node(node).unwrap();
        let address = record.grpc.as_ref().expect("it was started");
        let (_, port) = address.rsplit_once(':').unwrap();
        Command::new(bin_dir().join(program))
            .args(arguments)
            .args([
                "-E",
                &format!("grpc.port={port}"),
                "-E",
                "cluster.name=shop",
            ])
            .output()
            .unwrap()
    }
}

#[test]
fn customers_keep_finding_hats_while_a_data_node_dies() {
    let mut shop = Shop::open("hot=2").with_hats();
    assert_eq!(shop.hats(), 10);
    let lost = shop.primary();
    shop.cluster.kill(&lost).unwrap();
    // the other copy takes over: nothing that was answered is lost, and writes go on
    let told = shop.ok(
        "PUT",
        "/hats/_doc/new?refresh=true&timeout=60s",
        r#"{"n": 10}"#,
    );
    assert_eq!(told["result"], "created");
    for n in 0..10 {
        let read = shop.ok("GET", &format!("/hats/_doc/{n}"), "");
        assert_eq!(read["_source"], json!({"n": n}), "{read}");
    }
    assert_eq!(shop.hats(), 11);
    shop.cluster.start(&lost).unwrap();
    shop.until_green();
    assert_eq!(shop.hats(), 11);
}

#[test]
fn a_cluster_that_was_stopped_comes_back_whole() {
    let mut shop = Shop::open("hot=1,warm=1").with_hats();
    let mut plan = Plan::new(shop._dir.path().join("shop"), bin_dir());
    plan.name = "shop".to_owned();
    plan.threads = 2;
    plan.data = parse_tiers("hot=1,warm=1").unwrap();
    shop.cluster.down(&mut |line| println!("{line}")).unwrap();
    let Shop {
        cluster,
        http,
        _dir,
    } = shop;
    drop(cluster);
    let cluster = Cluster::up(&plan, &ProxyHome::Thread, &mut |line| println!("{line}")).unwrap();
    let shop = Shop {
        cluster,
        http,
        _dir,
    };
    shop.until_green();
    assert_eq!(shop.hats(), 10);
    let tiers = shop.ok("GET", "/_cat/nodeattrs?format=json&h=node,attr,value", "");
    let has = |node: &str, tier: &str| {
        let row = json!({"node": node, "attr": "tier", "value": tier});
        tiers.as_array().expect("rows").contains(&row)
    };
    assert!(has("data-1", "hot") && has("data-2", "warm"), "{tiers}");
}

#[test]
fn an_export_goes_on_while_its_shard_moves_away() {
    let shop = Shop::open("hot=2");
    let one = r#"{"settings": {"number_of_shards": 1, "number_of_replicas": 0}}"#;
    shop.ok("PUT", "/hats", one);
    for n in 0..10 {
        shop.ok(
            "PUT",
            &format!("/hats/_doc/{n}"),
            &format!("{{\"n\": {n}}}"),
        );
    }
    shop.ok("POST", "/hats/_refresh", "");
    let page = shop.ok("POST", "/hats/_search?scroll=5m&size=4", "");
    let pit = shop.ok("POST", "/hats/_search/point_in_time?keep_alive=5m", "");
    let from = shop.primary();
    let to = if from == "data-1" { "data-2" } else { "data-1" };
    let moves = json!({"commands": [{"move": {"index": "hats", "shard": 0, "from_node": from, "to_node": to}}]});
    shop.ok("POST", "/_cluster/reroute", &moves.to_string());
    let moved = shop.ok(
        "GET",
        "/_cluster/health?wait_for_no_relocating_shards=true&timeout=60s",
        "",
    );
    assert_eq!(moved["timed_out"], false, "{moved}");
    let began = Instant::now();
    while shop.primary() != to {
        assert!(began.elapsed() < Duration::from_secs(60), "it did not move");
        std::thread::sleep(Duration::from_millis(50));
    }
    let within = json!({"pit": {"id": pit["pit_id"]}, "size": 20}).to_string();
    let found = shop.ok("POST", "/_search", &within);
    assert_eq!(found["hits"]["total"]["value"], 10, "{found}");
    assert_eq!(found["_shards"]["failed"], 0, "{found}");
    let next = json!({"scroll_id": page["_scroll_id"]}).to_string();
    let mut seen = 4;
    for _ in 0..2 {
        let page = shop.ok("POST", "/_search/scroll", &next);
        assert_eq!(page["_shards"]["failed"], 0, "{page}");
        seen += page["hits"]["hits"].as_array().unwrap().len();
    }
    assert_eq!(seen, 10);
}

/// Asks one coordination node or the other, and again only where the connection broke.
struct Customer<'a> {
    http: &'a Http,
    urls: &'a [String],
    turn: usize,
}

impl<'a> Customer<'a> {
    fn of(http: &'a Http, urls: &'a [String]) -> Customer<'a> {
        Customer {
            http,
            urls,
            turn: 0,
        }
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Value, String> {
        let mut broke = String::new();
        for _ in 0..200 {
            self.turn += 1;
            let url = format!("{}{path}", self.urls[self.turn % self.urls.len()]);
            match self.http.send(method, &url, body) {
                Ok(answer) if answer.status < 300 => {
                    return Ok(serde_json::from_str(&answer.body).unwrap());
                }
                Ok(answer) => {
                    return Err(format!(
                        "{method} {path}: {} {}",
                        answer.status, answer.body
                    ));
                }
                Err(error) => broke = error.reason,
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("{method} {path}: nobody answers: {broke}"))
    }
}

/// Buys hats and looks at each; gives how many, and each error.
fn shop_on(mut customer: Customer<'_>, is_closing: &AtomicBool) -> (u32, Vec<String>) {
    let (mut bought, mut errors) = (0, Vec::new());
    while !is_closing.load(Ordering::Relaxed) {
        let path = format!("/hats/_doc/b{bought}");
        bought += 1;
        let wrote = customer.ask("PUT", &path, r#"{"n": 1000}"#);
        let read = customer.ask("GET", &path, "");
        errors.extend([wrote, read].into_iter().filter_map(Result::err));
    }
    (bought, errors)
}

/// Looks for hats, of which the first ten are always there; gives how often, and each error.
fn look_round(mut customer: Customer<'_>, is_closing: &AtomicBool) -> (u32, Vec<String>) {
    let (mut looks, mut errors) = (0, Vec::new());
    while !is_closing.load(Ordering::Relaxed) {
        looks += 1;
        let body = r#"{"query": {"range": {"n": {"lt": 1000}}}, "track_total_hits": true}"#;
        match customer.ask("POST", "/hats/_search", body) {
            Ok(found) => {
                let shown = found["hits"]["hits"].as_array().map_or(0, Vec::len);
                if found["_shards"]["failed"] != 0 || shown != 10 {
                    errors.push(found.to_string());
                }
            }
            Err(error) => errors.push(error),
        }
    }
    (looks, errors)
}

#[test]
fn every_node_is_restarted_in_turn_and_no_request_fails() {
    let shop = Shop::open_with("hot=2", |plan| {
        plan.coordination = 2;
        // a proxy takes calls for a node that is not there, and nobody can tell then that they were never begun
        plan.direct = true;
    });
    let mut shop = shop.with_hats();
    let (http, urls) = (shop.http.clone(), shop.cluster.rest_urls());
    let is_closing = AtomicBool::new(false);
    let (bought, looks, errors) = std::thread::scope(|scope| {
        let buyer = scope.spawn(|| shop_on(Customer::of(&http, &urls), &is_closing));
        let visitors =
            [0; 3].map(|_| scope.spawn(|| look_round(Customer::of(&http, &urls), &is_closing)));
        for node in shop.cluster.names() {
            shop.cluster.stop(&node).unwrap();
            shop.cluster.start(&node).unwrap();
            shop.until_whole();
        }
        is_closing.store(true, Ordering::Relaxed);
        let (bought, mut errors) = buyer.join().unwrap();
        let mut looks = 0;
        for visitor in visitors {
            let (more, failed) = visitor.join().unwrap();
            looks += more;
            errors.extend(failed);
        }
        (bought, looks, errors)
    });
    assert_eq!(
        errors,
        Vec::<String>::new(),
        "of {bought} rounds and {looks} searches"
    );
    shop.ok("POST", "/hats/_refresh", "");
    let all = shop.ok("GET", "/hats/_count", "");
    assert_eq!(all["count"], 10 + bought, "{all}");
}

#[test]
fn nodes_tell_how_they_are_and_what_is_cut_off_is_missed() {
    let mut shop = Shop::open("hot=2");
    for (program, node) in [
        ("quidditch-master", "master-2"),
        ("quidditch-data", "data-1"),
    ] {
        let health = shop.command(program, node, &["health"]);
        assert!(health.status.success(), "{health:?}");
        assert_eq!(String::from_utf8_lossy(&health.stdout), "SERVING\n");
    }
    let process = shop.cluster.record().node("data-1").unwrap().process;
    let process = process.expect("it was started");
    // started by its small program, and yet the process that was spawned
    let called = std::fs::read_to_string(format!("/proc/{}/comm", process.pid)).unwrap();
    assert_eq!(called, "quidditch-data\n");
    let members = shop.command("quidditch-master", "master-1", &["members", "list"]);
    let shown = String::from_utf8_lossy(&members.stdout);
    assert_eq!(
        shown.matches("voter").count() + shown.matches("leader").count(),
        3,
        "{shown}"
    );
    let node = shop.cluster.record().node("data-1").unwrap().clone();
    let metrics = format!("http://{}/metrics", node.metrics.expect("an address"));
    let figures = shop.http.get(&metrics).unwrap().body;
    assert!(
        figures.contains("\nquidditch_cluster_nodes{role=\"data\"} 2\n"),
        "{figures}"
    );
    shop.cluster.pause("data-1").unwrap();
    let told = shop.ok("GET", "/_nodes/stats?timeout=300ms", "");
    shop.cluster.resume("data-1").unwrap();
    let why = &told["_nodes"]["failures"][0]["caused_by"]["reason"];
    assert_eq!(told["_nodes"]["failed"], 1, "{told}");
    assert!(
        why.as_str().expect("a reason").contains("within [300ms]"),
        "{why}"
    );
    for other in shop.cluster.names() {
        if other != "data-1" {
            shop.cluster.cut("data-1", &other).unwrap();
        }
    }
    let missed = shop.ok("GET", "/_cluster/health?wait_for_nodes=5&timeout=60s", "");
    assert_eq!(
        (&missed["number_of_nodes"], &missed["timed_out"]),
        (&json!(5), &json!(false))
    );
    shop.cluster.heal(None).unwrap();
    let back = shop.ok("GET", "/_cluster/health?wait_for_nodes=6&timeout=60s", "");
    assert_eq!(back["number_of_nodes"], 6, "{back}");
    shop.cluster.kill("data-1").unwrap();
    let health = shop.command("quidditch-data", "data-1", &["health"]);
    assert_eq!(health.status.code(), Some(1), "{health:?}");
}

#[test]
fn what_a_node_knows_without_masters_is_told_only_when_that_is_asked_for() {
    let mut shop = Shop::open("hot=1");
    let calm = shop.ok(
        "GET",
        "/_cluster/health?wait_for_events=languid&timeout=60s",
        "",
    );
    assert_eq!(calm["timed_out"], false, "{calm}");
    shop.ok("PUT", "/hats", "");
    for master in ["master-1", "master-2", "master-3"] {
        shop.cluster.cut("coordination-1", master).unwrap();
    }
    for path in ["/hats/_mapping", "/_cluster/settings", "/_cat/shards/hats"] {
        let url = |local| {
            let rest = &shop.cluster.rest_urls()[0];
            format!("{rest}{path}?local={local}&cluster_manager_timeout=2s")
        };
        let known = shop.http.get(&url(true)).unwrap();
        assert_eq!(known.status, 200, "{path}: {}", known.body);
        let unsure = shop.http.get(&url(false)).unwrap();
        assert_eq!(unsure.status, 503, "{path}: {}", unsure.body);
        let unsure: Value = serde_json::from_str(&unsure.body).unwrap();
        assert_eq!(
            unsure["error"]["type"], "cluster_manager_not_discovered_exception",
            "{unsure}"
        );
    }
    shop.cluster.heal(None).unwrap();
    shop.ok("GET", "/_cluster/settings?cluster_manager_timeout=60s", "");
}

#[test]
fn a_master_that_shall_not_vote_has_no_vote_before_the_answer_and_another_leads() {
    let shop = Shop::open("hot=1");
    let leader = || {
        let told = shop.ok("GET", "/_cat/cluster_manager?format=json", "");
        told[0]["node"].as_str().expect("a name").to_owned()
    };
    let first = leader();
    shop.ok(
        "POST",
        &format!("/_cluster/voting_config_exclusions?node_names={first}&timeout=60s"),
        "",
    );
    let path = "/_cluster/state/metadata?filter_path=metadata.cluster_coordination";
    let coordination = &shop.ok("GET", path, "")["metadata"]["cluster_coordination"];
    let exclusions = &coordination["voting_config_exclusions"];
    assert_eq!(exclusions[0]["node_name"], json!(first), "{coordination}");
    let voters = &coordination["last_committed_config"];
    assert_eq!(voters.as_array().unwrap().len(), 2, "{coordination}");
    let began = Instant::now();
    while leader() == first {
        assert!(began.elapsed() < Duration::from_secs(60), "[{first}] leads");
        std::thread::sleep(Duration::from_millis(50));
    }
    shop.ok(
        "DELETE",
        "/_cluster/voting_config_exclusions?wait_for_removal=false",
        "",
    );
    let coordination = &shop.ok("GET", path, "")["metadata"]["cluster_coordination"];
    assert_eq!(
        coordination["voting_config_exclusions"],
        json!([]),
        "{coordination}"
    );
}

#[test]
fn the_programs_of_the_roles_are_small_and_start_quidditch_beside_them() {
    let server = bin_dir().join("quidditch");
    let server_bytes = std::fs::metadata(&server).unwrap().len();
    // where the server is not; on the same disk, for a link
    let alone = tempfile::tempdir_in(bin_dir()).unwrap();
    for name in [
        "quidditch-master",
        "quidditch-coordination",
        "quidditch-data",
    ] {
        let program = bin_dir().join(name);
        let bytes = std::fs::metadata(&program).unwrap().len();
        assert!(
            bytes * 5 < server_bytes,
            "{name}: {bytes} of {server_bytes}"
        );
        let said = Command::new(&program).arg("--version").output().unwrap();
        let version = format!("{name} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(String::from_utf8_lossy(&said.stdout), version);
        let wrong = Command::new(&program).arg("--colour").output().unwrap();
        assert_eq!(wrong.status.code(), Some(2));
        let usage = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert!(usage.contains(&format!("Usage: {name} ")), "{usage}");
        let lone = alone.path().join(name);
        std::fs::hard_link(&program, &lone).unwrap();
        let failed = Command::new(&lone).output().unwrap();
        assert_eq!(failed.status.code(), Some(1));
        let why = String::from_utf8_lossy(&failed.stderr).into_owned();
        let wanted = format!(
            "{name}: cannot start {}",
            alone.path().join("quidditch").display()
        );
        assert!(
            why.starts_with(&wanted) && why.contains("one folder"),
            "{why}"
        );
    }
}

#[test]
fn a_node_of_another_cluster_is_refused() {
    let shop = Shop::open("hot=1");
    let master = &shop
        .cluster
        .record()
        .node("master-1")
        .unwrap()
        .grpc_published;
    let data = tempfile::tempdir().unwrap();
    let stranger = Command::new(bin_dir().join("quidditch-data"))
        .env("MASTER_ADDR", master)
        .env("CLUSTER_NAME", "other")
        .args(["-E", "grpc.port=0", "-E", "metrics.port=off", "--data-dir"])
        .arg(data.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&stranger.stderr);
    assert_eq!(stranger.status.code(), Some(78), "{said}");
    assert!(said.contains("shop") && said.contains("other"), "{said}");
}
