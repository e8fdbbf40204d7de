//! The first documents in an order of sort keys, or one per value of a field.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

use hashbrown::HashMap;

use super::sort_bounds::Bounds;
use super::sort_reader::{PlannedKey, SegmentKey, check_sortable};
use super::{Collapse, DocAddress, SearchContext, SearchError, ShardHit, SortKey, SortValue};
use crate::ids::DocId;
use crate::schema::{FieldMapping, NumericKind};
use crate::segment::{NumericColumn, OrdinalColumn, SegmentReader};
use crate::shard::ShardReader;
use crate::value::Value;

/// A document with its sort values. The greatest comes last in the order asked.
struct Candidate {
    values: Vec<SortValue>,
    doc: DocAddress,
    score: f32,
    keys: Rc<[SortKey]>,
}

fn compare(keys: &[SortKey], a: &[SortValue], b: &[SortValue]) -> Ordering {
    for (key, (a, b)) in keys.iter().zip(a.iter().zip(b)) {
        match key.compare(a, b) {
            Ordering::Equal => {}
            other => return other,
        }
    }
    Ordering::Equal
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.keys, &self.values, &other.values).then_with(|| self.doc.cmp(&other.doc))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

/// Keeps the first `size` documents in the order of some keys.
pub(super) struct Sorted<'a> {
    size: usize,
    planned: &'a [PlannedKey],
    keys: Rc<[SortKey]>,
    after: Option<Vec<SortValue>>,
    heap: BinaryHeap<Candidate>,
    collapse: Option<Groups>,
    segment: Option<Segment<'a>>,
    scratch: Vec<SortValue>,
    context: &'a SearchContext<'a>,
}

struct Segment<'a> {
    ord: u32,
    keys: Vec<SegmentKey<'a>>,
    /// Of the first key.
    bounds: Option<Bounds>,
}

/// The best document per value.
struct Groups {
    path: String,
    numeric: Option<NumericKind>,
    field: std::sync::Arc<FieldMapping>,
    numbers: Option<NumericColumn>,
    ordinals: Option<OrdinalColumn>,
    best: HashMap<GroupKey, Candidate>,
    ords: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum GroupKey {
    None,
    Number(i64),
    Term(Vec<u8>),
}

impl<'a> Sorted<'a> {
    /// `planned`: the keys, at least one. `after`: only documents behind these values.
    pub fn new(
        size: usize,
        planned: &'a [PlannedKey],
        after: Option<Vec<SortValue>>,
        collapse: Option<&Collapse>,
        shard: &ShardReader,
        context: &'a SearchContext<'a>,
    ) -> Result<Self, SearchError> {
        let keys: Vec<SortKey> = planned.iter().map(|planned| planned.key.clone()).collect();
        let collapse = match collapse {
            Some(collapse) => Some(Groups::new(collapse, shard)?),
            None => None,
        };
        Ok(Sorted {
            size,
            planned,
            keys: keys.into(),
            after,
            heap: BinaryHeap::with_capacity(size.min(1024)),
            collapse,
            segment: None,
            scratch: Vec::with_capacity(planned.len()),
            context,
        })
    }

    /// The next documents are of this segment.
    pub fn begin_segment(
        &mut self,
        ord: u32,
        segment: &'a SegmentReader,
        first_doc: u64,
    ) -> Result<(), SearchError> {
        let mut keys = Vec::with_capacity(self.planned.len());
        for planned in self.planned {
            keys.push(planned.in_segment(segment, first_doc, self.context.shard)?);
        }
        if let Some(groups) = &mut self.collapse {
            groups.begin_segment(segment)?;
        }
        let bounds = match (keys.first(), self.keys.first()) {
            (Some(key), Some(asked)) => Bounds::of(key, asked.order, segment.max_doc()),
            _ => None,
        };
        self.segment = Some(Segment { ord, keys, bounds });
        Ok(())
    }

