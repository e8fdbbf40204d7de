//! `{"query": …, "functions": [{"field_value_factor": …}]}`: scores changed by fields, distance, chance, constants.

use quidditch_engine::query::{
    BoostMode, Decay, DecayShape, FieldFactor, FieldModifier, FunctionScoreQuery, MultiValueMode,
    Query, RandomScore, ScoreFunction, ScoreFunctionKind, ScoreMode,
};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};
use crate::sys::rng;

const NAME: &str = "function_score";

/// `function_score`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    let mut query = FunctionScoreQuery::new(Query::match_all(), Vec::new());
    let mut single: Option<String> = None;
    let mut list = false;
    for (key, value) in body.members() {
        match key {
            "query" if value.is_object() => query.query = Box::new(super::parse_clause(&value)?),
            "functions" if value.is_array() => {
                if let Some(first) = &single {
                    return Err(value.parsing(format!(
                        "failed to parse [function_score] query. already found [{first}], now encountering [functions]."
                    )));
                }
                list = true;
                for item in value.items() {
                    query.functions.push(listed_function(&item)?);
                }
            }
            "score_mode" => query.score_mode = score_mode(&value)?,
            "boost_mode" => query.boost_mode = boost_mode(&value)?,
            "max_boost" => query.max_boost = value.f32()?,
            "min_score" => query.min_score = Some(value.f32()?),
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            "weight" => {
                query.functions.push(ScoreFunction {
                    filter: None,
                    weight: Some(value.f32()?),
                    kind: ScoreFunctionKind::Weight,
                });
                single = Some(key.to_owned());
            }
            _ if value.is_object() => {
                if list || single.is_some() {
                    return Err(value.parsing(format!(
                        "failed to parse [function_score] query. already found a function, now encountering [{key}]. \
                         use [functions] array if you want to define several functions."
                    )));
                }
                single = Some(key.to_owned());
                let kind = function(key, &value)?;
                query.functions.push(ScoreFunction {
                    filter: None,
                    weight: None,
                    kind,
                });
            }
            _ => {
                return Err(value.parsing(format!(
                    "failed to parse [function_score] query. field [{key}] is not supported"
                )));
            }
        }
    }
    Ok(Query::FunctionScore(query))
}

/// One item of `functions`.
fn listed_function(item: &Json<'_>) -> Result<ScoreFunction, ParseError> {
    if !item.is_object() {
        return Err(item.parsing(format!(
            "failed to parse [function_score]. malformed query, expected a [START_OBJECT] while parsing functions but \
             got a [{}] instead",
            item.token()
        )));
    }
    let mut one = ScoreFunction {
        filter: None,
        weight: None,
        kind: ScoreFunctionKind::Weight,
    };
    let mut found = false;
    for (key, value) in item.members() {
        match key {
            "filter" if value.is_object() => one.filter = Some(super::parse_clause(&value)?),
            "weight" => one.weight = Some(value.f32()?),
            _ if value.is_object() => {
                if found {
                    return Err(value.parsing(
                        "failed to parse function_score functions. already found a function, there can be only one per item",
                    ));
                }
                found = true;
                one.kind = function(key, &value)?;
            }
            _ => {
                return Err(value.parsing(format!(
                    "failed to parse [function_score] query. field [{key}] is not supported"
                )));
            }
        }
    }
    if !found && one.weight.is_none() {
        return Err(item.parsing("an entry in functions list is missing a function."));
    }
    Ok(one)
}

fn function(name: &str, body: &Json<'_>) -> Result<ScoreFunctionKind, ParseError> {
    match name {
        "field_value_factor" => field_value_factor(body).map(ScoreFunctionKind::FieldValueFactor),
        "random_score" => random_score(body).map(ScoreFunctionKind::Random),
        "gauss" => decay(DecayShape::Gauss, name, body).map(ScoreFunctionKind::Decay),
        "exp" => decay(DecayShape::Exp, name, body).map(ScoreFunctionKind::Decay),
        "linear" => decay(DecayShape::Linear, name, body).map(ScoreFunctionKind::Decay),
        "script_score" => {
            Err(body.illegal("[script_score] is not supported: this server runs no scripts"))
        }
        _ => Err(body
            .parsing(format!("unknown score function [{name}]"))
            .with_cause(body.error(
                "named_object_not_found_exception",
                format!("unknown field [{name}]"),
            ))),
    }
}

fn field_value_factor(body: &Json<'_>) -> Result<FieldFactor, ParseError> {
    let mut field = None;
    let mut factor = FieldFactor {
        field: String::new(),
        factor: 1.0,
        modifier: FieldModifier::None,
        missing: None,
    };
    for (key, value) in body.members() {
        match key {
            "field" => field = Some(value.text()?),
            "factor" => factor.factor = value.f32()?,
            "modifier" => factor.modifier = modifier(&value)?,
            "missing" => factor.missing = Some(value.f64()?),
            _ => return Err(clause::unsupported("field_value_factor", &value)),
        }
    }
    factor.field =
        field.ok_or_else(|| body.parsing("[field_value_factor] required field 'field' missing"))?;
    Ok(factor)
}

