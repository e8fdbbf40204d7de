//! Plan of `query_string`.

use std::ops::Bound;
use std::sync::Arc;

use super::Planner;
use super::compound::best_of;
use super::multi_match::SearchedFields;
use super::simplify::simplify;
use super::text::TextOptions;
use crate::exec::node::{BoolNode, Node};
use crate::query::query_string::{Clause, Leaf, Occur, parse};
use crate::query::{
    ExistsQuery, FieldBoost, Fuzziness, FuzzyQuery, MinimumShouldMatch, MultiMatchType, Operator,
    PrefixQuery, Query, QueryStringQuery, RangeQuery, RegexpFlags, RegexpQuery, TermsRewrite,
    WildcardQuery, ZeroTerms,
};
use crate::schema::{FieldKind, FieldMapping};
use crate::search::SearchError;
use crate::value::Value;

/// Characters that have a meaning in the syntax.
const SPECIAL: &str = "\\+-!():^[]\"{}~*?|&/";

/// What the parts of one query string have in common.
struct Scope<'q> {
    query: &'q QueryStringQuery,
    defaults: SearchedFields,
    /// Whether terms that name no field are for all fields.
    everything: bool,
    lenient: bool,
}

impl Planner<'_> {
    pub(super) fn query_string(
        &mut self,
        query: &QueryStringQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        if query.default_field.is_some() && !query.fields.is_empty() {
            let reason = "Validation Failed: 1: cannot use [fields] parameter in conjunction with [default_field];";
            return Err(
                SearchError::query_shard(format!("failed to create query: {reason}"))
                    .caused_by(SearchError::refused("query_validation_exception", reason)),
            );
        }
        let text = match query.escape {
            true => escaped(&query.query),
            false => query.query.clone(),
        };
        if text.trim().is_empty() {
            return Ok(Node::Nothing);
        }
        let and = query.default_operator == Operator::And;
        let clause = parse(&text, and).map_err(|error| {
            SearchError::query_shard(format!("Failed to parse query [{}]", query.query)).caused_by(
                SearchError::refused(
                    "parse_exception",
                    format!(
                        "Cannot parse '{text}': Encountered \"{}\" at line 1, column {}.",
                        error.found, error.at
                    ),
                ),
            )
        })?;
        let wanted = match (&query.default_field, query.fields.as_slice()) {
            (Some(field), []) => vec![FieldBoost {
                field: field.clone(),
                boost: 1.0,
            }],
            (_, fields) => fields.to_vec(),
        };
        let (defaults, everything) = self.searched_fields(&wanted)?;
        let scope = Scope {
            query,
            defaults,
            everything,
            lenient: query
                .lenient
                .unwrap_or(everything || self.shard.schema.settings.query_string_lenient),
        };
        let rule = query.minimum_should_match.as_ref();
        let node = match clause {
            Clause::Group {
                clauses,
                boost: factor,
            } => self.clauses(&scope, &clauses, rule, boost * factor, true)?,
            leaf => self.clause(&scope, &leaf, rule, boost)?,
        };
        Ok(node.unwrap_or(Node::Nothing))
    }

    fn clause(
        &mut self,
        scope: &Scope<'_>,
        clause: &Clause,
        rule: Option<&MinimumShouldMatch>,
        boost: f32,
    ) -> Result<Option<Node>, SearchError> {
        match clause {
            Clause::Group {
                clauses,
                boost: factor,
            } => self.clauses(scope, clauses, None, boost * factor, false),
            Clause::Leaf {
                field,
                leaf,
                boost: factor,
            } => self.leaf(scope, field.as_deref(), leaf, rule, boost * factor),
        }
    }

    /// Clauses side by side. `top`: a query of exclusions alone starts from all documents.
    fn clauses(
        &mut self,
        scope: &Scope<'_>,
        clauses: &[(Occur, Clause)],
        rule: Option<&MinimumShouldMatch>,
        boost: f32,
        top: bool,
    ) -> Result<Option<Node>, SearchError> {
        self.check_clauses(clauses.len())?;
        let mut node = BoolNode::default();
        for (occur, clause) in clauses {
            let Some(planned) = self.clause(scope, clause, None, boost)? else {
                continue;
            };
            match occur {
                Occur::Must => node.must.push(planned),
                Occur::Should => node.should.push(planned),
                Occur::MustNot => node.must_not.push(planned),
            }
        }
        if node.must.is_empty() && node.should.is_empty() {
            if node.must_not.is_empty() {
                return Ok(None);
            }
            if !top {
                return Ok(Some(Node::Nothing));
            }
            node.filter.push(Node::All { boost });
        }
        node.needed = rule.map_or(0, |rule| rule.needed_of(node.should.len()));
        if node.must.is_empty() && node.filter.is_empty() {
            node.needed = node.needed.max(1);
        }
        Ok(Some(simplify(node)))
    }

    fn leaf(
        &mut self,
        scope: &Scope<'_>,
        field: Option<&str>,
        leaf: &Leaf,
        rule: Option<&MinimumShouldMatch>,
        boost: f32,
    ) -> Result<Option<Node>, SearchError> {
        if field == Some("_exists_") {
            let name = match leaf {
                Leaf::Term(name) | Leaf::Words(name) | Leaf::Phrase(name, _) => name,
                Leaf::Wildcard(pattern) => pattern,
                Leaf::Prefix(beginning) => &format!("{beginning}*"),
                _ => return Ok(Some(Node::Nothing)),
            };
            return self
                .exists(&ExistsQuery::new(name.as_str()), boost)
                .map(Some);
        }
        if let Leaf::Regexp(text) = leaf {
            let limit = self.shard.schema.settings.max_regex_length;
            let length = text.encode_utf16().count();
            if length > limit {
                return Err(SearchError::illegal(format!(
                    "The length of regex [{length}] used in the [query_string] has exceeded the allowed maximum of \
                     [{limit}]. This maximum can be set by changing the [index.max_regex_length] index level setting."
                )));
            }
        }
        if *leaf == Leaf::Any {
            return match field {
                None if scope.everything || scope.query.default_field.is_none() => {
                    Ok(Some(Node::All { boost }))
                }
                Some("*") => Ok(Some(Node::All { boost })),
                Some(field) => self.exists(&ExistsQuery::new(field), boost).map(Some),
                None => {
                    let field = scope.query.default_field.clone().unwrap_or_default();
                    self.exists(&ExistsQuery::new(field), boost).map(Some)
                }
            };
        }
        if let Some(name) = field
            && name.starts_with('_')
            && self.field(name).is_none()
        {
            return self.metadata_leaf(scope, name, leaf, boost).map(Some);
        }
        let fields = match field {
            None => scope.defaults.clone(),
            Some(name) => {
                let wanted = [FieldBoost {
                    field: name.to_owned(),
                    boost: 1.0,
                }];
                self.searched_fields(&wanted)?.0
            }
        };
        if fields.is_empty() {
            return Ok(Some(Node::Nothing));
        }
        match leaf {
            Leaf::Term(text) | Leaf::Words(text) => {
                let options = self.text_options(scope, rule);
                let (kind, tie) = (scope.query.kind, scope.query.tie_breaker);
                let text = Value::Str(text.clone());
                self.text_in_fields(kind, &fields, &text, &options, tie, boost)
            }
            Leaf::Phrase(text, slop) => {
                let mut options = self.text_options(scope, None);
                options.slop = slop.unwrap_or(scope.query.phrase_slop);
                if scope.query.quote_analyzer.is_some() {
                    options.analyzer = scope.query.quote_analyzer.clone();
                }
                let fields = self.quoted_fields(fields, scope.query.quote_field_suffix.as_deref());
                let (kind, tie) = (MultiMatchType::Phrase, scope.query.tie_breaker);
                let text = Value::Str(text.clone());
                self.text_in_fields(kind, &fields, &text, &options, tie, boost)
            }
            _ => {
                let mut nodes = Vec::with_capacity(fields.len());
                for (field, factor) in &fields {
                    let query = self.leaf_query(scope, field, leaf)?;
                    match self.node(&query, boost * factor) {
                        Ok(node) => nodes.push(node),
                        Err(SearchError::Refused { .. }) if scope.lenient => {}
                        Err(error) => return Err(error),
                    }
                }
                let tie_breaker = scope.query.tie_breaker.unwrap_or(0.0);
                Ok(Some(best_of(nodes, tie_breaker)))
            }
        }
    }

    fn metadata_leaf(
        &mut self,
        scope: &Scope<'_>,
        name: &str,
        leaf: &Leaf,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let query = match leaf {
            Leaf::Term(text) | Leaf::Words(text) | Leaf::Phrase(text, _) => {
                let value = Value::Str(text.clone());
                Query::Term(crate::query::TermQuery::new(name, value))
            }
            Leaf::Prefix(text) => Query::Prefix(PrefixQuery::new(name, text.as_str())),
            Leaf::Wildcard(text) => Query::Wildcard(WildcardQuery::new(name, text.as_str())),
            Leaf::Range { .. } => Query::Range(range_query(scope, name, leaf)),
            Leaf::Fuzzy(..) | Leaf::Any | Leaf::Regexp(_) => return Ok(Node::Nothing),
        };
        self.node(&query, boost)
    }

    fn text_options(&self, scope: &Scope<'_>, rule: Option<&MinimumShouldMatch>) -> TextOptions {
        let query = scope.query;
        TextOptions {
            operator: query.default_operator,
            minimum_should_match: rule.cloned(),
            prefix_length: query.fuzzy_prefix_length,
            max_expansions: query.fuzzy_max_expansions,
            transpositions: query.fuzzy_transpositions,
            fuzzy_rewrite: query.fuzzy_rewrite,
            zero_terms: ZeroTerms::Null,
            lenient: scope.lenient,
            analyzer: query.analyzer.clone(),
            synonym_phrases: query.auto_generate_synonyms_phrase_query,
            ..TextOptions::default()
        }
    }

    /// Fields for quoted parts: those with the suffix, where there are any.
    pub(super) fn quoted_fields(
        &self,
        fields: SearchedFields,
        suffix: Option<&str>,
    ) -> SearchedFields {
        let Some(suffix) = suffix else {
            return fields;
        };
        let mut quoted = Vec::with_capacity(fields.len());
        for (field, boost) in fields {
            let other = self.field(&format!("{}{suffix}", field.path()));
            quoted.push((other.unwrap_or(field), boost));
        }
        quoted
    }

    fn leaf_query(
        &self,
        scope: &Scope<'_>,
        field: &Arc<FieldMapping>,
        leaf: &Leaf,
    ) -> Result<Query, SearchError> {
        let query = scope.query;
        let path = field.path();
        let rewrite = query.rewrite.unwrap_or(TermsRewrite::ConstantScore);
        Ok(match leaf {
            Leaf::Fuzzy(text, edits) => {
                let text = normalized(field, text);
                let fuzziness = match edits {
                    None => query.fuzziness,
                    Some(edits) => fuzziness_of(edits, &text)?,
                };
                Query::Fuzzy(FuzzyQuery {
                    fuzziness,
                    prefix_length: query.fuzzy_prefix_length,
                    max_expansions: query.fuzzy_max_expansions,
                    transpositions: query.fuzzy_transpositions,
                    rewrite: query.fuzzy_rewrite,
                    ..FuzzyQuery::new(path, Value::Str(text))
                })
            }
            Leaf::Prefix(text) => Query::Prefix(PrefixQuery {
                rewrite,
                ..PrefixQuery::new(path, normalized(field, text))
            }),
            Leaf::Wildcard(pattern) => {
                if !query.allow_leading_wildcard && pattern.starts_with(['*', '?']) {
                    return Err(SearchError::query_shard(format!(
                        "Failed to parse query [{}]",
                        query.query
                    ))
                    .caused_by(SearchError::refused(
                        "parse_exception",
                        "'*' or '?' not allowed as first character in WildcardQuery",
                    )));
                }
                Query::Wildcard(WildcardQuery {
                    rewrite,
                    ..WildcardQuery::new(path, normalized(field, pattern))
                })
            }
            Leaf::Regexp(text) => Query::Regexp(RegexpQuery {
                rewrite,
                flags: RegexpFlags::ALL,
                max_determinized_states: query.max_determinized_states,
                ..RegexpQuery::new(path, text.as_str())
            }),
            Leaf::Range { .. } => Query::Range(range_query(scope, path, leaf)),
            Leaf::Term(text) | Leaf::Words(text) | Leaf::Phrase(text, _) => {
                Query::Term(crate::query::TermQuery::new(path, Value::Str(text.clone())))
            }
            Leaf::Any => Query::Exists(ExistsQuery::new(path)),
        })
    }
}

