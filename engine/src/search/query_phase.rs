//! The query phase: which documents match, which are best, how many there are.

use super::slice::ShardSlice;
use super::sort_reader::PlannedKey;
use super::sorted::Sorted;
use super::sorted_windows::{self, Counted};
use super::{
    HitCount, HitRelation, SearchContext, SearchError, SearchRequest, ShardHit, ShardQueryResult,
    SortKey, TopScores, TrackTotalHits, WindowCollector,
};
use crate::exec::ranked::{self, Ranking};
use crate::exec::{DocsNode, Hits, NO_MORE, Node, Planner, Scorer, SegmentScope};
use crate::ids::DocId;
use crate::segment::{WINDOW_DOCS, Window};
use crate::shard::ShardReader;
use roaring::RoaringBitmap;

/// Who keeps the hits.
enum Keeper<'a> {
    Nobody,
    Scores(TopScores),
    Sorted(Box<Sorted<'a>>),
}

/// Everything about a search that does not change from segment to segment.
struct Plan<'a> {
    node: Node,
    post_filter: Option<Node>,
    slice: ShardSlice,
    /// Whether scores are computed.
    scored: bool,
    /// `terminate_after`, when it stops anything.
    stop_after: Option<u64>,
    request: &'a SearchRequest,
}

/// What is counted and found on the way.
struct Progress {
    /// Documents that match, after the post filter, as far as looked at.
    count: u64,
    /// Documents collected, before the post filter.
    collected: u64,
    /// Known beforehand.
    exact: Option<u64>,
    max_score: f32,
    terminated_early: bool,
    timed_out: bool,
    /// Whether some documents that match were left out of `count`.
    skipped: bool,
}

/// Runs the query phase; `collector` takes all that the query finds.
pub(super) fn run(
    reader: &ShardReader,
    request: &SearchRequest,
    context: &SearchContext<'_>,
    mut collector: Option<&mut dyn WindowCollector>,
) -> Result<ShardQueryResult, SearchError> {
    let mut planner = Planner::new(reader, context);
    let node = planner.plan_kept(&request.query, true)?;
    let post_filter = match &request.post_filter {
        Some(filter) => Some(planner.plan_kept(filter, true)?),
        None => None,
    };
    let by_score = request.sort.is_empty() || request.sort == [SortKey::score()];
    let only_scores = by_score && request.collapse.is_none();
    let mut keys = Vec::new();
    if !only_scores || request.search_after.is_some() {
        let score = [SortKey::score()];
        let sort = match request.sort[..] {
            [] => &score,
            _ => &request.sort[..],
        };
        for key in sort {
            keys.push(PlannedKey::new(key, reader, context)?);
        }
    }
    let after = match &request.search_after {
        Some(values) => {
            if values.len() != keys.len() {
                return Err(SearchError::illegal(format!(
                    "search_after has {} value(s) but sort has {}.",
                    values.len(),
                    keys.len()
                )));
            }
            let mut after = Vec::with_capacity(keys.len());
            for (key, value) in keys.iter().zip(values) {
                after.push(key.after(value, context.now_ms)?);
            }
            Some(after)
        }
        None => None,
    };
    let scored = request.min_score.is_some()
        || (request.size > 0
            && (request.track_scores || by_score || keys.iter().any(PlannedKey::is_score)))
        || collector
            .as_ref()
            .is_some_and(|collector| collector.needs_scores());
    let mut keeper = match request.size {
        0 => Keeper::Nobody,
        size if only_scores => {
            let after = match after.as_deref() {
                Some([super::SortValue::F64(score)]) => Some(*score as f32),
                _ => None,
            };
            Keeper::Scores(TopScores::new(size, after))
        }
        size => Keeper::Sorted(Box::new(Sorted::new(
            size,
            &keys,
            after,
            request.collapse.as_ref(),
            reader,
            context,
        )?)),
    };
    let plan = Plan {
        slice: ShardSlice::new(request.slice.as_ref(), reader, context)?,
        scored,
        stop_after: request.terminate_after.filter(|limit| *limit > 0),
        node,
        post_filter,
        request,
    };
    let mut progress = Progress {
        count: 0,
        collected: 0,
        exact: known_count(reader, &plan),
        max_score: f32::NEG_INFINITY,
        terminated_early: false,
        timed_out: false,
        skipped: false,
    };
    if progress.exact.is_none() && collector.is_none() {
        count_apart(reader, context, &plan, &keeper, &mut progress)?;
    }
    let nothing_to_do = collector.is_none()
        && matches!(keeper, Keeper::Nobody)
        && (progress.exact.is_some() || request.track_total_hits == TrackTotalHits::No);
    if !nothing_to_do && !plan.node.is_nothing() {
        let mut first_doc = 0;
        for (ord, segment) in reader.segments.iter().enumerate() {
            if let Keeper::Sorted(sorted) = &mut keeper {
                sorted.begin_segment(ord as u32, &segment.reader, first_doc)?;
            }
            let scope = SegmentScope {
                shard: reader,
                ord,
                context,
            };
            search_segment(&scope, &plan, &mut keeper, &mut collector, &mut progress)?;
            if progress.terminated_early || progress.timed_out {
                break;
            }
            first_doc += u64::from(segment.reader.max_doc());
        }
    }
    finish(request, keeper, progress, by_score)
}