    /// The windows of the segment, each with a number that ascends with the place of the document that comes first;
    /// `None` where that is not known without looking.
    pub fn windows(&self) -> Option<Vec<(i64, u32)>> {
        let bounds = self.segment.as_ref()?.bounds.as_ref()?;
        if self.collapse.is_some() {
            return None;
        }
        let windows = bounds.windows();
        Some(windows.map(|base| (bounds.first(base), base)).collect())
    }

    /// Whether no document of the window at `base` can be among the first.
    pub fn is_hopeless(&self, base: u32) -> bool {
        let Some(segment) = &self.segment else {
            return false;
        };
        let Some(bounds) = segment.bounds.as_ref().filter(|_| self.collapse.is_none()) else {
            return false;
        };
        if let Some(after) = &self.after
            && bounds
                .place(&after[0])
                .is_some_and(|after| bounds.last(base) < after)
        {
            return true;
        }
        let Some(worst) = self.heap.peek().filter(|_| self.heap.len() >= self.size) else {
            return self.size == 0;
        };
        let address = DocAddress {
            segment: segment.ord,
            doc: DocId(base),
        };
        bounds.place(&worst.values[0]).is_some_and(|place| {
            let first = bounds.first(base);
            first > place || (first == place && self.keys.len() == 1 && address > worst.doc)
        })
    }

    /// Whether no later document can be among the first.
    pub fn is_complete(&self) -> bool {
        self.collapse.is_none()
            && self.heap.len() >= self.size
            && self
                .planned
                .first()
                .is_some_and(PlannedKey::is_doc_ascending)
    }

    /// Offers documents of the segment with their scores (NaN where there are none).
    pub fn offer(&mut self, docs: &[u32], scores: &[f32]) -> Result<(), SearchError> {
        let Some(segment) = &mut self.segment else {
            return Ok(());
        };
        for (n, doc) in docs.iter().enumerate() {
            let score = scores.get(n).copied().unwrap_or(f32::NAN);
            let worst = match (&self.collapse, self.heap.peek()) {
                (None, Some(worst)) if self.heap.len() >= self.size => Some(worst),
                _ => None,
            };
            if let (Some(worst), Some(bounds)) = (worst, &segment.bounds)
                && let Some(place) = bounds.place_of(*doc)
                && bounds
                    .place(&worst.values[0])
                    .is_some_and(|worst| worst < place)
            {
                continue;
            }
            let address = DocAddress {
                segment: segment.ord,
                doc: DocId(*doc),
            };
            if self.size == 0
                || !values_if_wanted(
                    &mut segment.keys,
                    &self.keys,
                    (address, score),
                    worst,
                    self.after.as_ref(),
                    &mut self.scratch,
                )?
            {
                continue;
            }
            let candidate = Candidate {
                values: self.scratch.clone(),
                doc: address,
                score,
                keys: self.keys.clone(),
            };
            if let Some(groups) = &mut self.collapse {
                groups.offer(*doc, candidate, self.context)?;
                continue;
            }
            if self.heap.len() >= self.size {
                self.heap.pop();
            }
            self.heap.push(candidate);
        }
        Ok(())
    }

