//! Who has what: a primary's book of the copies of its shard. No clock, no network.
//!
//! A copy is *tracked* from the moment its recovery begins: every operation from then on is sent to it. It is *required*
//! once it is in sync, or has been promised to be: nothing is acknowledged that it does not have. The masters' in-sync
//! set never holds a copy that is not required here, since a copy reports itself started only after the promise; and a
//! required copy leaves the book only after the masters took it out of the set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::Mutex;

use crate::cluster::{IndexMetadata, NodeId, ShardCopy, ShardState};
use crate::sys::signal::Signal;

/// A copy that operations are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Identity of its data.
    pub allocation_id: String,
    /// Where it is.
    pub node: NodeId,
    /// Nothing is acknowledged without it.
    pub required: bool,
    /// The masters have it started: searches may go to it.
    pub started: bool,
}

#[derive(Debug)]
struct Tracked {
    node: NodeId,
    required: bool,
    started: bool,
    /// What it told to have on disk; `None` until it did.
    persisted: Option<i64>,
    /// The highest number given out when its recovery began: it needs all up to here before it is required.
    needs: i64,
}

/// The book of one primary.
#[derive(Debug)]
pub struct Group {
    own: String,
    primary_term: u64,
    members: Mutex<BTreeMap<String, Tracked>>,
    /// The highest global checkpoint that anybody was told. Only changed while `members` is held.
    told_global: AtomicI64,
    /// Held from a look at who is in the book to the word to the shard whether it is alone.
    telling_alone: Mutex<()>,
    /// The masters have begun to move this copy: the one that takes its place may reign before this node hears of it.
    moving: AtomicBool,
    /// The masters count this copy as started, and with that no copy that was away.
    serves: AtomicBool,
    /// Told whenever a member goes.
    gone: Signal,
    pending: Mutex<Pending>,
    debts: Mutex<Debts>,
    /// Told when one is paid, or none will be any more.
    paid: Signal,
}

/// What copies that count may lack: operations that were seen here and did not reach all of them. Each debt is paid by a
/// resync that began after it was incurred.
#[derive(Debug, Default)]
struct Debts {
    incurred: u64,
    paid: u64,
    /// Somebody is at it.
    is_being_paid: bool,
    /// The reign is over: they are another primary's affair.
    is_over: bool,
}

/// Writes that are not acknowledged yet, by document.
#[derive(Debug, Default)]
struct Pending {
    by_id: BTreeMap<String, Vec<(u64, Arc<Decision>)>>,
    next: u64,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Open,
    Acknowledged,
    Unknown,
}

/// What became of a write, for those who wait for it.
#[derive(Debug)]
struct Decision {
    outcome: Mutex<Outcome>,
    made: Signal,
}

impl Decision {
    fn outcome(&self) -> Outcome {
        *self.outcome.lock()
    }

    fn make(&self, outcome: Outcome) {
        *self.outcome.lock() = outcome;
        self.made.raise();
    }
}

/// A write between its beginning and its acknowledgement; dropped without one, its outcome is unknown, and a debt.
#[derive(Debug)]
pub struct PendingWrite {
    group: Arc<Group>,
    number: u64,
    ids: Vec<String>,
    decision: Arc<Decision>,
}

/// A write that was seen did not become one that is known to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecided;

impl Group {
    /// The book at the beginning of a reign.
    pub fn new(own: &str, primary_term: u64) -> Group {
        Group {
            own: own.to_owned(),
            primary_term,
            members: Mutex::default(),
            told_global: AtomicI64::new(-1),
            telling_alone: Mutex::default(),
            moving: AtomicBool::new(false),
            serves: AtomicBool::new(false),
            gone: Signal::default(),
            pending: Mutex::default(),
            debts: Mutex::default(),
            paid: Signal::default(),
        }
    }

    /// The book of a replica that takes over: the other copies may lack what it has.
    pub fn promoted(own: &str, primary_term: u64) -> Group {
        let group = Group::new(own, primary_term);
        group.owe();
        group
    }

    /// The reign.
    pub fn primary_term(&self) -> u64 {
        self.primary_term
    }

