//! `highlight`: which fields are shown with what was found in them marked, and how.

use quidditch_engine::query::Query;
use quidditch_engine::search::highlight::{
    Boundary, Fragmenter, HighlightField, HighlightKind, HighlightOptions, HighlightRequest,
};

use serde::{Deserialize, Serialize};

use super::{Json, ParseError, parse_clause};

/// Locales by which text may be cut; boundaries are the same in all of them.
const LOCALES: &[&str] = &["", "und", "root", "en", "en-US", "en-GB"];

/// A `highlight` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Highlight {
    fields: Vec<HighlightField>,
}

impl Highlight {
    /// What a shard is asked, `query` being what the search looks for.
    pub fn request(&self, query: &Query) -> HighlightRequest {
        HighlightRequest {
            query: query.clone(),
            fields: self.fields.clone(),
        }
    }

    /// Reads the section.
    pub fn parse(body: &Json<'_>) -> Result<Highlight, ParseError> {
        let mut global = Options::default();
        for (key, value) in body.members() {
            if key != "fields" && !global.member(key, &value)? {
                return Err(unknown("highlight", key, &value));
            }
        }
        let mut fields = Vec::new();
        let Some(list) = body.get("fields") else {
            return Ok(Highlight { fields });
        };
        if list.is_array() {
            for item in list.items() {
                let members: Vec<_> = item.members().collect();
                let [(name, options)] = members.as_slice() else {
                    return Err(item.parsing(
                        "[highlight] can be a single object with any number of fields or an array where each entry is \
                         an object with a single field",
                    ));
                };
                fields.push(field(name, options, &global)?);
            }
        } else {
            for (name, options) in list.members() {
                fields.push(field(name, &options, &global)?);
            }
        }
        Ok(Highlight { fields })
    }
}

fn unknown(section: &str, key: &str, value: &Json<'_>) -> ParseError {
    value.content(format!("[{section}] unknown field [{key}]"))
}

fn field(name: &str, body: &Json<'_>, global: &Options) -> Result<HighlightField, ParseError> {
    let mut own = Options::default();
    let mut matched_fields = Vec::new();
    for (key, value) in body.members() {
        match key {
            "matched_fields" => matched_fields = value.texts()?,
            "fragment_offset" => {
                return Err(value.illegal(
                    "[fragment_offset] is an option of highlighter [fvh], which is not supported",
                ));
            }
            _ if own.member(key, &value)? => {}
            _ => return Err(unknown("highlight_field", key, &value)),
        }
    }
    let merged = own.over(global);
    let plain = HighlightOptions::default();
    let tags = |given: Option<Vec<String>>, default: String| {
        given
            .and_then(|tags| tags.into_iter().next())
            .unwrap_or(default)
    };
    let kind = match merged.kind.as_deref() {
        None | Some("unified") => HighlightKind::Unified,
        Some("plain") => HighlightKind::Plain,
        Some("fvh") => {
            return Err(body.illegal(format!(
                "highlighter type [fvh] for the field [{name}] is not supported, use [unified] or [plain]"
            )));
        }
        Some(other) => {
            return Err(body.illegal(format!(
                "unknown highlighter type [{other}] for the field [{name}]"
            )));
        }
    };
    let fragmenter = match merged.fragmenter.as_deref() {
        None | Some("span") => Fragmenter::Span,
        Some("simple") => Fragmenter::Simple,
        Some(other) => {
            return Err(body.illegal(format!(
                "unknown fragmenter option [{other}] for the field [{name}]"
            )));
        }
    };
    let boundary = match merged.boundary.as_deref() {
        None | Some("sentence") => Boundary::Sentence,
        Some("word") => Boundary::Word,
        // a boundary of the plain highlighter does not exist, and means nothing there
        Some(_) if kind == HighlightKind::Plain => Boundary::Sentence,
        Some(other) => {
            return Err(body.illegal(format!(
                "Invalid boundary scanner type: {}",
                other.to_uppercase()
            )));
        }
    };
    Ok(HighlightField {
        field: name.to_owned(),
        query: merged.query,
        options: HighlightOptions {
            kind,
            pre_tag: tags(merged.pre_tags, plain.pre_tag),
            post_tag: tags(merged.post_tags, plain.post_tag),
            by_score: merged.by_score.unwrap_or(false),
            fragment_size: merged.fragment_size.unwrap_or(plain.fragment_size),
            number_of_fragments: merged
                .number_of_fragments
                .unwrap_or(plain.number_of_fragments),
            html: merged.html.unwrap_or(false),
            require_field_match: merged.require_field_match.unwrap_or(true),
            boundary,
            fragmenter,
            no_match_size: merged.no_match_size.unwrap_or(0),
            force_source: merged.force_source.unwrap_or(false),
            matched_fields,
            max_analyzer_offset: merged.max_analyzer_offset,
        },
    })
}

/// Options as written, for all fields or for one.
#[derive(Clone, Debug, Default)]
struct Options {
    kind: Option<String>,
    pre_tags: Option<Vec<String>>,
    post_tags: Option<Vec<String>>,
    by_score: Option<bool>,
    fragment_size: Option<usize>,
    number_of_fragments: Option<usize>,
    html: Option<bool>,
    require_field_match: Option<bool>,
    boundary: Option<String>,
    fragmenter: Option<String>,
    no_match_size: Option<usize>,
    force_source: Option<bool>,
    max_analyzer_offset: Option<usize>,
    query: Option<Query>,
}

