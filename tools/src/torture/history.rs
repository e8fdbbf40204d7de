//! What clients did to one document, and what they were told.

use std::fmt;

/// What a write stored; no two writes store the same.
pub type Value = u64;

/// An operation's place in the order of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// `_primary_term`
    pub term: u64,
    /// `_seq_no`
    pub seq_no: u64,
}

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Store, whatever is there.
    Put(Value),
    /// Store if nothing is there.
    Create(Value),
    /// Store if `expected` is there, by the place that it was seen at.
    PutIf {
        /// What to store.
        value: Value,
        /// What has to be there.
        expected: Value,
    },
    /// Remove.
    Delete,
    /// Read, in real time.
    Get,
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing, or that it may or may not have been done.
    Unknown,
    /// A write where nothing was.
    Created(Place),
    /// A write over something.
    Updated(Place),
    /// Something was removed.
    Deleted(Place),
    /// There was nothing to remove.
    NotFound,
    /// What had to hold did not.
    Conflict,
    /// A read found this.
    Found(Value, Place),
    /// A read found nothing.
    Missing,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who asked.
    pub client: u32,
    /// When, in ns since the run began.
    pub called: u64,
    /// When the answer came; that of an unknown outcome means nothing.
    pub returned: u64,
    /// What was asked for.
    pub action: Action,
    /// What was answered.
    pub outcome: Outcome,
}

impl Action {
    /// What it stores.
    pub fn value(&self) -> Option<Value> {
        match self {
            Action::Put(value) | Action::Create(value) | Action::PutIf { value, .. } => {
                Some(*value)
            }
            Action::Delete | Action::Get => None,
        }
    }
}

impl Outcome {
    /// Where the operation stands in the shard's order, as far as the answer told.
    pub fn place(&self) -> Option<Place> {
        match self {
            Outcome::Created(place)
            | Outcome::Updated(place)
            | Outcome::Deleted(place)
            | Outcome::Found(_, place) => Some(*place),
            Outcome::Unknown | Outcome::NotFound | Outcome::Conflict | Outcome::Missing => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.term, self.seq_no)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ns: u64| ns as f64 / 1e6;
        let until = match self.outcome {
            Outcome::Unknown => "?".to_owned(),
            _ => format!("{:.1}", ms(self.returned)),
        };
        write!(
            f,
            "{:>10.1}..{until:<10} client {:<3} ",
            ms(self.called),
            self.client
        )?;
        match self.action {
            Action::Put(value) => write!(f, "put {value}")?,
            Action::Create(value) => write!(f, "create {value}")?,
            Action::PutIf { value, expected } => write!(f, "put {value} if {expected}")?,
            Action::Delete => f.write_str("delete")?,
            Action::Get => f.write_str("get")?,
        }
        match self.outcome {
            Outcome::Unknown => f.write_str(" -> unknown"),
            Outcome::Created(place) => write!(f, " -> created at {place}"),
            Outcome::Updated(place) => write!(f, " -> updated at {place}"),
            Outcome::Deleted(place) => write!(f, " -> deleted at {place}"),
            Outcome::NotFound => f.write_str(" -> not found"),
            Outcome::Conflict => f.write_str(" -> conflict"),
            Outcome::Found(value, place) => write!(f, " -> {value} at {place}"),
            Outcome::Missing => f.write_str(" -> missing"),
        }
    }
}