fn finish(
    request: &SearchRequest,
    keeper: Keeper<'_>,
    progress: Progress,
    by_score: bool,
) -> Result<ShardQueryResult, SearchError> {
    let hits: Vec<ShardHit> = match keeper {
        Keeper::Nobody => Vec::new(),
        Keeper::Scores(top) => {
            let mut hits = top.into_hits();
            // an explicit sort by score shows the scores as sort values
            if !request.sort.is_empty() {
                for hit in &mut hits {
                    hit.sort = vec![super::SortValue::F64(f64::from(hit.score))];
                }
            }
            hits
        }
        Keeper::Sorted(sorted) => {
            let mut hits = sorted.into_hits()?;
            if request.sort.is_empty() {
                for hit in &mut hits {
                    hit.sort = Vec::new();
                }
            }
            let shown =
                by_score || request.track_scores || request.sort.contains(&SortKey::score());
            if !shown {
                for hit in &mut hits {
                    hit.score = f32::NAN;
                }
            }
            hits
        }
    };
    let with_scores = request.size > 0 && (by_score || request.track_scores);
    let max_score = match progress.max_score {
        _ if !with_scores => None,
        max if max > f32::NEG_INFINITY => Some(max),
        _ => None,
    };
    let total = match (request.track_total_hits, progress.exact) {
        (TrackTotalHits::No, _) => None,
        // Also of a search that was cut short: pruning relied on it, and what was counted is no measure.
        (_, Some(exact)) => Some(HitCount {
            value: exact,
            relation: HitRelation::Eq,
        }),
        (TrackTotalHits::UpTo(limit), _) if progress.count > limit || progress.skipped => {
            Some(HitCount {
                value: limit,
                relation: HitRelation::Gte,
            })
        }
        _ => Some(HitCount {
            value: progress.count,
            relation: HitRelation::Eq,
        }),
    };
    Ok(ShardQueryResult {
        hits,
        total,
        max_score,
        aggs: None,
        terminated_early: progress.terminated_early,
        timed_out: progress.timed_out,
    })
}

/// The number of hits where the dictionary knows it.
fn known_count(reader: &ShardReader, plan: &Plan<'_>) -> Option<u64> {
    if !is_plain(plan) {
        return None;
    }
    quick_count(reader, &plan.node)
}

/// The number of live documents of a plan where it costs nothing to know.
pub(super) fn quick_count(reader: &ShardReader, node: &Node) -> Option<u64> {
    let without_deletes = reader.segments.iter().all(|segment| segment.live.is_none());
    match node {
        Node::Nothing => Some(0),
        Node::All { .. } => {
            let live = reader.segments.iter().map(|s| u64::from(s.live_count()));
            Some(live.sum())
        }
        Node::Term(term) if without_deletes => {
            let found = term.infos.iter().flatten();
            Some(found.map(|info| u64::from(info.doc_freq)).sum())
        }
        Node::Constant {
            docs:
                DocsNode::Terms {
                    field,
                    terms,
                    indexed: true,
                },
            ..
        } if without_deletes && terms.len() == 1 => {
            let mut count = 0;
            for segment in &reader.segments {
                let dictionary = segment.reader.terms(field).ok()?;
                if let Some(dictionary) = dictionary
                    && let Some(info) = dictionary.get(&terms[0]).ok()?
                {
                    count += u64::from(info.doc_freq);
                }
            }
            Some(count)
        }
        _ => None,
    }
}