fn modifier(value: &Json<'_>) -> Result<FieldModifier, ParseError> {
    let text = value.text()?;
    Ok(match text.to_ascii_lowercase().as_str() {
        "none" => FieldModifier::None,
        "log" => FieldModifier::Log,
        "log1p" => FieldModifier::Log1p,
        "log2p" => FieldModifier::Log2p,
        "ln" => FieldModifier::Ln,
        "ln1p" => FieldModifier::Ln1p,
        "ln2p" => FieldModifier::Ln2p,
        "square" => FieldModifier::Square,
        "sqrt" => FieldModifier::Sqrt,
        "reciprocal" => FieldModifier::Reciprocal,
        _ => {
            return Err(value.illegal(format!(
                "No enum constant org.opensearch.common.lucene.search.function.FieldValueFactorFunction.Modifier.{}",
                text.to_uppercase()
            )));
        }
    })
}

fn random_score(body: &Json<'_>) -> Result<RandomScore, ParseError> {
    let (mut seed, mut field) = (None, None);
    for (key, value) in body.members() {
        match key {
            "seed" => seed = Some(seed_of(&value)?),
            "field" => field = Some(value.text()?),
            _ => return Err(clause::unsupported("random_score", &value)),
        }
    }
    Ok(match seed {
        Some(seed) => RandomScore {
            seed,
            field: field.or(Some("_id".to_owned())),
        },
        // without a seed every search draws anew, as users expect of chance
        None => RandomScore {
            seed: fresh_seed(),
            field: None,
        },
    })
}

/// An integer, the two halves of a long one laid over each other, or a text's hash.
fn seed_of(value: &Json<'_>) -> Result<i32, ParseError> {
    if value.is_string() {
        return Ok(RandomScore::seed_of(&value.text()?));
    }
    let whole = value.value().as_i64().ok_or_else(|| {
        value.parsing(format!(
            "random_score seed must be an int, long or string, not '{}'",
            value.token()
        ))
    })?;
    Ok(i32::try_from(whole).unwrap_or((whole ^ (whole >> 32)) as i32))
}

fn fresh_seed() -> i32 {
    let mut bytes = [0u8; 4];
    rng::fill(&mut bytes);
    i32::from_le_bytes(bytes)
}

/// `{"date": {"origin": "now", "scale": "10d"}, "multi_value_mode": "min"}`.
fn decay(shape: DecayShape, name: &str, body: &Json<'_>) -> Result<Decay, ParseError> {
    let mut mode = MultiValueMode::Min;
    let mut found: Option<(&str, Json<'_>)> = None;
    for (key, value) in body.members() {
        if key == "multi_value_mode" {
            mode = multi_value_mode(&value)?;
        } else if value.is_object() {
            found = Some((key, value));
        } else {
            return Err(value.parsing(format!(
                "malformed score function score parameters for function [{name}], unexpected [{key}]"
            )));
        }
    }
    let Some((field, inner)) = found else {
        return Err(body.parsing("malformed score function score parameters."));
    };
    let mut decay = Decay {
        shape,
        field: field.to_owned(),
        origin: None,
        scale: Value::Null,
        offset: None,
        decay: 0.5,
        multi_value_mode: mode,
    };
    for (key, value) in inner.members() {
        match key {
            "origin" => decay.origin = Some(value.scalar()?),
            "scale" => decay.scale = value.scalar()?,
            "offset" => decay.offset = Some(value.scalar()?),
            "decay" => decay.decay = value.f64()?,
            _ => {
                return Err(value.error(
                    "parse_exception",
                    format!("parameter [{key}] not supported!"),
                ));
            }
        }
    }
    if decay.scale == Value::Null {
        return Err(inner.error("parse_exception", format!("scale must be set for [{name}]")));
    }
    if decay.decay <= 0.0 || decay.decay >= 1.0 {
        return Err(inner.illegal(format!("[{name}] decay must be in the range [0..1].")));
    }
    Ok(decay)
}

fn multi_value_mode(value: &Json<'_>) -> Result<MultiValueMode, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "min" => Ok(MultiValueMode::Min),
        "max" => Ok(MultiValueMode::Max),
        "avg" => Ok(MultiValueMode::Avg),
        "sum" => Ok(MultiValueMode::Sum),
        _ => Err(value.illegal(format!("Illegal sort mode: {text}"))),
    }
}

fn score_mode(value: &Json<'_>) -> Result<ScoreMode, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "multiply" => Ok(ScoreMode::Multiply),
        "sum" => Ok(ScoreMode::Sum),
        "avg" => Ok(ScoreMode::Avg),
        "first" => Ok(ScoreMode::First),
        "max" => Ok(ScoreMode::Max),
        "min" => Ok(ScoreMode::Min),
        _ => Err(value.illegal(format!(
            "No enum constant org.opensearch.common.lucene.search.function.FunctionScoreQuery.ScoreMode.{}",
            text.to_uppercase()
        ))),
    }
}

fn boost_mode(value: &Json<'_>) -> Result<BoostMode, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "multiply" => Ok(BoostMode::Multiply),
        "replace" => Ok(BoostMode::Replace),
        "sum" => Ok(BoostMode::Sum),
        "avg" => Ok(BoostMode::Avg),
        "max" => Ok(BoostMode::Max),
        "min" => Ok(BoostMode::Min),
        _ => Err(value.illegal(format!(
            "No enum constant org.opensearch.common.lucene.search.function.CombineFunction.{}",
            text.to_uppercase()
        ))),
    }
}
