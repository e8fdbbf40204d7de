//! How the proxies are told what to do: a socket in the cluster's folder, one line of JSON for a question and its answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::watch;

use super::ports::{Ports, Processes};
use super::{Pair, Service};

const SOCKET: &str = "proxies.sock";
/// Both sides answer by then.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Out of descriptors: others end, then there are some again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    /// A port for a node.
    Take {
        node: String,
        service: Service,
        wanted: Option<SocketAddr>,
    },
    /// Where the node listens.
    Lead {
        node: String,
        service: Service,
        target: Option<SocketAddr>,
    },
    /// Which process the node is.
    Process { node: String, pid: Option<u32> },
    /// Let two nodes not reach each other.
    Cut(Pair),
    /// Let them again.
    Heal(Pair),
    /// Let everybody reach everybody.
    HealAll,
    /// Which pairs are cut.
    Cuts,
    /// The end.
    Stop,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Answer {
    Done,
    Address(SocketAddr),
    Cuts(BTreeSet<Pair>),
    Refused(String),
}

/// Asks the proxies of a cluster.
#[derive(Clone, Debug)]
pub struct Client {
    dir: PathBuf,
}

impl Client {
    /// For the cluster in a folder.
    pub fn new(dir: &Path) -> Client {
        Client {
            dir: dir.to_owned(),
        }
    }

    /// Takes a port for a node: the one that it had before, or a free one.
    pub fn take(
        &self,
        node: &str,
        service: Service,
        wanted: Option<SocketAddr>,
    ) -> anyhow::Result<SocketAddr> {
        let node = node.to_owned();
        match self.ask(&Request::Take {
            node,
            service,
            wanted,
        })? {
            Answer::Address(address) => Ok(address),
            other => bail!("the proxies answered {other:?}"),
        }
    }

    /// Tells where a node listens; `None`: it does not run.
    pub fn lead(
        &self,
        node: &str,
        service: Service,
        target: Option<SocketAddr>,
    ) -> anyhow::Result<()> {
        let node = node.to_owned();
        self.tell(&Request::Lead {
            node,
            service,
            target,
        })
    }

    /// Tells which process a node is.
    pub fn process(&self, node: &str, pid: Option<u32>) -> anyhow::Result<()> {
        let node = node.to_owned();
        self.tell(&Request::Process { node, pid })
    }

    /// Lets two nodes not reach each other.
    pub fn cut(&self, pair: Pair) -> anyhow::Result<()> {
        self.tell(&Request::Cut(pair))
    }

    /// Lets them reach each other again; without a pair, everybody.
    pub fn heal(&self, pair: Option<Pair>) -> anyhow::Result<()> {
        self.tell(&pair.map_or(Request::HealAll, Request::Heal))
    }

    /// Which pairs are cut.
    pub fn cuts(&self) -> anyhow::Result<BTreeSet<Pair>> {
        match self.ask(&Request::Cuts)? {
            Answer::Cuts(cuts) => Ok(cuts),
            other => bail!("the proxies answered {other:?}"),
        }
    }

    /// Ends them.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.tell(&Request::Stop)
    }

    fn tell(&self, request: &Request) -> anyhow::Result<()> {
        self.ask(request).map(|_| ())
    }

    fn ask(&self, request: &Request) -> anyhow::Result<Answer> {
        let answer = self.exchange(request).with_context(|| {
            format!(
                "{}: the proxies do not answer; are they running?",
                self.dir.join(SOCKET).display()
            )
        })?;
        match answer {
            Answer::Refused(why) => bail!("{why}"),
            answer => Ok(answer),
        }
    }

    fn exchange(&self, request: &Request) -> anyhow::Result<Answer> {
        let folder = File::open(&self.dir)?;
        let mut stream = UnixStream::connect(short_path(&folder))?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        stream.write_all(line.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

/// A path to the socket that is short however long the folder's is: the system takes about 100 bytes.
fn short_path(folder: &File) -> PathBuf {
    Path::new("/proc/self/fd")
        .join(folder.as_raw_fd().to_string())
        .join(SOCKET)
}

/// Runs the proxies of the cluster in a folder until they are told to stop. `ready` is called when they serve.
pub fn serve(dir: &Path, ready: impl FnOnce()) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // of proxies that were killed; those that run hold the cluster's record
        let _ = fs::remove_file(dir.join(SOCKET));
        let folder = File::open(dir)?;
        let listener = UnixListener::bind(short_path(&folder))
            .with_context(|| dir.join(SOCKET).display().to_string())?;
        ready();
        let mut proxies = Proxies::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (reader, mut writer) = stream.into_split();
            let mut line = String::new();
            // a client that goes away or dawdles is no reason to stop
            let mut reader = tokio::io::BufReader::new(reader);
            let read = reader.read_line(&mut line);
            if !matches!(tokio::time::timeout(ANSWER_TIMEOUT, read).await, Ok(Ok(_))) {
                continue;
            }
            let request = serde_json::from_str(&line);
            let is_end = matches!(request, Ok(Request::Stop));
            let answer = match request {
                Ok(request) => proxies.carry_out(request).await,
                Err(error) => Answer::Refused(format!("not understood: {error}")),
            };
            let mut line = serde_json::to_string(&answer)?;
            line.push('\n');
            let _ = writer.write_all(line.as_bytes()).await;
            if is_end {
                let _ = fs::remove_file(dir.join(SOCKET));
                return Ok(());
            }
        }
    })
}

struct Proxies {
    ports: Ports,
    processes: Processes,
    cuts: watch::Sender<BTreeSet<Pair>>,
}

impl Proxies {
    fn new() -> Proxies {
        let (cuts, watched) = watch::channel(BTreeSet::new());
        let processes: Processes = Arc::default();
        Proxies {
            ports: Ports::new(processes.clone(), watched),
            processes,
            cuts,
        }
    }

    async fn carry_out(&mut self, request: Request) -> Answer {
        match request {
            Request::Take {
                node,
                service,
                wanted,
            } => match self.ports.take(&node, service, wanted) {
                Ok(address) => Answer::Address(address),
                Err(error) => Answer::Refused(error.to_string()),
            },
            Request::Lead {
                node,
                service,
                target,
            } => match self.ports.lead(&node, service, target).await {
                Ok(()) => Answer::Done,
                Err(error) => Answer::Refused(error.to_string()),
            },
            Request::Process { node, pid } => {
                let mut processes: std::sync::MutexGuard<BTreeMap<u32, String>> =
                    match self.processes.lock() {
                        Ok(processes) => processes,
                        Err(poisoned) => poisoned.into_inner(),
                    };
                processes.retain(|_, name| *name != node);
                if let Some(pid) = pid {
                    processes.insert(pid, node);
                }
                Answer::Done
            }
            Request::Cut(pair) => {
                self.cuts.send_modify(|cuts| {
                    cuts.insert(pair);
                });
                Answer::Done
            }
            Request::Heal(pair) => {
                self.cuts.send_modify(|cuts| {
                    cuts.remove(&pair);
                });
                Answer::Done
            }
            Request::HealAll => {
                self.cuts.send_modify(BTreeSet::clear);
                Answer::Done
            }
            Request::Cuts => Answer::Cuts(self.cuts.borrow().clone()),
            Request::Stop => Answer::Done,
        }
    }
}