fn search_segment<'a>(
    scope: &SegmentScope<'a>,
    plan: &Plan<'_>,
    keeper: &mut Keeper<'a>,
    collector: &mut Option<&mut dyn WindowCollector>,
    progress: &mut Progress,
) -> Result<(), SearchError> {
    if let Keeper::Scores(top) = keeper
        && collector.is_none()
        && is_plain(plan)
        && rank_segment(scope, plan, top, progress)?
    {
        progress.timed_out = scope.context.timed_out();
        return Ok(());
    }
    if let Keeper::Sorted(sorted) = keeper
        && collector.is_none()
        && let Some(enough) = counted_from(plan, progress)
    {
        let mut counted = Counted {
            count: progress.count,
            enough,
            skipped: false,
            timed_out: false,
        };
        if sorted_windows::search(scope, &plan.node, sorted, &mut counted)? {
            progress.count = counted.count;
            progress.skipped |= counted.skipped;
            progress.timed_out = counted.timed_out;
            return Ok(());
        }
    }
    let Some(mut scorer) = scope.scorer(&plan.node, plan.scored)? else {
        return Ok(());
    };
    let mut post_filter = match &plan.post_filter {
        Some(filter) => Some(scope.scorer(filter, false)?),
        None => None,
    };
    let snapshot = &scope.shard.segments[scope.ord];
    let slice = plan.slice.documents(&snapshot.reader, scope.context)?;
    if let Some(collector) = collector {
        collector.begin_segment(scope.ord as u32, snapshot)?;
        let whole = matches!(plan.node, Node::All { .. })
            && is_plain(plan)
            && snapshot.live_count() == snapshot.reader.max_doc();
        if whole && matches!(keeper, Keeper::Nobody) && collector.collect_segment()? {
            return Ok(());
        }
    }
    let mut windows = Windows::new();
    let mut at = scorer.seek(0)?;
    while at != NO_MORE {
        scope.context.check_cancelled()?;
        if scope.context.timed_out() {
            progress.timed_out = true;
            return Ok(());
        }
        let base = Window::base_of(at);
        let floor = floor_of(plan, keeper, collector.is_some(), progress);
        if floor == f32::INFINITY {
            progress.skipped = true;
            return Ok(());
        }
        if floor > f32::NEG_INFINITY && scorer.max_score(base)? <= floor {
            progress.skipped = true;
        } else {
            progress.skipped |= floor > f32::NEG_INFINITY;
            scorer.fill(base, None, floor, &mut windows.hits)?;
            if let Some(live) = snapshot.live.as_deref() {
                live.mask_window(DocId(base), &mut windows.hits.docs);
            }
            if let Some(slice) = &slice {
                keep_only(slice, base, &mut windows.hits.docs);
            }
            if let Some(least) = plan.request.min_score {
                windows.drop_below(least);
            }
            windows.list(base, plan.scored);
            collect(
                scope,
                plan,
                keeper,
                collector,
                &mut post_filter,
                &mut windows,
                base,
                progress,
            )?;
            if progress.terminated_early {
                return Ok(());
            }
        }
        let Some(next) = base.checked_add(WINDOW_DOCS) else {
            break;
        };
        at = scorer.seek(next)?;
    }
    Ok(())
}