    /// Takes over what the masters say.
    ///
    /// * `set_alone`: told whether this copy is the only one in the book.
    pub fn follow(
        &self,
        index: &IndexMetadata,
        shard: u32,
        copies: &[ShardCopy],
        set_alone: impl FnOnce(bool),
    ) {
        let _told = self.telling_alone.lock();
        let in_sync = index.in_sync.get(shard as usize);
        let mut members = self.members.lock();
        let mut routed = Vec::with_capacity(copies.len());
        for copy in copies {
            let (Some(id), Some(node)) = (&copy.allocation_id, &copy.node) else {
                continue;
            };
            if *id == self.own {
                let is_moving = copy.state == ShardState::Relocating;
                self.moving.store(is_moving, Ordering::Release);
                self.serves.store(copy.is_active(), Ordering::Release);
                continue;
            }
            if copy.state == ShardState::Unassigned {
                continue;
            }
            routed.push(id.clone());
            let is_in_sync = in_sync.is_some_and(|set| set.contains(id));
            let started = matches!(copy.state, ShardState::Started | ShardState::Relocating);
            match members.get_mut(id) {
                Some(member) => {
                    member.required |= is_in_sync;
                    member.started = started;
                }
                None if is_in_sync => {
                    let member = Tracked {
                        node: node.clone(),
                        required: true,
                        started,
                        persisted: None,
                        needs: -1,
                    };
                    members.insert(id.clone(), member);
                }
                None => {}
            }
        }
        members.retain(|id, _| routed.contains(id));
        let is_alone = members.is_empty();
        drop(members);
        set_alone(is_alone);
        self.gone.raise();
    }

    /// Whether the masters count this copy as started. Until then a copy that is away may be in sync as well, and become the
    /// primary without what is written here.
    pub fn serves(&self) -> bool {
        self.serves.load(Ordering::Acquire)
    }

    /// Begins to send operations to a copy that recovers.
    ///
    /// * `set_alone`: told that this copy is not the only one any more, before the other is in the book.
    /// * `max_seq_no`: asked for after the copy is in the book, so that no operation falls between.
    pub fn track(
        &self,
        allocation_id: &str,
        node: &NodeId,
        set_alone: impl FnOnce(bool),
        max_seq_no: impl FnOnce() -> i64,
    ) {
        let _told = self.telling_alone.lock();
        set_alone(false);
        let mut members = self.members.lock();
        let required = members.get(allocation_id).is_some_and(|old| old.required);
        members.insert(
            allocation_id.to_owned(),
            Tracked {
                node: node.clone(),
                required,
                started: false,
                persisted: None,
                needs: i64::MAX,
            },
        );
        drop(members);
        let needs = max_seq_no();
        if let Some(member) = self.members.lock().get_mut(allocation_id) {
            member.needs = needs;
        }
    }

    /// Requires a copy from now on, if it has all that it needs, and all that others were told every in-sync copy has;
    /// `None` if it is not tracked any more.
    pub fn require(&self, allocation_id: &str, persisted: i64) -> Option<bool> {
        let mut members = self.members.lock();
        let member = members.get_mut(allocation_id)?;
        member.persisted = member.persisted.max(Some(persisted));
        if persisted < member.needs.max(self.told_global.load(Ordering::Relaxed)) {
            return Some(false);
        }
        member.required = true;
        Some(true)
    }

    /// Strikes a copy out: the masters took it out of the in-sync set, or it was not in it.
    pub fn forget(&self, allocation_id: &str) {
        self.members.lock().remove(allocation_id);
        self.gone.raise();
    }

    /// Strikes a copy out that nobody promised anything; true if it is not in the book now.
    pub fn forget_unless_required(&self, allocation_id: &str) -> bool {
        let mut members = self.members.lock();
        if members
            .get(allocation_id)
            .is_some_and(|member| member.required)
        {
            return false;
        }
        members.remove(allocation_id);
        drop(members);
        self.gone.raise();
        true
    }

    /// Returns once a copy is not in the book.
    pub async fn left(&self, allocation_id: &str) {
        let is_gone = || !self.members.lock().contains_key(allocation_id);
        self.gone.until(is_gone).await;
    }

    /// Whether nothing is acknowledged without this copy.
    pub fn is_required(&self, allocation_id: &str) -> bool {
        let members = self.members.lock();
        members
            .get(allocation_id)
            .is_some_and(|member| member.required)
    }

    /// All copies that operations go to.
    pub fn members(&self) -> Vec<Member> {
        let members = self.members.lock();
        let show = |(id, member): (&String, &Tracked)| Member {
            allocation_id: id.clone(),
            node: member.node.clone(),
            required: member.required,
            started: member.started,
        };
        members.iter().map(show).collect()
    }

    /// Whether another copy is about to take this one's place.
    pub fn is_moving(&self) -> bool {
        self.moving.load(Ordering::Acquire)
    }

    /// Whether this copy is the only one.
    pub fn is_alone(&self) -> bool {
        self.members.lock().is_empty()
    }

    /// Notes what a copy told.
    pub fn note_persisted(&self, allocation_id: &str, persisted: i64) {
        if let Some(member) = self.members.lock().get_mut(allocation_id) {
            member.persisted = member.persisted.max(Some(persisted));
        }
    }

