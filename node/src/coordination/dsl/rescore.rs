//! `rescore`: queries that order the best hits anew.

use quidditch_engine::search::{Rescore, RescoreMode};

use super::{Json, ParseError, parse_clause};

/// How many hits a pass looks at when nothing is said.
const WINDOW_DEFAULT: usize = 10;

/// Reads one pass or a list of passes.
pub fn parse_rescore(value: &Json<'_>) -> Result<Vec<Rescore>, ParseError> {
    let mut passes = Vec::new();
    for item in value.items_or_self() {
        passes.push(parse_pass(&item)?);
    }
    Ok(passes)
}

fn parse_pass(body: &Json<'_>) -> Result<Rescore, ParseError> {
    let mut window_size = WINDOW_DEFAULT;
    let mut pass = None;
    for (key, value) in body.members() {
        match key {
            "window_size" => {
                let size = value.i32()?;
                window_size = usize::try_from(size)
                    .map_err(|_| value.illegal("window_size must not be negative"))?;
            }
            "query" if value.is_object() => pass = Some(parse_query_rescorer(&value)?),
            _ if value.is_object() => {
                return Err(value.parsing(format!("Unknown RescorerBuilder [{key}]")));
            }
            _ => return Err(value.parsing(format!("rescore doesn't support [{key}]"))),
        }
    }
    let Some(pass) = pass else {
        return Err(body.parsing("missing rescore type"));
    };
    Ok(Rescore {
        window_size,
        ..pass
    })
}

fn parse_query_rescorer(body: &Json<'_>) -> Result<Rescore, ParseError> {
    let mut query = None;
    let (mut query_weight, mut rescore_query_weight) = (1.0, 1.0);
    let mut score_mode = RescoreMode::Total;
    for (key, value) in body.members() {
        match key {
            "rescore_query" => query = Some(parse_clause(&value)?),
            "query_weight" => query_weight = value.f32()?,
            "rescore_query_weight" => rescore_query_weight = value.f32()?,
            "score_mode" => score_mode = parse_mode(&value)?,
            _ => return Err(value.content(format!("[query] unknown field [{key}]"))),
        }
    }
    let Some(query) = query else {
        return Err(body.illegal("Required [rescore_query]"));
    };
    Ok(Rescore {
        window_size: WINDOW_DEFAULT,
        query,
        query_weight,
        rescore_query_weight,
        score_mode,
    })
}

fn parse_mode(value: &Json<'_>) -> Result<RescoreMode, ParseError> {
    let name = value.text()?;
    Ok(match name.to_lowercase().as_str() {
        "avg" => RescoreMode::Avg,
        "max" => RescoreMode::Max,
        "min" => RescoreMode::Min,
        "total" => RescoreMode::Total,
        "multiply" => RescoreMode::Multiply,
        _ => return Err(value.illegal(format!("illegal score_mode [{name}]"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_one_or_several() {
        let pass = json!({"window_size": 50, "query": {"rescore_query": {"match_all": {}}, "score_mode": "Max"}});
        let read = |body: &serde_json::Value| parse_rescore(&Json::root(body));
        let one = read(&pass).unwrap();
        assert_eq!(
            (one.len(), one[0].window_size, one[0].score_mode),
            (1, 50, RescoreMode::Max)
        );
        assert_eq!(read(&json!([pass, pass])).unwrap().len(), 2);
        for bad in [
            json!({"window_size": 1}),
            json!({"query": {}}),
            json!({"other": {}}),
            json!({"query": {"rescore_query": {"match_all": {}}, "x": 1}}),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}