/// Finds the best of a segment without looking at all of it; `false`, with nothing done, where that cannot be.
fn rank_segment(
    scope: &SegmentScope<'_>,
    plan: &Plan<'_>,
    top: &mut TopScores,
    progress: &mut Progress,
) -> Result<bool, SearchError> {
    let live = scope.shard.segments[scope.ord].live.as_deref();
    let mut ranking = Ranking::new(top, scope.ord as u32, live);
    if is_counted(plan, progress) {
        if !ranked::rank(scope, &plan.node, &mut ranking)? {
            return Ok(false);
        }
        progress.skipped |= progress.exact.is_none();
    } else {
        let limit = limit_of(plan).saturating_sub(progress.count);
        let counted = ranked::count::count_and_rank(scope, &plan.node, limit, &mut ranking)?;
        let Some(count) = counted else {
            return Ok(false);
        };
        progress.count += count;
        progress.skipped |= count > limit;
    }
    progress.max_score = top.max();
    Ok(true)
}

/// How many hits are worth counting.
fn limit_of(plan: &Plan<'_>) -> u64 {
    match plan.request.track_total_hits {
        TrackTotalHits::No => 0,
        TrackTotalHits::UpTo(limit) => limit,
        TrackTotalHits::All => u64::MAX,
    }
}

/// Whether nothing but the query itself decides what is found.
fn is_plain(plan: &Plan<'_>) -> bool {
    plan.post_filter.is_none()
        && plan.request.min_score.is_none()
        && plan.stop_after.is_none()
        && plan.slice == ShardSlice::Everything
}

/// From how many hits on documents may be left out that are not among the first; `None` if they never may.
fn counted_from(plan: &Plan<'_>, progress: &Progress) -> Option<u64> {
    let request = plan.request;
    if !is_plain(plan) || plan.scored || request.track_scores {
        return None;
    }
    match request.track_total_hits {
        _ if progress.exact.is_some() => Some(0),
        TrackTotalHits::No => Some(0),
        TrackTotalHits::UpTo(limit) => Some(limit.saturating_add(1)),
        TrackTotalHits::All => None,
    }
}

/// Whether as many hits are counted as somebody asked for.
fn is_counted(plan: &Plan<'_>, progress: &Progress) -> bool {
    progress.exact.is_some()
        || match plan.request.track_total_hits {
            TrackTotalHits::No => true,
            TrackTotalHits::UpTo(limit) => progress.count > limit,
            TrackTotalHits::All => false,
        }
}

/// Counts beforehand, where that and a search for the best alone cost less than both in one.
fn count_apart(
    reader: &ShardReader,
    context: &SearchContext<'_>,
    plan: &Plan<'_>,
    keeper: &Keeper<'_>,
    progress: &mut Progress,
) -> Result<(), SearchError> {
    if !is_plain(plan) || plan.request.track_total_hits == TrackTotalHits::No {
        return Ok(());
    }
    // Where one clause is not enough, or all score the same, it is cheaper to count what is ranked.
    let in_one_go = match &plan.node {
        Node::Bool(node) => {
            let excluding = node.must.len() == 1 && !node.must_not.is_empty();
            let led_by_term = excluding && matches!(node.must[0], Node::Term(_));
            ranked::is_rare_and_checked(node) || !(ranked::is_union(node) || led_by_term)
        }
        Node::Phrase(_) | Node::Constant { .. } => true,
        _ => false,
    };
    // What decides alone may be costly to work out twice.
    let decides_alone = match &plan.node {
        Node::Bool(node) => node.must.is_empty() && !ranked::is_union(node),
        Node::Constant { .. } => true,
        _ => false,
    };
    match keeper {
        Keeper::Scores(_) if in_one_go => return Ok(()),
        Keeper::Sorted(_) if decides_alone => return Ok(()),
        _ => {}
    }
    let limit = limit_of(plan);
    let mut count = 0;
    for (ord, segment) in reader.segments.iter().enumerate() {
        let scope = SegmentScope {
            shard: reader,
            ord,
            context,
        };
        let left = limit - count;
        match ranked::count::count(&scope, &plan.node, segment.live.as_deref(), left)? {
            Some(more) => count += more,
            None => return Ok(()),
        }
        if count > limit {
            break;
        }
    }
    if context.timed_out() {
        return Ok(());
    }
    if count > limit {
        progress.count = count;
    } else {
        progress.exact = Some(count);
    }
    Ok(())
}