    /// Whether a copy has told that it does not have everything up to a number.
    pub fn lacks(&self, allocation_id: &str, seq_no: i64) -> bool {
        let members = self.members.lock();
        let told = members
            .get(allocation_id)
            .and_then(|member| member.persisted);
        told.is_some_and(|persisted| persisted < seq_no)
    }

    /// What every in-sync copy has on disk; `None` while one has not told yet.
    ///
    /// * `own`: what this copy has.
    pub fn global_checkpoint(&self, own: i64) -> Option<i64> {
        let members = self.members.lock();
        let mut lowest = own;
        for member in members.values().filter(|member| member.required) {
            lowest = lowest.min(member.persisted?);
        }
        self.told_global.fetch_max(lowest, Ordering::Relaxed);
        Some(lowest)
    }

    /// Notes that a write to these documents begins. Call it before the shard sees the write.
    pub fn begin(self: &Arc<Self>, ids: Vec<String>) -> PendingWrite {
        let decision = Arc::new(Decision {
            outcome: Mutex::new(Outcome::Open),
            made: Signal::default(),
        });
        let mut pending = self.pending.lock();
        let number = pending.next;
        pending.next += 1;
        for id in &ids {
            let writes = pending.by_id.entry(id.clone()).or_default();
            writes.push((number, decision.clone()));
        }
        drop(pending);
        PendingWrite {
            group: self.clone(),
            number,
            ids,
            decision,
        }
    }

    /// Notes that copies that count may lack operations that this one shows.
    fn owe(&self) {
        self.debts.lock().incurred += 1;
    }

    /// Whether the other copies have to be brought to where this one is, and nobody is at it: the caller is, from here on.
    pub fn begin_paying(&self) -> bool {
        let mut debts = self.debts.lock();
        let begins = debts.paid < debts.incurred && !debts.is_being_paid && !debts.is_over;
        debts.is_being_paid |= begins;
        begins
    }

    /// What a resync that begins now pays; `None`: nothing is owed, and the caller is not at it any more.
    pub fn debt(&self) -> Option<u64> {
        let mut debts = self.debts.lock();
        debts.is_being_paid = debts.paid < debts.incurred;
        debts.is_being_paid.then_some(debts.incurred)
    }

    /// A resync is done that began when this was the debt.
    pub fn pay(&self, debt: u64) {
        let mut debts = self.debts.lock();
        debts.paid = debts.paid.max(debt);
        drop(debts);
        self.paid.raise();
    }

    /// The copy is not the primary any more: nothing is paid from here on.
    pub fn end_paying(&self) {
        self.debts.lock().is_over = true;
        self.paid.raise();
    }

    /// Waits until every write to a document that has begun by now is on every copy that counts. Call it after the document
    /// was read: what was read is then known to last. An error: some of it may be lost with this primary.
    pub async fn settle(&self, id: &str) -> Result<(), Undecided> {
        let open: Vec<Arc<Decision>> = {
            let pending = self.pending.lock();
            let writes = pending.by_id.get(id).map_or(&[][..], Vec::as_slice);
            writes
                .iter()
                .map(|(_, decision)| decision.clone())
                .collect()
        };
        for decision in open {
            let is_made = || decision.outcome() != Outcome::Open;
            decision.made.until(is_made).await;
        }
        // Those that failed, also before this call, are among the debts.
        let owed = self.debts.lock().incurred;
        let is_paid = || self.debts.lock().paid >= owed;
        let is_over = || self.debts.lock().is_over;
        self.paid.until(|| is_paid() || is_over()).await;
        is_paid().then_some(()).ok_or(Undecided)
    }
}

impl PendingWrite {
    /// The write is on every in-sync copy.
    pub fn acknowledge(self) {
        self.decision.make(Outcome::Acknowledged);
    }
}

