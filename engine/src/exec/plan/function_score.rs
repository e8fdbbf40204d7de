//! Plan of `function_score`.

use super::Planner;
use crate::exec::chance::{ChanceBy, PlannedChance};
use crate::exec::functions::{FunctionNode, PlannedFunction, PlannedKind};
use crate::exec::node::Node;
use crate::query::{Decay, FunctionScoreQuery, RandomScore, ScoreFunctionKind};
use crate::schema::{FieldKind, NumericKind};
use crate::search::SearchError;
use crate::value::Value;

impl Planner<'_> {
    pub(super) fn function_score(
        &mut self,
        query: &FunctionScoreQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        // A lower bound of scores has them decide.
        let scored = self.scored || query.min_score.is_some();
        let before = std::mem::replace(&mut self.scored, scored);
        let inner = self.node(&query.query, boost);
        self.scored = before;
        let inner = inner?;
        if inner.is_nothing() {
            return Ok(Node::Nothing);
        }
        let mut functions = Vec::with_capacity(query.functions.len());
        for function in &query.functions {
            let filter = match &function.filter {
                Some(filter) => Some(self.node(filter, 1.0)?),
                None => None,
            };
            functions.push(PlannedFunction {
                filter,
                weight: function.weight,
                kind: self.score_function(&function.kind)?,
            });
        }
        Ok(Node::Functions(Box::new(FunctionNode {
            query: inner,
            functions,
            score_mode: query.score_mode,
            boost_mode: query.boost_mode,
            max_boost: query.max_boost,
            min_score: query.min_score,
        })))
    }

    fn score_function(&self, kind: &ScoreFunctionKind) -> Result<PlannedKind, SearchError> {
        match kind {
            ScoreFunctionKind::Weight => Ok(PlannedKind::Weight),
            ScoreFunctionKind::FieldValueFactor(factor) => {
                let field = self.field(&factor.field);
                let numeric = field.as_ref().and_then(|field| field.numeric());
                let (field, numeric) = match (field, numeric, factor.missing) {
                    (Some(field), Some(numeric), _) => (field.path().to_owned(), numeric),
                    (None, _, Some(_)) => (factor.field.clone(), NumericKind::F64),
                    (Some(field), None, _) => {
                        return Err(SearchError::illegal(format!(
                            "field [{}] of type [{}] is not a number and cannot be used by [field_value_factor]",
                            field.path(),
                            field.type_name()
                        )));
                    }
                    (None, _, None) => {
                        return Err(SearchError::refused(
                            "exception",
                            format!(
                                "Unable to find a field mapper for field [{}]. No 'missing' value defined.",
                                factor.field
                            ),
                        ));
                    }
                };
                Ok(PlannedKind::Field {
                    field,
                    numeric,
                    factor: factor.factor,
                    modifier: factor.modifier,
                    missing: factor.missing,
                })
            }
            ScoreFunctionKind::Random(random) => Ok(PlannedKind::Random(PlannedChance::new(
                random.seed,
                self.context.index_name,
                self.context.shard,
                self.chance_by(random)?,
            ))),
            ScoreFunctionKind::Decay(decay) => self.decay(decay),
        }
    }

    fn chance_by(&self, random: &RandomScore) -> Result<ChanceBy, SearchError> {
        let name = match random.field.as_deref() {
            None => return Ok(ChanceBy::Place),
            Some("_id") => return Ok(ChanceBy::Id),
            Some(name @ "_seq_no") => {
                return Ok(ChanceBy::Number(name.to_owned(), NumericKind::I64));
            }
            Some(name) => name,
        };
        let Some(field) = self.field(name) else {
            return Err(SearchError::illegal(format!(
                "Field [{name}] is not mapped on [{}] and cannot be used as a source of random numbers.",
                self.context.index_name
            )));
        };
        if !field.has_doc_values() {
            return Err(SearchError::illegal(format!(
                "Can't load fielddata on [{}] because fielddata is unsupported on fields of type [{}]. Use doc values \
                 instead.",
                field.path(),
                field.type_name()
            )));
        }
        let path = field.path().to_owned();
        Ok(match field.numeric() {
            Some(kind) => ChanceBy::Number(path, kind),
            None => ChanceBy::Term(path),
        })
    }

    fn decay(&self, decay: &Decay) -> Result<PlannedKind, SearchError> {
        let unknown = || {
            SearchError::refused(
                "parsing_exception",
                format!("unknown field [{}]", decay.field),
            )
        };
        let field = self.field(&decay.field).ok_or_else(unknown)?;
        let Some(numeric) = field.numeric() else {
            return Err(SearchError::refused(
                "parsing_exception",
                format!(
                    "field [{}] is of type [{}], but only numeric types are supported.",
                    field.path(),
                    field.type_name()
                ),
            ));
        };
        let is_date = field.kind().is_date();
        let unit = match field.kind() {
            FieldKind::DateNanos => 1e6,
            _ => 1.0,
        };
        let origin = match &decay.origin {
            Some(value) => {
                let number = field.encode_number(value, self.context.now_ms)?;
                numeric.to_f64(number.unwrap_or(0))
            }
            None if is_date => self.context.now_ms as f64 * unit,
            None => {
                return Err(SearchError::refused(
                    "parse_exception",
                    "both [scale] and [origin] must be set for numeric fields.",
                ));
            }
        };
        let distance = |value: &Value| match is_date {
            true => milliseconds(value).map(|ms| ms * unit),
            false => number(value),
        };
        let wrong = |value: &Value| {
            SearchError::illegal(format!(
                "failed to parse [{}] as a distance of field [{}]",
                super::leaf::text_of(value),
                decay.field
            ))
        };
        let scale = distance(&decay.scale).ok_or_else(|| wrong(&decay.scale))?;
        let offset = match &decay.offset {
            Some(value) => distance(value).ok_or_else(|| wrong(value))?,
            None => 0.0,
        };
        if scale <= 0.0 {
            return Err(SearchError::illegal("function score scale must be > 0.0."));
        }
        if decay.decay <= 0.0 || decay.decay >= 1.0 {
            return Err(SearchError::illegal(
                "function score decay must be in range [0..1].",
            ));
        }
        if offset < 0.0 {
            return Err(SearchError::illegal("function score offset must be > 0.0"));
        }
        Ok(PlannedKind::Decay {
            field: field.path().to_owned(),
            numeric,
            shape: decay.shape,
            origin,
            scale,
            offset,
            decay: decay.decay,
            mode: decay.multi_value_mode,
        })
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::I64(n) => Some(*n as f64),
        Value::U64(n) => Some(*n as f64),
        Value::F64(n) => Some(*n),
        Value::Str(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) => None,
    }
}

/// A duration such as `10d` or `1.5h`, in milliseconds.
fn milliseconds(value: &Value) -> Option<f64> {
    let Value::Str(text) = value else {
        return number(value);
    };
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (count, unit) = text.split_at(unit_at);
    let count: f64 = count.trim().parse().ok()?;
    let factor = match unit {
        "nanos" => 1e-6,
        "micros" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 60e3,
        "h" => 3_600e3,
        "d" => 86_400e3,
        _ => return None,
    };
    Some(count * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let ms = |text: &str| milliseconds(&Value::Str(text.to_owned()));
        assert_eq!(ms("10d"), Some(864e6));
        assert_eq!(ms("1.5h"), Some(5.4e6));
        assert_eq!(ms("7ms"), Some(7.0));
        assert_eq!((ms("7"), ms("7w")), (None, None));
    }
}