impl Options {
    /// Reads one member; false if there is none of that name.
    fn member(&mut self, key: &str, value: &Json<'_>) -> Result<bool, ParseError> {
        match key {
            "type" => self.kind = Some(value.text()?),
            "pre_tags" => self.pre_tags = Some(value.texts()?),
            "post_tags" => self.post_tags = Some(value.texts()?),
            "tags_schema" => match value.text()?.as_str() {
                "default" => {
                    self.pre_tags = Some(vec!["<em>".to_owned()]);
                    self.post_tags = Some(vec!["</em>".to_owned()]);
                }
                "styled" => {
                    self.pre_tags = Some(vec!["<em class=\"hlt1\">".to_owned()]);
                    self.post_tags = Some(vec!["</em>".to_owned()]);
                }
                other => return Err(value.illegal(format!("Unknown tag schema [{other}]"))),
            },
            "order" => {
                self.by_score = Some(match value.text()?.to_lowercase().as_str() {
                    "score" => true,
                    "none" => false,
                    other => return Err(value.illegal(format!("Unknown order [{other}]"))),
                })
            }
            "fragment_size" => self.fragment_size = Some(size(value)?),
            "number_of_fragments" => self.number_of_fragments = Some(size(value)?),
            "encoder" => {
                self.html = Some(match value.text()?.as_str() {
                    "html" => true,
                    "default" => false,
                    other => return Err(value.illegal(format!("Unknown encoder [{other}]"))),
                })
            }
            "require_field_match" => self.require_field_match = Some(value.bool()?),
            "boundary_scanner" => {
                let name = value.text()?.to_lowercase();
                if !matches!(name.as_str(), "sentence" | "word" | "chars") {
                    return Err(value.illegal(format!(
                        "No enum constant org.opensearch.search.fetch.subphase.highlight.HighlightBuilder.\
                         BoundaryScannerType.{}",
                        name.to_uppercase()
                    )));
                }
                self.boundary = Some(name);
            }
            "boundary_scanner_locale" => {
                let locale = value.text()?;
                if !LOCALES.contains(&locale.as_str()) {
                    return Err(value.illegal(format!(
                        "[boundary_scanner_locale] [{locale}] is not supported"
                    )));
                }
            }
            "fragmenter" => self.fragmenter = Some(value.text()?),
            "no_match_size" => self.no_match_size = Some(size(value)?),
            "force_source" => self.force_source = Some(value.bool()?),
            "max_analyzer_offset" => {
                let limit = value.i32()?;
                self.max_analyzer_offset = Some(
                    usize::try_from(limit)
                        .ok()
                        .filter(|limit| *limit > 0)
                        .ok_or_else(|| {
                            value.illegal("[max_analyzer_offset] must be a positive integer")
                        })?,
                );
            }
            "highlight_query" => self.query = Some(parse_clause(value)?),
            // these guide highlighter [fvh] alone and mean nothing to the others, there as here
            "boundary_max_scan" | "phrase_limit" => {
                size(value)?;
            }
            "boundary_chars" => {
                value.text()?;
            }
            "options" => {
                if let Some((option, given)) = value.members().next() {
                    return Err(given.illegal(format!(
                        "[options.{option}] is not supported in a highlight"
                    )));
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn over(self, global: &Options) -> Options {
        let global = global.clone();
        Options {
            kind: self.kind.or(global.kind),
            pre_tags: self.pre_tags.or(global.pre_tags),
            post_tags: self.post_tags.or(global.post_tags),
            by_score: self.by_score.or(global.by_score),
            fragment_size: self.fragment_size.or(global.fragment_size),
            number_of_fragments: self.number_of_fragments.or(global.number_of_fragments),
            html: self.html.or(global.html),
            require_field_match: self.require_field_match.or(global.require_field_match),
            boundary: self.boundary.or(global.boundary),
            fragmenter: self.fragmenter.or(global.fragmenter),
            no_match_size: self.no_match_size.or(global.no_match_size),
            force_source: self.force_source.or(global.force_source),
            max_analyzer_offset: self.max_analyzer_offset.or(global.max_analyzer_offset),
            query: self.query.or(global.query),
        }
    }
}

fn size(value: &Json<'_>) -> Result<usize, ParseError> {
    let number = value.i32()?;
    usize::try_from(number).map_err(|_| {
        value.illegal(format!(
            "[{}] must not be negative, found [{number}]",
            value.key()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: serde_json::Value) -> Result<Highlight, ParseError> {
        Highlight::parse(&Json::root(&body))
    }

    #[test]
    fn a_field_goes_before_what_is_said_for_all() {
        let read = read(json!({
            "pre_tags": "<b>", "type": "plain", "order": "score",
            "fields": [{"a": {"pre_tags": ["<i>", "<u>"]}}, {"b*": {"type": "unified", "number_of_fragments": 0}}],
        }))
        .unwrap();
        let (a, b) = (&read.fields[0].options, &read.fields[1].options);
        assert_eq!((a.pre_tag.as_str(), a.kind), ("<i>", HighlightKind::Plain));
        assert_eq!(
            (b.pre_tag.as_str(), b.kind),
            ("<b>", HighlightKind::Unified)
        );
        assert!(b.by_score && b.number_of_fragments == 0 && a.number_of_fragments == 5);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for body in [
            json!({"fields": {"a": {"type": "fvh"}}}),
            json!({"fields": {"a": {"type": "other"}}}),
            json!({"fields": {"a": {"fragmenter": "x"}}}),
            json!({"fields": {"a": {"max_analyzer_offset": -1}}}),
            json!({"what": 1}),
            json!({"fields": [{"a": {}, "b": {}}]}),
        ] {
            assert!(read(body.clone()).is_err(), "{body}");
        }
    }
}
