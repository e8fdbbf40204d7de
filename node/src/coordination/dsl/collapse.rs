//! `collapse`: one hit per value of a field, and further hits of the same value inside it.

use super::search_body::{SearchBody, parse_inner_body};
use super::{Json, ParseError};

/// A `collapse` section.
#[derive(Clone, Debug, PartialEq)]
pub struct CollapseSpec {
    /// The field.
    pub field: String,
    /// Lists of hits of the same value, shown inside each hit.
    pub inner_hits: Vec<InnerHits>,
    /// How many of the searches for them run at once; `None`: as many as shards are asked at once.
    pub at_once: Option<usize>,
}

/// One list of further hits.
#[derive(Clone, Debug, PartialEq)]
pub struct InnerHits {
    /// Under which it is shown.
    pub name: Option<String>,
    /// Which hits, in what order, and what of them.
    pub body: SearchBody,
}

impl CollapseSpec {
    /// Reads the section.
    ///
    /// * `inner`: it stands in `inner_hits`, where only a field may be named.
    pub fn parse(body: &Json<'_>, inner: bool) -> Result<CollapseSpec, ParseError> {
        let mut spec = CollapseSpec {
            field: String::new(),
            inner_hits: Vec::new(),
            at_once: None,
        };
        for (key, value) in body.members() {
            match key {
                "field" => spec.field = value.text()?,
                "inner_hits" if !inner => {
                    for item in value.items_or_self() {
                        spec.inner_hits.push(InnerHits::parse(&item)?);
                    }
                }
                "max_concurrent_group_searches" if !inner => {
                    let count = value.i32()?;
                    if count < 1 {
                        return Err(value.illegal("maxConcurrentGroupRequests must be positive"));
                    }
                    spec.at_once = Some(count.unsigned_abs() as usize);
                }
                _ => return Err(value.content(format!("[collapse] unknown field [{key}]"))),
            }
        }
        if spec.field.is_empty() {
            return Err(body.illegal("Required [field]"));
        }
        Ok(spec)
    }
}

impl InnerHits {
    fn parse(body: &Json<'_>) -> Result<InnerHits, ParseError> {
        let mut name = None;
        let mut inner = SearchBody {
            size: Some(3),
            ..SearchBody::default()
        };
        for (key, value) in body.members() {
            match key {
                "name" => name = Some(value.text()?),
                "ignore_unmapped" => {
                    value.bool()?;
                }
                "collapse" if value.is_object() => {
                    inner.collapse = Some(CollapseSpec::parse(&value, true)?)
                }
                _ if parse_inner_body(&mut inner, key, &value)? => {}
                _ => return Err(value.content(format!("[inner_hits] unknown field [{key}]"))),
            }
        }
        Ok(InnerHits { name, body: inner })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_inner_hits_and_refuses_more_below() {
        let read = |body: serde_json::Value| CollapseSpec::parse(&Json::root(&body), false);
        let spec = read(json!({
            "field": "g",
            "inner_hits": [{"name": "a", "size": 2, "sort": ["s"]}, {"name": "b", "collapse": {"field": "h"}}],
        }))
        .unwrap();
        assert_eq!(spec.inner_hits[0].body.size, Some(2));
        assert_eq!(spec.inner_hits[1].body.size, Some(3));
        assert!(spec.inner_hits[1].body.collapse.is_some());
        for bad in [
            json!({}),
            json!({"field": "g", "inner_hits": {"query": {"match_all": {}}}}),
            json!({"field": "g", "inner_hits": {"collapse": {"field": "h", "inner_hits": {}}}}),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }
}