impl Drop for PendingWrite {
    fn drop(&mut self) {
        let is_open = self.decision.outcome() == Outcome::Open;
        if is_open {
            // Before anybody can find that the write is pending no more.
            self.group.owe();
        }
        let mut pending = self.group.pending.lock();
        for id in &self.ids {
            if let Some(writes) = pending.by_id.get_mut(id) {
                writes.retain(|(number, _)| *number != self.number);
                if writes.is_empty() {
                    pending.by_id.remove(id);
                }
            }
        }
        drop(pending);
        if is_open {
            self.decision.make(Outcome::Unknown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::testing::{Cluster, create};

    fn node(name: &str) -> NodeId {
        NodeId(name.to_owned())
    }

    #[test]
    fn a_copy_is_required_once_it_has_what_was_there_before_it_was_tracked() {
        let group = Group::new("own", 3);
        assert!(group.is_alone());
        assert_eq!(group.global_checkpoint(7), Some(7));
        group.track("b", &node("n"), |_| (), || 9);
        assert!(!group.is_required("b"));
        assert_eq!(group.global_checkpoint(7), Some(7), "not required yet");
        assert_eq!(group.require("b", 8), Some(false));
        assert_eq!(group.require("b", 9), Some(true));
        assert_eq!(group.global_checkpoint(12), Some(9));
        group.note_persisted("b", 11);
        group.note_persisted("b", 10);
        assert_eq!(group.global_checkpoint(12), Some(11));
        group.forget("b");
        assert_eq!(group.require("b", 99), None);
        assert_eq!(group.global_checkpoint(12), Some(12));
    }

    #[test]
    fn a_copy_that_lacks_what_every_in_sync_copy_has_is_not_required() {
        let group = Group::new("own", 3);
        group.track("b", &node("n"), |_| (), || 4);
        // An operation that came later is on its way to the copy, and on all that count by now.
        assert_eq!(group.global_checkpoint(5), Some(5));
        assert_eq!(group.require("b", 4), Some(false));
        assert_eq!(group.require("b", 5), Some(true));
    }

    #[test]
    fn whether_a_copy_is_alone_is_told_by_one_at_a_time() {
        let group = Group::new("own", 3);
        let told = Mutex::new(Vec::new());
        let tell = |is_alone| {
            assert!(group.telling_alone.is_locked());
            told.lock().push(is_alone);
        };
        let mut cluster = Cluster::of(&["n"]);
        cluster.run(create("hats")).unwrap();
        let index = cluster.state.index("hats").unwrap().clone();
        group.follow(&index, 0, &[], tell);
        group.track("b", &node("n"), tell, || 9);
        group.follow(&index, 0, &[], tell);
        assert_eq!(*told.lock(), [true, false, true]);
    }

    #[test]
    fn a_primary_serves_once_the_masters_count_it_as_started() {
        let mut cluster = Cluster::of(&["n"]);
        cluster.run(create("hats")).unwrap();
        let own = cluster.state.routing.copies("hats", 0)[0]
            .allocation_id
            .clone();
        let group = Group::new(&own.unwrap(), 1);
        let follow = |cluster: &Cluster| {
            let index = cluster.state.index("hats").unwrap();
            let copies = cluster.state.routing.copies("hats", 0);
            group.follow(index, 0, copies, |_| ());
            group.serves()
        };
        // by now a copy that is away may still be in sync, and be given the primary
        assert!(!follow(&cluster));
        cluster.settle();
        assert!(follow(&cluster));
    }

    #[tokio::test]
    async fn a_reader_waits_for_the_writes_that_it_may_have_seen() {
        let group = Arc::new(Group::new("own", 1));
        let first = group.begin(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(group.settle("c").await, Ok(()));
        let reader = tokio::spawn({
            let group = group.clone();
            async move { group.settle("a").await }
        });
        tokio::task::yield_now().await;
        assert!(!reader.is_finished());
        first.acknowledge();
        assert_eq!(reader.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_reader_waits_until_what_it_may_have_seen_is_on_every_copy() {
        let group = Arc::new(Group::new("own", 1));
        assert!(!group.begin_paying(), "nothing is owed");
        drop(group.begin(vec!["a".to_owned()]));
        assert!(group.begin_paying());
        assert!(!group.begin_paying(), "one at a time");
        let debt = group.debt().unwrap();
        // A write that fails after the resync began may not be in it.
        drop(group.begin(vec!["a".to_owned()]));
        let reader = tokio::spawn({
            let group = group.clone();
            async move { group.settle("a").await }
        });
        tokio::task::yield_now().await;
        group.pay(debt);
        tokio::task::yield_now().await;
        assert!(!reader.is_finished());
        group.pay(group.debt().unwrap());
        assert_eq!(reader.await.unwrap(), Ok(()));
        assert_eq!(group.debt(), None);
        assert!(!group.begin_paying());
        drop(group.begin(vec!["b".to_owned()]));
        assert!(group.begin_paying());
        let settled = tokio::join!(group.settle("b"), async { group.end_paying() }).0;
        assert_eq!(settled, Err(Undecided));
    }

    #[tokio::test]
    async fn a_new_primary_owes_what_it_has() {
        let group = Group::promoted("own", 2);
        assert!(group.begin_paying());
        let debt = group.debt().unwrap();
        let settled = tokio::join!(group.settle("a"), async { group.pay(debt) }).0;
        assert_eq!(settled, Ok(()));
    }
}
