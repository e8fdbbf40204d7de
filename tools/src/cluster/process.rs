//! Processes, named so that nobody else's is ever signalled: by id and the moment they started.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// One process, for as long as the machine runs: an id that was given to another one later does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessName {
    /// Its id.
    pub pid: u32,
    /// When it started, in ticks since the machine did.
    pub started: u64,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// It runs, or could.
    Running,
    /// It was stopped by a signal.
    Stopped,
    /// There is no such process any more.
    Gone,
}

impl ProcessName {
    /// The name of a process that runs now.
    pub fn of(pid: u32) -> anyhow::Result<ProcessName> {
        match stat(pid) {
            Some(stat) => Ok(ProcessName {
                pid,
                started: stat.started,
            }),
            None => bail!("process {pid} is gone already"),
        }
    }

    /// What it does now.
    pub fn state(self) -> ProcessState {
        match stat(self.pid) {
            Some(stat) if stat.started == self.started => match stat.state {
                // its other threads may go on for a moment, and with them its files and locks
                'Z' | 'X' | 'x' if stat.threads <= 1 => ProcessState::Gone,
                'T' | 't' => ProcessState::Stopped,
                _ => ProcessState::Running,
            },
            _ => ProcessState::Gone,
        }
    }

    /// Whether there is such a process.
    pub fn is_alive(self) -> bool {
        self.state() != ProcessState::Gone
    }

    /// Sends a signal, after a look whether it is still the same process.
    pub fn signal(self, signal: Signal) -> anyhow::Result<()> {
        if !self.is_alive() {
            bail!("process {} is gone", self.pid);
        }
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("{} is no id of a process", self.pid))?;
        kill_process(pid, signal).with_context(|| format!("process {}", self.pid))
    }

    /// Asks it to end in peace. A halted one goes on, for it cannot end before.
    pub fn ask_to_end(self) -> anyhow::Result<()> {
        // first, so that it is there when the process goes on
        self.signal(Signal::TERM)?;
        match self.state() {
            ProcessState::Stopped => self.signal(Signal::CONT),
            ProcessState::Running | ProcessState::Gone => Ok(()),
        }
    }

    /// Waits until it is gone; `false` if it is still there after so long.
    pub fn wait_gone(self, limit: Duration) -> bool {
        let began = Instant::now();
        while self.is_alive() {
            if began.elapsed() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

/// A process in `/proc`.
#[derive(Debug, PartialEq)]
struct Stat {
    state: char,
    threads: u64,
    started: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    parse_stat(&text)
}

/// The name stands in parentheses and may hold anything; the state is the 3rd field, the number of threads the 20th, the
/// start the 22nd.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, after_name) = text.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        threads: fields.get(17)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    struct Sleeper(Child);

    impl Sleeper {
        fn start() -> Sleeper {
            Sleeper(Command::new("sleep").arg("60").spawn().unwrap())
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn until(name: ProcessName, state: ProcessState) {
        let began = Instant::now();
        while name.state() != state {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{:?}",
                name.state()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_name_in_parentheses_may_hold_anything() {
        let fields: Vec<String> = (4..=30).map(|n| n.to_string()).collect();
        let text = format!("7 (a) b (c)) S {}", fields.join(" "));
        let wanted = Stat {
            state: 'S',
            threads: 20,
            started: 22,
        };
        assert_eq!(parse_stat(&text), Some(wanted));
        assert_eq!(parse_stat("7 (a"), None);
    }

    #[test]
    fn signals_reach_the_process_of_that_start_only() {
        let mut sleeper = Sleeper::start();
        let name = ProcessName::of(sleeper.0.id()).unwrap();
        let other = ProcessName {
            started: name.started + 1,
            ..name
        };
        assert_eq!(other.state(), ProcessState::Gone);
        let refused = other.signal(Signal::KILL).unwrap_err();
        assert!(refused.to_string().contains("is gone"), "{refused}");
        name.signal(Signal::STOP).unwrap();
        until(name, ProcessState::Stopped);
        name.signal(Signal::CONT).unwrap();
        until(name, ProcessState::Running);
        name.signal(Signal::KILL).unwrap();
        assert!(name.wait_gone(Duration::from_secs(20)));
        sleeper.0.wait().unwrap();
        assert!(ProcessName::of(name.pid).is_err());
    }

    #[test]
    fn a_halted_process_ends_when_it_is_asked_to() {
        let sleeper = Sleeper::start();
        let name = ProcessName::of(sleeper.0.id()).unwrap();
        name.signal(Signal::STOP).unwrap();
        until(name, ProcessState::Stopped);
        name.ask_to_end().unwrap();
        assert!(name.wait_gone(Duration::from_secs(20)));
    }
}
