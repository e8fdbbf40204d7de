//! A cluster under test, and what its processes have used.

use std::ops::Sub;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use quidditch_tools::cluster::{Cluster, Plan, ProxyHome, Role, Tier};
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::game::usage::Stopwatch;
use crate::http::{Connection, JSON, request_bytes};
use crate::process;

/// As many masters as bear the loss of one.
pub const MASTERS: usize = 3;

/// A figure of each role: the sum over its processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ByRole {
    /// The masters.
    pub master: f64,
    /// The coordination node.
    pub coordination: f64,
    /// The data nodes.
    pub data: f64,
}

impl ByRole {
    /// Of all processes.
    pub fn sum(self) -> f64 {
        self.master + self.coordination + self.data
    }

    /// Each figure, changed.
    pub fn map(self, change: impl Fn(f64) -> f64) -> ByRole {
        ByRole {
            master: change(self.master),
            coordination: change(self.coordination),
            data: change(self.data),
        }
    }

    fn of(self, role: Role) -> f64 {
        match role {
            Role::Master => self.master,
            Role::Coordination => self.coordination,
            Role::Data => self.data,
        }
    }

    fn add(&mut self, role: Role, figure: f64) {
        let sum = self.of(role) + figure;
        match role {
            Role::Master => self.master = sum,
            Role::Coordination => self.coordination = sum,
            Role::Data => self.data = sum,
        }
    }
}

impl Sub for ByRole {
    type Output = ByRole;

    fn sub(self, before: ByRole) -> ByRole {
        ByRole {
            master: self.master - before.master,
            coordination: self.coordination - before.coordination,
            data: self.data - before.data,
        }
    }
}

/// A running cluster. All its processes end, and its data goes, when it is dropped.
pub struct Running {
    // before the folder, so that nothing writes there any more when it goes
    cluster: Cluster,
    folder: TempDir,
    /// `host:port` of its REST face.
    pub address: String,
}

impl Running {
    /// Brings up three masters, one coordination node and so many data nodes, which reach each other without proxies.
    pub fn up(bin_dir: &Path, data_nodes: usize, within: &Path) -> Result<Running> {
        std::fs::create_dir_all(within).with_context(|| within.display().to_string())?;
        let folder = tempfile::Builder::new()
            .prefix("growth-")
            .tempdir_in(within)?;
        let plan = Plan {
            masters: MASTERS,
            data: vec![Tier {
                name: "hot".to_owned(),
                count: data_nodes,
            }],
            direct: true,
            ..Plan::new(folder.path(), bin_dir)
        };
        let cluster = Cluster::up(&plan, &ProxyHome::Thread, &mut |_| ())?;
        let rest = cluster.rest_urls().into_iter().next();
        let rest = rest.context("a coordination node")?;
        let address = rest.trim_start_matches("http://").to_owned();
        Ok(Running {
            cluster,
            folder,
            address,
        })
    }

    /// Asks once, on a connection of its own. The answer is JSON and must be a success.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = match body.is_null() {
            true => Vec::new(),
            false => body.to_string().into_bytes(),
        };
        let mut connection = Connection::open(&self.address)?;
        let status = connection.ask(&request_bytes(method, path, JSON, &body))?;
        let answer = String::from_utf8_lossy(&connection.body);
        ensure!(status == 200, "{method} {path} answers {status}: {answer}");
        serde_json::from_str(&answer).with_context(|| format!("{method} {path}: {answer}"))
    }

    /// Processor seconds of each role since its processes began.
    pub fn cpu_seconds(&self) -> Result<ByRole> {
        self.by_role(|pid| Ok(process::cpu_time(pid)?.as_secs_f64()))
    }

    /// Resident bytes of each role.
    pub fn resident_bytes(&self) -> Result<ByRole> {
        self.by_role(|pid| Ok(process::resident_bytes(pid)? as f64))
    }

    fn by_role(&self, figure: impl Fn(u32) -> Result<f64>) -> Result<ByRole> {
        let mut figures = ByRole::default();
        for node in &self.cluster.record().nodes {
            let process = node.process.filter(|process| process.is_alive());
            let process =
                process.with_context(|| format!("{} does not run any more", node.name))?;
            figures.add(node.role, figure(process.pid)?);
        }
        Ok(figures)
    }

    /// Ends all processes in peace and removes the data.
    pub fn down(mut self) -> Result<()> {
        self.cluster.down(&mut |_| ())?;
        drop(self.cluster);
        self.folder.close()?;
        Ok(())
    }
}

/// From here on, the clock and the processors, of the cluster and of this process.
pub struct Meter<'a> {
    running: &'a Running,
    cpu_before: ByRole,
    watch: Stopwatch,
}

/// What a [`Meter`] saw.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// By the wall.
    pub seconds: f64,
    /// Processor seconds of the cluster's processes.
    pub cpu_seconds: ByRole,
    /// Those of this process, which asks.
    pub client_cpu_seconds: f64,
}

impl Meter<'_> {
    /// Starts it.
    pub fn start(running: &Running) -> Result<Meter<'_>> {
        Ok(Meter {
            running,
            cpu_before: running.cpu_seconds()?,
            watch: Stopwatch::start(),
        })
    }

    /// What was used since.
    pub fn read(&self) -> Result<Used> {
        let (seconds, client_cpu_seconds) = self.watch.seconds();
        Ok(Used {
            seconds,
            cpu_seconds: self.running.cpu_seconds()? - self.cpu_before,
            client_cpu_seconds,
        })
    }
}

/// What a cluster uses to which nobody says anything.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Idle {
    /// Processor seconds of each role in one minute.
    pub cpu_seconds_a_minute: ByRole,
    /// Resident bytes of each role at its end.
    pub resident_bytes: ByRole,
}

/// Looks on for so long, after some time to settle.
pub fn idle(running: &Running, settle: Duration, length: Duration) -> Result<Idle> {
    std::thread::sleep(settle);
    let meter = Meter::start(running)?;
    std::thread::sleep(length);
    let used = meter.read()?;
    Ok(Idle {
        cpu_seconds_a_minute: used.cpu_seconds.map(|cpu| cpu * 60.0 / used.seconds),
        resident_bytes: running.resident_bytes()?,
    })
}
