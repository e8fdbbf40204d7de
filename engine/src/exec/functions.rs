//! Scores changed by functions of field values, distance, chance or constants.

use super::chance::{Chance, PlannedChance};
use super::node::Node;
use super::scorer::{Hits, Scorer, for_each_offset};
use super::segment_scorer::SegmentScope;
use crate::ids::DocId;
use crate::query::{BoostMode, DecayShape, FieldModifier, MultiValueMode, ScoreMode};
use crate::schema::NumericKind;
use crate::search::SearchError;
use crate::segment::{NumericColumn, Window};

/// A planned `function_score`.
#[derive(Clone, Debug)]
pub(crate) struct FunctionNode {
    /// Finds and scores.
    pub query: Node,
    /// What changes scores.
    pub functions: Vec<PlannedFunction>,
    /// How several functions make one number.
    pub score_mode: ScoreMode,
    /// How that number and the score make the final score.
    pub boost_mode: BoostMode,
    /// Upper bound of the functions' number.
    pub max_boost: f32,
    /// Lower bound of scores.
    pub min_score: Option<f32>,
}

/// One function.
#[derive(Clone, Debug)]
pub(crate) struct PlannedFunction {
    /// `None`: for all documents.
    pub filter: Option<Node>,
    /// Factor.
    pub weight: Option<f32>,
    /// What is computed.
    pub kind: PlannedKind,
}

/// What a function computes.
#[derive(Clone, Debug)]
pub(crate) enum PlannedKind {
    /// 1.0.
    Weight,
    /// A field's value.
    Field {
        /// Path.
        field: String,
        /// How the column reads.
        numeric: NumericKind,
        /// Multiplied first.
        factor: f32,
        /// Applied then.
        modifier: FieldModifier,
        /// Of documents without a value.
        missing: Option<f64>,
    },
    /// Chance.
    Random(PlannedChance),
    /// Distance.
    Decay {
        /// Path.
        field: String,
        /// How the column reads.
        numeric: NumericKind,
        /// Curve.
        shape: DecayShape,
        /// Where the value is 1.
        origin: f64,
        /// Distance at which the value is `decay`.
        scale: f64,
        /// Distance that counts as none.
        offset: f64,
        /// The value there.
        decay: f64,
        /// Which of several distances counts.
        mode: MultiValueMode,
    },
}

struct SegmentFunction {
    /// `None`: for all; `Some(None)`: for none here.
    filter: Option<Option<Box<dyn Scorer>>>,
    column: Option<NumericColumn>,
    chance: Option<Chance>,
    matches: Hits,
}

/// Applies functions to another scorer's scores.
pub(crate) struct FunctionScorer {
    wanted: Box<dyn Scorer>,
    node: Box<FunctionNode>,
    functions: Vec<SegmentFunction>,
    values: Vec<i64>,
}

impl FunctionScorer {
    /// `filters` has one entry per function of `node`.
    pub fn new(
        wanted: Box<dyn Scorer>,
        node: Box<FunctionNode>,
        filters: Vec<Option<Option<Box<dyn Scorer>>>>,
        scope: &SegmentScope<'_>,
    ) -> Result<Self, SearchError> {
        let mut functions = Vec::with_capacity(filters.len());
        for (function, filter) in node.functions.iter().zip(filters) {
            let (mut column, mut chance) = (None, None);
            match &function.kind {
                PlannedKind::Weight => {}
                PlannedKind::Field { field, .. } | PlannedKind::Decay { field, .. } => {
                    column = scope.reader().numeric(field)?;
                }
                PlannedKind::Random(planned) => chance = Some(Chance::open(planned, scope)?),
            }
            functions.push(SegmentFunction {
                filter,
                column,
                chance,
                matches: Hits::new(),
            });
        }
        Ok(FunctionScorer {
            wanted,
            node,
            functions,
            values: Vec::new(),
        })
    }

    fn combined(&mut self, doc: u32, offset: u32) -> Result<f64, SearchError> {
        let mode = self.node.score_mode;
        let (mut factor, mut weights, mut any) = (0.0f64, 0.0f64, false);
        for (planned, function) in self.node.functions.iter().zip(&self.functions) {
            if function.filter.is_some() && !function.matches.docs.contains(offset) {
                continue;
            }
            let weight = planned.weight.map_or(1.0, f64::from);
            let value = value_of(&planned.kind, function, doc, &mut self.values)? * weight;
            factor = match mode {
                _ if !any => value,
                ScoreMode::First => break,
                ScoreMode::Multiply => factor * value,
                ScoreMode::Sum | ScoreMode::Avg => factor + value,
                ScoreMode::Max => factor.max(value),
                ScoreMode::Min => factor.min(value),
            };
            weights += weight;
            any = true;
        }
        Ok(match (any, mode) {
            (false, _) => 1.0,
            (true, ScoreMode::Avg) if weights != 0.0 => factor / weights,
            (true, _) => factor,
        })
    }
}

fn combine(mode: BoostMode, score: f32, factor: f64, max_boost: f32) -> f32 {
    let score = f64::from(score);
    let factor = factor.min(f64::from(max_boost));
    (match mode {
        BoostMode::Multiply => score * factor,
        BoostMode::Replace => factor,
        BoostMode::Sum => score + factor,
        BoostMode::Avg => (score + factor) / 2.0,
        BoostMode::Max => score.max(factor),
        BoostMode::Min => score.min(factor),
    }) as f32
}