/// Below which score documents are of no interest: infinity when none is any more.
fn floor_of(plan: &Plan<'_>, keeper: &Keeper<'_>, collecting: bool, progress: &Progress) -> f32 {
    if !is_counted(plan, progress) || collecting || plan.stop_after.is_some() {
        return f32::NEG_INFINITY;
    }
    match keeper {
        Keeper::Nobody => f32::INFINITY,
        Keeper::Scores(top) => top.floor(),
        Keeper::Sorted(sorted) if sorted.is_complete() && !plan.request.track_scores => {
            f32::INFINITY
        }
        Keeper::Sorted(_) => f32::NEG_INFINITY,
    }
}

/// Buffers reused from window to window.
struct Windows {
    hits: Hits,
    filtered: Hits,
    docs: Vec<u32>,
    scores: Vec<f32>,
}

impl Windows {
    fn new() -> Windows {
        Windows {
            hits: Hits::new(),
            filtered: Hits::new(),
            docs: Vec::new(),
            scores: Vec::new(),
        }
    }

    fn drop_below(&mut self, least: f32) {
        for index in 0..self.hits.docs.words.len() {
            let mut rest = self.hits.docs.words[index];
            while rest != 0 {
                let offset = index as u32 * 64 + rest.trailing_zeros();
                if self.hits.scores[offset as usize] < least {
                    self.hits.docs.unset(offset);
                }
                rest &= rest - 1;
            }
        }
    }

    /// Writes the hits out as lists.
    fn list(&mut self, base: u32, scored: bool) {
        self.docs.clear();
        self.scores.clear();
        self.hits.docs.push_docs(base, &mut self.docs);
        if scored {
            for doc in &self.docs {
                self.scores.push(self.hits.scores[(doc - base) as usize]);
            }
        }
    }
}

fn keep_only(slice: &RoaringBitmap, base: u32, docs: &mut Window) {
    let mut wanted = Window::empty();
    for doc in slice.range(base..=base.saturating_add(WINDOW_DOCS - 1)) {
        wanted.set(doc - base);
    }
    docs.and(&wanted);
}

#[allow(clippy::too_many_arguments)] // the parts of one loop, each from another place
fn collect(
    scope: &SegmentScope<'_>,
    plan: &Plan<'_>,
    keeper: &mut Keeper<'_>,
    collector: &mut Option<&mut dyn WindowCollector>,
    post_filter: &mut Option<Option<Box<dyn Scorer>>>,
    windows: &mut Windows,
    base: u32,
    progress: &mut Progress,
) -> Result<(), SearchError> {
    if let Some(limit) = plan.stop_after {
        let left = limit.saturating_sub(progress.collected);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        if windows.docs.len() >= left {
            progress.terminated_early = true;
            windows.docs.truncate(left);
            windows.scores.truncate(left);
            windows.hits.docs.clear();
            for doc in &windows.docs {
                windows.hits.docs.set(doc - base);
            }
        }
    }
    if windows.docs.is_empty() {
        return Ok(());
    }
    progress.collected += windows.docs.len() as u64;
    if let Some(collector) = collector {
        let scores: &[f32] = match collector.needs_scores() {
            true => &windows.scores,
            false => &[],
        };
        collector.collect(&windows.docs, &windows.hits.docs, scores)?;
    }
    if let Some(filter) = post_filter {
        windows.filtered.docs.clear();
        if let Some(filter) = filter {
            filter.fill(
                base,
                Some(&windows.hits.docs),
                f32::NEG_INFINITY,
                &mut windows.filtered,
            )?;
        }
        windows.hits.docs.and(&windows.filtered.docs);
        windows.list(base, plan.scored);
    }
    progress.count += windows.docs.len() as u64;
    for score in &windows.scores {
        progress.max_score = progress.max_score.max(*score);
    }
    match keeper {
        Keeper::Nobody => Ok(()),
        Keeper::Scores(top) => {
            top.offer(scope.ord as u32, &windows.docs, &windows.scores);
            Ok(())
        }
        Keeper::Sorted(sorted) => sorted.offer(&windows.docs, &windows.scores),
    }
}