fn range_query(scope: &Scope<'_>, field: &str, leaf: &Leaf) -> RangeQuery {
    let (mut low, mut high) = (Bound::Unbounded, Bound::Unbounded);
    if let Leaf::Range {
        lower,
        include_lower,
        upper,
        include_upper,
    } = leaf
    {
        let bound = |text: &Option<String>, included: bool| match text {
            None => Bound::Unbounded,
            Some(text) if included => Bound::Included(Value::Str(text.clone())),
            Some(text) => Bound::Excluded(Value::Str(text.clone())),
        };
        low = bound(lower, *include_lower);
        high = bound(upper, *include_upper);
    }
    RangeQuery {
        time_zone: scope.query.time_zone.clone(),
        ..RangeQuery::new(field, low, high)
    }
}

/// A term or pattern in the form of the field's terms: in lower case, if the field's analyzer makes lower case. Nothing
/// that needs whole words, such as stemming, is done.
pub(super) fn normalized(field: &FieldMapping, text: &str) -> String {
    if field.kind() != FieldKind::Text {
        return text.to_owned();
    }
    let mut lowers = false;
    let mut look = |token: crate::analysis::TokenRef<'_>| lowers |= token.text.contains('a');
    field.search_analyzer().analyze("A1", &mut look);
    match lowers {
        true => text.to_lowercase(),
        false => text.to_owned(),
    }
}

/// `~2`, or a similarity below 1 as older syntax has it.
pub(super) fn fuzziness_of(edits: &str, term: &str) -> Result<Fuzziness, SearchError> {
    match edits.parse::<f32>() {
        Ok(similarity) if similarity < 1.0 && similarity > 0.0 => {
            let length = term.chars().count() as f32;
            Ok(Fuzziness::Edits(
                (((1.0 - similarity) * length) as u8).min(2),
            ))
        }
        Ok(edits) => Ok(Fuzziness::Edits(edits.min(2.0) as u8)),
        Err(_) => Err(SearchError::illegal(format!(
            "Invalid fuzziness value: {edits}"
        ))),
    }
}

fn escaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if SPECIAL.contains(c) {
            result.push('\\');
        }
        result.push(c);
    }
    result
}
