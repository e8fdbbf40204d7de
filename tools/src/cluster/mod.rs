//! Whole clusters on one machine: every node a process of its own, on loopback ports, behind proxies that can be cut.
//!
//! For people who want to try one (`quidditch-cluster`) and for tests. What is known of a cluster stands in its folder, so
//! that each command finds it again.

pub mod http;
mod launch;
mod plan;
mod process;
pub mod proxy;
mod record;
mod status;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::Signal;

pub use plan::{Plan, Role, Tier, parse_tiers};
pub use process::{ProcessName, ProcessState};
use proxy::{Client, Pair, ProxyThread, Service};
use record::DirLock;
pub use record::{NodeRecord, Record};
pub use status::{NodeStatus, Status, status};

/// A node that was told to stop has so long; then it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// A killed process is gone by then.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);
/// A node says that it is ready by then.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// All nodes are healthy by then.
const HEALTHY_TIMEOUT: Duration = Duration::from_secs(120);

/// Where the proxies of a cluster live.
#[derive(Clone, Debug)]
pub enum ProxyHome {
    /// In a thread of this process: they end with it.
    Thread,
    /// In a process of their own, which this program becomes when it is called with `proxies --dir DIR`.
    Process(PathBuf),
}

/// Told what is being done.
pub type Progress<'a> = &'a mut dyn FnMut(&str);

/// A cluster that this process may change. Unless it is [kept](Cluster::keep), all its processes end when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    record: Record,
    thread: Option<ProxyThread>,
    /// Processes that this one started and has to take notice of when they end.
    children: Vec<Child>,
    /// Where in its log a node's last start begins.
    log_offsets: BTreeMap<String, u64>,
    is_kept: bool,
    _lock: DirLock,
}

impl Cluster {
    /// Brings up the cluster of a plan, or the one that is in its folder, and waits until it is healthy.
    pub fn up(plan: &Plan, home: &ProxyHome, progress: Progress) -> anyhow::Result<Cluster> {
        let lock = DirLock::take(&plan.dir)?;
        let dir = plan
            .dir
            .canonicalize()
            .with_context(|| plan.dir.display().to_string())?;
        let record = launch::recorded_or_new(plan, &dir)?;
        let mut cluster = Cluster {
            dir,
            record,
            thread: None,
            children: Vec::new(),
            log_offsets: BTreeMap::new(),
            is_kept: false,
            _lock: lock,
        };
        if !cluster.record.direct {
            cluster.start_proxies(home)?;
        }
        cluster.take_ports()?;
        cluster.save()?;
        let names = cluster.names();
        for name in &names {
            progress(&format!("starting {name}"));
            cluster.spawn(name)?;
        }
        for name in &names {
            cluster.finish_start(name)?;
            progress(&format!("{name} is ready"));
        }
        cluster.wait_healthy(HEALTHY_TIMEOUT, progress)?;
        Ok(cluster)
    }

    /// Takes over a cluster that is up, to change it; it is kept.
    pub fn open(dir: &Path) -> anyhow::Result<Cluster> {
        let lock = DirLock::take(dir)?;
        let Some(record) = Record::load(dir)? else {
            bail!("{}: no cluster is here", dir.display());
        };
        Ok(Cluster {
            dir: dir.canonicalize()?,
            record,
            thread: None,
            children: Vec::new(),
            log_offsets: BTreeMap::new(),
            is_kept: true,
            _lock: lock,
        })
    }

    /// Lets the processes go on when this is dropped.
    pub fn keep(mut self) {
        self.is_kept = true;
    }

    /// What is known of it.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Names of all nodes, masters first.
    pub fn names(&self) -> Vec<String> {
        self.record
            .nodes
            .iter()
            .map(|node| node.name.clone())
            .collect()
    }

    /// The first line of a node's log that has some text.
    pub fn find_in_log(&self, name: &str, text: &str) -> anyhow::Result<Option<String>> {
        launch::find_in_log(&self.dir, name, text)
    }

    /// Where REST is served: `http://127.0.0.1:…`, one for each coordination node.
    pub fn rest_urls(&self) -> Vec<String> {
        let addresses = self
            .record
            .nodes
            .iter()
            .filter_map(|node| node.http.as_ref());
        addresses
            .map(|address| format!("http://{address}"))
            .collect()
    }

    /// How it is now.
    pub fn status(&self) -> Status {
        status(&self.record, &self.dir)
    }

