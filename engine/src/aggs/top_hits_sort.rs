//! The sort values of a bucket's hits.

use super::collector::{AggContext, Docs};
use super::format::ValueFormat;
use super::request::FieldSource;
use super::source::{NumericSource, Source, TermSource};
use crate::schema::NumericKind;
use crate::search::{
    DocAddress, SearchError, SortKey, SortMissing, SortMode, SortOrder, SortSource, SortValue,
};
use crate::shard::SegmentSnapshot;
use crate::value::Value;

/// Reads one key's values.
pub(crate) struct SortReader {
    reads: Reads,
    mode: SortMode,
    order: SortOrder,
    missing_first: bool,
    format: Option<ValueFormat>,
    term: Vec<u8>,
}

enum Reads {
    Score,
    Doc,
    ShardDoc,
    Numbers(NumericSource),
    Terms(TermSource),
    /// An unmapped field that `unmapped_type` allows.
    Nothing,
}

impl SortReader {
    pub fn new(key: &SortKey, ctx: &AggContext<'_>) -> Result<SortReader, SearchError> {
        let mut format = None;
        let reads = match &key.source {
            SortSource::Score => Reads::Score,
            SortSource::Doc => Reads::Doc,
            SortSource::ShardDoc => Reads::ShardDoc,
            SortSource::Field(path) => {
                let missing = match &key.missing {
                    SortMissing::Value(value) => Some(value.clone()),
                    SortMissing::First | SortMissing::Last => None,
                };
                let source = FieldSource {
                    missing,
                    format: key.format.clone(),
                    ..FieldSource::field(path.clone())
                };
                let mapped = ctx.reader.schema.mapping.field(path).is_some();
                if !mapped && key.unmapped_type.is_none() {
                    return Err(SearchError::query_shard(format!(
                        "No mapping found for [{path}] in order to sort on"
                    )));
                }
                match Source::resolve(&source, &ctx.reader.schema, ctx.search, None)? {
                    Source::Numeric(source) => {
                        format = key.format.as_ref().map(|_| source.format.clone());
                        Reads::Numbers(source)
                    }
                    Source::Terms(source) => Reads::Terms(source),
                    Source::Unmapped => Reads::Nothing,
                }
            }
        };
        let default_mode = match key.order {
            SortOrder::Asc => SortMode::Min,
            SortOrder::Desc => SortMode::Max,
        };
        Ok(SortReader {
            reads,
            mode: key.mode.unwrap_or(default_mode),
            order: key.order,
            missing_first: key.missing == SortMissing::First,
            format,
            term: Vec::new(),
        })
    }

    pub fn begin_segment(&mut self, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        match &mut self.reads {
            Reads::Numbers(source) => source.begin_segment(segment),
            Reads::Terms(source) => source.begin_segment(segment),
            Reads::Score | Reads::Doc | Reads::ShardDoc | Reads::Nothing => Ok(()),
        }
    }

    /// What a document is compared by.
    pub fn value(
        &mut self,
        doc: DocAddress,
        score: f32,
        shard: u32,
    ) -> Result<SortValue, SearchError> {
        let place = (i64::from(doc.segment) << 32) | i64::from(doc.doc.0);
        Ok(match &mut self.reads {
            Reads::Score => SortValue::F64(f64::from(score)),
            Reads::Doc => SortValue::I64(place),
            Reads::ShardDoc => SortValue::I64((i64::from(shard) << 32) | i64::from(doc.doc.0)),
            Reads::Nothing => SortValue::Missing,
            Reads::Terms(source) => {
                let ords = source.load(Docs::listed(&[doc.doc.0])).values;
                let chosen = match self.mode {
                    SortMode::Max => ords.iter().max(),
                    _ => ords.iter().min(),
                };
                let Some(ord) = chosen.map(|ord| *ord as u64) else {
                    return Ok(SortValue::Missing);
                };
                source.term(ord, &mut self.term)?;
                SortValue::Term {
                    bytes: self.term.clone(),
                    shown: Value::Str(source.format.term(&self.term)),
                }
            }
            Reads::Numbers(source) => {
                let kind = source.domain();
                let values = source.load(Docs::listed(&[doc.doc.0])).values;
                if values.is_empty() {
                    return Ok(self.missing_number(kind));
                }
                let raw = match self.mode {
                    SortMode::Min => values.iter().copied().min(),
                    SortMode::Max => values.iter().copied().max(),
                    SortMode::Sum | SortMode::Avg | SortMode::Median => {
                        return Ok(computed(self.mode, kind, values));
                    }
                };
                match &self.format {
                    Some(format) if kind == NumericKind::DateMillis => {
                        let ms = raw.unwrap_or_default();
                        // eight bytes that sort as the times do
                        let ordered = (ms as u64) ^ (1 << 63);
                        let bytes = (0..8).rev().map(|at| (ordered >> (8 * at)) as u8).collect();
                        SortValue::Term {
                            bytes,
                            shown: Value::Str(format.whole(ms).unwrap_or_default()),
                        }
                    }
                    _ => number(kind, raw.unwrap_or_default()),
                }
            }
        })
    }

    /// Numbers without a value stand at the outer end of their type.
    fn missing_number(&self, kind: NumericKind) -> SortValue {
        let highest = self.missing_first == (self.order == SortOrder::Desc);
        match kind {
            NumericKind::F64 | NumericKind::Scaled(_) => SortValue::F64(if highest {
                f64::INFINITY
            } else {
                f64::NEG_INFINITY
            }),
            NumericKind::U64 => SortValue::U64(if highest { u64::MAX } else { 0 }),
            _ => SortValue::I64(if highest { i64::MAX } else { i64::MIN }),
        }
    }
}

fn number(kind: NumericKind, raw: i64) -> SortValue {
    match kind {
        NumericKind::F64 | NumericKind::Scaled(_) => SortValue::F64(kind.to_f64(raw)),
        NumericKind::U64 => SortValue::U64((raw as u64) ^ (1 << 63)),
        _ => SortValue::I64(raw),
    }
}

/// Sum, mean or median of ascending values.
fn computed(mode: SortMode, kind: NumericKind, values: &[i64]) -> SortValue {
    let numbers: Vec<f64> = values.iter().map(|raw| kind.to_f64(*raw)).collect();
    let sum: f64 = numbers.iter().sum();
    let value = match mode {
        SortMode::Sum => sum,
        SortMode::Avg => sum / numbers.len() as f64,
        _ => {
            let middle = numbers.len() / 2;
            if numbers.len() % 2 == 1 {
                numbers[middle]
            } else {
                (numbers[middle - 1] + numbers[middle]) / 2.0
            }
        }
    };
    match kind {
        NumericKind::F64 | NumericKind::Scaled(_) => SortValue::F64(value),
        _ => SortValue::I64(value.round() as i64),
    }
}