    /// The documents in order.
    pub fn into_hits(self) -> Result<Vec<ShardHit>, SearchError> {
        let mut found: Vec<(Candidate, Option<Value>)> = Vec::new();
        match self.collapse {
            None => {
                for candidate in self.heap.into_sorted_vec() {
                    found.push((candidate, None));
                }
            }
            Some(groups) => {
                for (key, candidate) in groups.best {
                    let value = match key {
                        GroupKey::None => Value::Null,
                        GroupKey::Number(stored) => {
                            groups.field.format_number(stored, None, None)?
                        }
                        GroupKey::Term(bytes) => groups.field.format_term(&bytes, None)?,
                    };
                    found.push((candidate, Some(value)));
                }
                found.sort_by(|a, b| a.0.cmp(&b.0));
                found.truncate(self.size);
            }
        }
        let mut hits = Vec::with_capacity(found.len());
        for (candidate, collapse) in found {
            hits.push(ShardHit {
                doc: candidate.doc,
                score: candidate.score,
                sort: candidate.values,
                collapse,
            });
        }
        Ok(hits)
    }
}

/// Reads a document's values into `values`, as far as needed to see that it is of no interest; whether it is of interest.
///
/// A document that equals `worst` in all keys is of interest if it stands before it.
fn values_if_wanted(
    segment: &mut [SegmentKey<'_>],
    keys: &[SortKey],
    (address, score): (DocAddress, f32),
    worst: Option<&Candidate>,
    after: Option<&Vec<SortValue>>,
    values: &mut Vec<SortValue>,
) -> Result<bool, SearchError> {
    values.clear();
    let (mut to_worst, mut to_after) = (Ordering::Equal, Ordering::Equal);
    for (n, (reader, key)) in segment.iter_mut().zip(keys).enumerate() {
        let value = reader.value(address.doc.0, score)?;
        if to_worst == Ordering::Equal
            && let Some(worst) = worst
        {
            to_worst = key.compare(&value, &worst.values[n]);
            if to_worst == Ordering::Greater {
                return Ok(false);
            }
        }
        if to_after == Ordering::Equal
            && let Some(after) = after
        {
            to_after = key.compare(&value, &after[n]);
            if to_after == Ordering::Less {
                return Ok(false);
            }
        }
        values.push(value);
    }
    let behind = after.is_none() || to_after == Ordering::Greater;
    let before = worst.is_none_or(|worst| match to_worst {
        Ordering::Equal => address < worst.doc,
        other => other == Ordering::Less,
    });
    Ok(behind && before)
}

impl Groups {
    fn new(collapse: &Collapse, shard: &ShardReader) -> Result<Self, SearchError> {
        let Some(field) = shard.schema.mapping.field(&collapse.field) else {
            return Err(SearchError::illegal(format!(
                "no mapping found for `{}` in order to collapse on",
                collapse.field
            )));
        };
        check_sortable(field).map_err(|_| {
            SearchError::illegal(format!(
                "cannot collapse on field `{}` without `doc_values`",
                collapse.field
            ))
        })?;
        Ok(Groups {
            path: field.path().to_owned(),
            numeric: field.numeric(),
            field: field.clone(),
            numbers: None,
            ordinals: None,
            best: HashMap::new(),
            ords: Vec::new(),
        })
    }

    fn begin_segment(&mut self, segment: &SegmentReader) -> Result<(), SearchError> {
        match self.numeric {
            Some(_) => self.numbers = segment.numeric(&self.path)?,
            None => self.ordinals = segment.fielddata(&self.path)?,
        }
        Ok(())
    }

    fn key(&mut self, doc: u32) -> Result<GroupKey, SearchError> {
        let several = || {
            SearchError::refused(
                "illegal_state_exception",
                format!("failed to collapse {doc}, the collapse field must be single valued"),
            )
        };
        if let Some(column) = &self.numbers {
            if column.doc_value_count(DocId(doc)) > 1 {
                return Err(several());
            }
            return Ok(column
                .first(DocId(doc))
                .map_or(GroupKey::None, GroupKey::Number));
        }
        let Some(column) = &self.ordinals else {
            return Ok(GroupKey::None);
        };
        column.ords(DocId(doc), &mut self.ords);
        match self.ords.as_slice() {
            [] => Ok(GroupKey::None),
            [ord] => {
                let mut term = Vec::new();
                column.term(*ord, &mut term)?;
                Ok(GroupKey::Term(term))
            }
            _ => Err(several()),
        }
    }

    fn offer(
        &mut self,
        doc: u32,
        candidate: Candidate,
        context: &SearchContext<'_>,
    ) -> Result<(), SearchError> {
        let key = self.key(doc)?;
        match self.best.get_mut(&key) {
            Some(best) if candidate < *best => *best = candidate,
            Some(_) => {}
            None => {
                context.memory.take(256, "<collapse>")?;
                self.best.insert(key, candidate);
            }
        }
        Ok(())
    }
}