    /// Ends a node at once: its process is gone, what it gave to the kernel stays.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        let process = self.process_of(name)?;
        process.signal(Signal::KILL)?;
        self.forget(name, process, KILL_TIMEOUT)?;
        self.save()
    }

    /// Asks a node to end in peace, and waits.
    pub fn stop(&mut self, name: &str) -> anyhow::Result<()> {
        let process = self.process_of(name)?;
        process.ask_to_end()?;
        self.forget(name, process, STOP_TIMEOUT)?;
        self.save()
    }

    /// Halts a node without a word to the others.
    pub fn pause(&mut self, name: &str) -> anyhow::Result<()> {
        self.process_of(name)?.signal(Signal::STOP)
    }

    /// Lets a halted node go on.
    pub fn resume(&mut self, name: &str) -> anyhow::Result<()> {
        self.process_of(name)?.signal(Signal::CONT)
    }

    /// Starts a node that does not run, and waits until it is ready.
    pub fn start(&mut self, name: &str) -> anyhow::Result<()> {
        let node = self.record.node(name)?;
        if node.process.is_some_and(ProcessName::is_alive) {
            bail!("{name} runs already");
        }
        self.spawn(name)?;
        self.finish_start(name)
    }

    /// Lets two nodes not reach each other.
    pub fn cut(&mut self, a: &str, b: &str) -> anyhow::Result<()> {
        self.record.node(a)?;
        self.record.node(b)?;
        if a == b {
            bail!("[{a}] cannot be cut from itself");
        }
        self.proxies()?.cut(Pair::of(a, b))
    }

    /// Lets two nodes reach each other again; without names, everybody.
    pub fn heal(&mut self, pair: Option<(&str, &str)>) -> anyhow::Result<()> {
        if let Some((a, b)) = pair {
            self.record.node(a)?;
            self.record.node(b)?;
        }
        self.proxies()?.heal(pair.map(|(a, b)| Pair::of(a, b)))
    }

    /// Ends everything in peace; what does not end in time is killed. The data stays.
    pub fn down(&mut self, progress: Progress) -> anyhow::Result<()> {
        for role in [Role::Coordination, Role::Data, Role::Master] {
            let mut stopping = Vec::new();
            for node in self.record.nodes.iter().filter(|node| node.role == role) {
                let Some(process) = node.process.filter(|process| process.is_alive()) else {
                    continue;
                };
                progress(&format!("stopping {}", node.name));
                process.ask_to_end()?;
                stopping.push((node.name.clone(), process));
            }
            for (name, process) in stopping {
                if self.forget(&name, process, STOP_TIMEOUT).is_err() {
                    progress(&format!("{name} did not stop in time: killing it"));
                    process.signal(Signal::KILL)?;
                    self.forget(&name, process, KILL_TIMEOUT)?;
                }
            }
        }
        self.thread = None;
        if let Some(process) = self.record.proxies.take()
            && process.is_alive()
        {
            Client::new(&self.dir).stop()?;
            process.wait_gone(KILL_TIMEOUT);
            self.reap();
        }
        self.save()
    }

    /// Waits until every node says that it is well and the coordination nodes see all of them.
    pub fn wait_healthy(&mut self, limit: Duration, progress: Progress) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut shown = String::new();
        loop {
            self.reap();
            let status = self.status();
            let missing = status.what_is_missing();
            let Some(missing) = missing else {
                return Ok(());
            };
            if missing != shown {
                progress(&format!("waiting: {missing}"));
                shown.clone_from(&missing);
            }
            if let Some(node) = status.nodes.iter().find(|node| node.state == "crashed") {
                bail!(
                    "{} ended by itself: {}",
                    node.name,
                    launch::last_words(&self.dir, &node.name)
                );
            }
            if began.elapsed() > limit {
                bail!("not healthy after {} s: {missing}", limit.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn save(&self) -> anyhow::Result<()> {
        self.record.save(&self.dir)
    }

    fn proxies(&self) -> anyhow::Result<Client> {
        match self.record.direct {
            false => Ok(Client::new(&self.dir)),
            true => bail!(
                "the nodes of this cluster reach each other directly (--direct): nothing can be cut"
            ),
        }
    }

    fn process_of(&self, name: &str) -> anyhow::Result<ProcessName> {
        let process = self.record.node(name)?.process;
        process
            .filter(|process| process.is_alive())
            .with_context(|| format!("{name} does not run"))
    }

    /// Waits until a process is gone, and lets nobody call it any more.
    fn forget(&mut self, name: &str, process: ProcessName, limit: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while process.is_alive() {
            self.reap();
            if began.elapsed() > limit {
                bail!("{name} (process {}) does not end", process.pid);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.reap();
        if !self.record.direct {
            let client = Client::new(&self.dir);
            client.process(name, None)?;
            client.lead(name, Service::Grpc, None)?;
            if self.record.node(name)?.role == Role::Master {
                client.lead(name, Service::Raft, None)?;
            }
        }
        let node = self.record.node_mut(name)?;
        node.process = None;
        node.metrics = None;
        Ok(())
    }

    /// Takes notice of children that ended.
    fn reap(&mut self) {
        self.children
            .retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
    }

    fn start_proxies(&mut self, home: &ProxyHome) -> anyhow::Result<()> {
        match home {
            ProxyHome::Thread => {
                self.thread = Some(ProxyThread::start(&self.dir)?);
                Ok(())
            }
            ProxyHome::Process(program) => {
                let log = launch::log_file(&self.dir, "proxies")?;
                let child = Command::new(program)
                    .arg("proxies")
                    .arg("--dir")
                    .arg(&self.dir)
                    .stdin(Stdio::null())
                    .stdout(log.try_clone()?)
                    .stderr(log)
                    .process_group_of_its_own()
                    .spawn()
                    .with_context(|| program.display().to_string())?;
                self.record.proxies = Some(ProcessName::of(child.id())?);
                self.children.push(child);
                let began = Instant::now();
                while let Err(error) = Client::new(&self.dir).cuts() {
                    if began.elapsed() > READY_TIMEOUT {
                        return Err(error);
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                Ok(())
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let nodes = self.record.nodes.iter().filter_map(|node| node.process);
        for process in nodes.chain(self.record.proxies) {
            // what is gone already needs no signal
            let _ = process.signal(Signal::KILL);
        }
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}

/// A command whose process does not get the signals of the terminal's.
trait OwnGroup {
    fn process_group_of_its_own(&mut self) -> &mut Self;
}

impl OwnGroup for Command {
    fn process_group_of_its_own(&mut self) -> &mut Command {
        use std::os::unix::process::CommandExt;
        self.process_group(0)
    }
}