fn value_of(
    kind: &PlannedKind,
    function: &SegmentFunction,
    doc: u32,
    values: &mut Vec<i64>,
) -> Result<f64, SearchError> {
    let column = function.column.as_ref();
    match kind {
        PlannedKind::Weight => Ok(1.0),
        PlannedKind::Field {
            field,
            numeric,
            factor,
            modifier,
            missing,
        } => {
            let value = match column.and_then(|column| column.first(DocId(doc))) {
                Some(stored) => numeric.to_f64(stored),
                None => missing.ok_or_else(|| {
                    SearchError::illegal(format!("Missing value for field [{field}]"))
                })?,
            };
            let value = modified(*modifier, value * f64::from(*factor));
            if value.is_nan() || value < 0.0 {
                return Err(SearchError::illegal(format!(
                    "field value function must not produce negative scores, but got: [{value}] for field value: [{value}]"
                )));
            }
            Ok(value)
        }
        PlannedKind::Random(_) => function.chance.as_ref().map_or(Ok(1.0), |it| it.of(doc)),
        PlannedKind::Decay {
            numeric,
            shape,
            origin,
            scale,
            offset,
            decay,
            mode,
            ..
        } => {
            let Some(column) = column else {
                return Ok(1.0);
            };
            column.values(DocId(doc), values);
            if values.is_empty() {
                return Ok(1.0);
            }
            let mut distances = Vec::with_capacity(values.len());
            for value in values.iter() {
                distances.push(((numeric.to_f64(*value) - origin).abs() - offset).max(0.0));
            }
            let sum: f64 = distances.iter().sum();
            let distance = match mode {
                MultiValueMode::Min => distances.iter().copied().fold(f64::INFINITY, f64::min),
                MultiValueMode::Max => distances.iter().copied().fold(0.0, f64::max),
                MultiValueMode::Sum => sum,
                MultiValueMode::Avg => sum / distances.len() as f64,
            };
            Ok(decayed(*shape, distance, *scale, *decay))
        }
    }
}

fn modified(modifier: FieldModifier, value: f64) -> f64 {
    match modifier {
        FieldModifier::None => value,
        FieldModifier::Log => value.log10(),
        FieldModifier::Log1p => (value + 1.0).log10(),
        FieldModifier::Log2p => (value + 2.0).log10(),
        FieldModifier::Ln => value.ln(),
        FieldModifier::Ln1p => value.ln_1p(),
        FieldModifier::Ln2p => (value + 1.0).ln_1p(),
        FieldModifier::Square => value * value,
        FieldModifier::Sqrt => value.sqrt(),
        FieldModifier::Reciprocal => 1.0 / value,
    }
}

fn decayed(shape: DecayShape, distance: f64, scale: f64, decay: f64) -> f64 {
    match shape {
        DecayShape::Gauss => {
            let spread = 0.5 * scale * scale / decay.ln();
            (0.5 * distance * distance / spread).exp()
        }
        DecayShape::Exp => (decay.ln() / scale * distance).exp(),
        DecayShape::Linear => {
            let zero_at = scale / (1.0 - decay);
            ((zero_at - distance) / zero_at).max(0.0)
        }
    }
}

impl Scorer for FunctionScorer {
    fn cost(&self) -> u64 {
        self.wanted.cost()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        self.wanted.seek(target)
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        self.wanted.fill(base, within, f32::NEG_INFINITY, out)?;
        if out.docs.is_empty() {
            return Ok(());
        }
        for function in &mut self.functions {
            function.matches.docs.clear();
            if let Some(Some(filter)) = &mut function.filter {
                filter.fill(
                    base,
                    Some(&out.docs),
                    f32::NEG_INFINITY,
                    &mut function.matches,
                )?;
            }
        }
        let docs = out.docs.clone();
        for_each_offset(&docs, |offset| {
            let factor = self.combined(base + offset, offset)?;
            let score = &mut out.scores[offset as usize];
            *score = combine(self.node.boost_mode, *score, factor, self.node.max_boost);
            if self.node.min_score.is_some_and(|least| *score < least) {
                out.docs.unset(offset);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_reach_decay_at_scale() {
        for shape in [DecayShape::Gauss, DecayShape::Exp, DecayShape::Linear] {
            assert!(
                (decayed(shape, 10.0, 10.0, 0.3) - 0.3).abs() < 1e-12,
                "{shape:?}"
            );
            assert_eq!(decayed(shape, 0.0, 10.0, 0.3), 1.0, "{shape:?}");
        }
        assert_eq!(decayed(DecayShape::Linear, 1000.0, 10.0, 0.3), 0.0);
    }

    #[test]
    fn modes_combine() {
        assert_eq!(combine(BoostMode::Multiply, 2.0, 3.0, 2.5), 5.0);
        assert_eq!(combine(BoostMode::Avg, 2.0, 4.0, f32::MAX), 3.0);
        assert_eq!(combine(BoostMode::Replace, 2.0, 4.0, f32::MAX), 4.0);
    }
}
