//! Plans of exact values, ranges and existence.

use std::ops::Bound;
use std::sync::Arc;

use super::{Planner, ids};
use crate::document::ColumnKind;
use crate::exec::automaton::TermAutomaton;
use crate::exec::node::{BoolNode, DocsNode, Node};
use crate::exec::regexp::{Builder, wildcard};
use crate::query::{ExistsQuery, RangeQuery, RangeRelation, TermQuery, TermsQuery, TermsSetQuery};
use crate::schema::{
    FieldKind, FieldMapping, Mapping, RangeMatch, RangeOptions, Similarity, simple_match,
};
use crate::search::SearchError;
use crate::value::Value;

/// A value as the text it would be written as.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::I64(n) => n.to_string(),
        Value::U64(n) => n.to_string(),
        Value::F64(n) if n.fract() == 0.0 && n.abs() < 1e7 => format!("{n:.1}"),
        Value::F64(n) => n.to_string(),
        Value::Str(text) => text.clone(),
    }
}

/// Refuses a search on a field that is neither indexed nor in a column.
pub(super) fn check_searchable(field: &FieldMapping) -> Result<(), SearchError> {
    if field.indexed() || field.has_doc_values() || field.constant().is_some() {
        return Ok(());
    }
    let path = field.path();
    Err(SearchError::illegal(match field.kind() {
        FieldKind::Text => format!("Cannot search on field [{path}] since it is not indexed."),
        FieldKind::Binary => "Binary fields do not support searching".to_owned(),
        _ => format!(
            "Cannot search on field [{path}] since it is both not indexed, and does not have doc_values enabled."
        ),
    }))
}

impl Planner<'_> {
    pub(super) fn term_query(
        &mut self,
        query: &TermQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        if query.field.starts_with('_')
            && let Some(node) =
                self.metadata_term(&query.field, std::slice::from_ref(&query.value), boost)?
        {
            return Ok(node);
        }
        let Some(field) = self.field(&query.field) else {
            return Ok(Node::Nothing);
        };
        if query.case_insensitive {
            return self.case_insensitive_term(&field, &query.value, boost);
        }
        self.term_of(&field, &query.value, boost)
    }

    /// An exact value of a field, as the field's type scores it.
    pub(super) fn term_of(
        &mut self,
        field: &Arc<FieldMapping>,
        value: &Value,
        boost: f32,
    ) -> Result<Node, SearchError> {
        check_searchable(field)?;
        if let Some(constant) = field.constant() {
            return Ok(match constant == text_of(value) {
                true => Node::All { boost },
                false => Node::Nothing,
            });
        }
        match field.kind() {
            FieldKind::Text => {
                let term = field.encode_term(value)?;
                self.scored_term(field, term, boost)
            }
            FieldKind::Ip => self.ip_term(field, value, boost),
            _ if field.numeric().is_some() => {
                self.count_leaf()?;
                Ok(match field.encode_number(value, self.context.now_ms)? {
                    Some(number) => {
                        let docs = DocsNode::Numbers {
                            field: field.path().into(),
                            lo: number,
                            hi: number,
                        };
                        Node::constant(docs, boost)
                    }
                    None => match self.date_range_of(field, value)? {
                        Some(docs) => Node::constant(docs, boost),
                        None => Node::Nothing,
                    },
                })
            }
            FieldKind::Range => {
                self.count_leaf()?;
                let options = RangeOptions {
                    now_ms: self.context.now_ms,
                    ..RangeOptions::default()
                };
                let ends = (Bound::Included(value), Bound::Included(value));
                let range = field.encode_range(ends.0, ends.1, &options)?;
                Ok(ranges_node(field, range, RangeRelation::Intersects, boost))
            }
            FieldKind::Binary => Err(SearchError::query_shard(
                "Binary fields do not support searching",
            )),
            _ => {
                self.count_leaf()?;
                let term = field.encode_term(value)?;
                Ok(Node::constant(terms_docs(field, vec![term]), boost))
            }
        }
    }

    /// A date that names no single moment (a day, a month) stands for all its moments.
    fn date_range_of(
        &self,
        field: &FieldMapping,
        value: &Value,
    ) -> Result<Option<DocsNode>, SearchError> {
        if !field.kind().is_date() {
            return Ok(None);
        }
        let options = RangeOptions {
            now_ms: self.context.now_ms,
            ..RangeOptions::default()
        };
        let bounds = (Bound::Included(value), Bound::Included(value));
        Ok(match field.encode_range(bounds.0, bounds.1, &options)? {
            RangeMatch::Numbers { lo, hi } => Some(DocsNode::Numbers {
                field: field.path().into(),
                lo,
                hi,
            }),
            RangeMatch::Nothing | RangeMatch::Terms { .. } => None,
        })
    }

    /// A term of an inverted field, scored by frequency unless the field's similarity is boolean.
    pub(super) fn scored_term(
        &mut self,
        field: &Arc<FieldMapping>,
        term: Vec<u8>,
        boost: f32,
    ) -> Result<Node, SearchError> {
        if !field.indexed() {
            check_searchable(field)?;
        }
        if field.similarity() == Similarity::Boolean || field.kind() != FieldKind::Text {
            self.count_leaf()?;
            return Ok(Node::constant(terms_docs(field, vec![term]), boost));
        }
        let node = self.term_node(field.path(), term, boost)?;
        Ok(match node.doc_freq {
            0 => Node::Nothing,
            _ => Node::Term(node),
        })
    }

    fn ip_term(
        &mut self,
        field: &Arc<FieldMapping>,
        value: &Value,
        boost: f32,
    ) -> Result<Node, SearchError> {
        self.count_leaf()?;
        // a network in CIDR notation stands for its addresses
        if let Value::Str(text) = value
            && text.contains('/')
        {
            let block = field.encode_equal(value, &RangeOptions::default())?;
            return Ok(range_node(field, block, boost));
        }
        let term = field.encode_term(value)?;
        Ok(Node::constant(terms_docs(field, vec![term]), boost))
    }

    fn case_insensitive_term(
        &mut self,
        field: &Arc<FieldMapping>,
        value: &Value,
        boost: f32,
    ) -> Result<Node, SearchError> {
        check_searchable(field)?;
        if !matches!(field.kind(), FieldKind::Text | FieldKind::Keyword) {
            if let Some(constant) = field.constant() {
                let same = constant.to_lowercase() == text_of(value).to_lowercase();
                return Ok(if same {
                    Node::All { boost }
                } else {
                    Node::Nothing
                });
            }
            return Err(SearchError::query_shard(format!(
                "[{}] field which is of type [{}], does not support case insensitive term queries",
                field.path(),
                field.type_name()
            )));
        }
        let term = String::from_utf8_lossy(&field.encode_term(value)?).into_owned();
        let mut builder = Builder::new();
        // a wildcard without operators is the text itself
        let mut escaped = String::with_capacity(term.len());
        for c in term.chars() {
            if matches!(c, '*' | '?' | '\\') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        let start = wildcard(&mut builder, &escaped, true);
        let matcher = builder.build(start, 10_000);
        let docs = DocsNode::Accepted {
            field: field.path().into(),
            automaton: TermAutomaton::Pattern(Arc::new(matcher)),
            indexed: field.indexed(),
        };
        Ok(Node::constant(docs, boost))
    }

    pub(super) fn terms_set(
        &mut self,
        query: &TermsSetQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let needed = self.field(&query.needed_field);
        let Some(needed) = needed.filter(|field| field.numeric().is_some()) else {
            return Err(SearchError::query_shard(format!(
                "failed to find minimum_should_match field [{}]",
                query.needed_field
            )));
        };
        let Some(field) = self.field(&query.field) else {
            return Ok(Node::Nothing);
        };
        let mut nodes = Vec::with_capacity(query.values.len());
        for value in &query.values {
            nodes.push(self.term_of(&field, value, boost)?);
        }
        nodes.retain(|node| !node.is_nothing());
        Ok(match nodes.is_empty() {
            true => Node::Nothing,
            false => Node::EnoughOf {
                nodes,
                needed: needed.path().into(),
            },
        })
    }

    pub(super) fn terms_query(
        &mut self,
        query: &TermsQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let limit = self.shard.schema.settings.max_terms_count;
        if query.values.len() > limit {
            return Err(SearchError::illegal(format!(
                "The number of terms [{}] used in the Terms Query request has exceeded the allowed maximum of [{limit}]. \
                 This maximum can be set by changing the [index.max_terms_count] index level setting.",
                query.values.len(),
            )));
        }
        if query.field.starts_with('_')
            && let Some(node) = self.metadata_term(&query.field, &query.values, boost)?
        {
            return Ok(node);
        }
        let Some(field) = self.field(&query.field) else {
            return Ok(Node::Nothing);
        };
        check_searchable(&field)?;
        self.count_leaf()?;
        if let Some(constant) = field.constant() {
            let has = query.values.iter().any(|value| text_of(value) == constant);
            return Ok(if has {
                Node::All { boost }
            } else {
                Node::Nothing
            });
        }
        if field.numeric().is_some() {
            return self.number_set(&field, &query.values, boost);
        }
        let mut terms = Vec::with_capacity(query.values.len());
        let mut others = Vec::new();
        for value in &query.values {
            match value {
                Value::Str(text) if field.kind() == FieldKind::Ip && text.contains('/') => {
                    others.push(self.ip_term(&field, value, 1.0)?);
                }
                _ => terms.push(field.encode_term(value)?),
            }
        }
        if others.is_empty() {
            return Ok(match terms.is_empty() {
                true => Node::Nothing,
                false => Node::constant(terms_docs(&field, terms), boost),
            });
        }
        if !terms.is_empty() {
            others.push(Node::constant(terms_docs(&field, terms), 1.0));
        }
        Ok(any_of(others, boost))
    }

    fn number_set(
        &mut self,
        field: &Arc<FieldMapping>,
        values: &[Value],
        boost: f32,
    ) -> Result<Node, SearchError> {
        let mut numbers = Vec::with_capacity(values.len());
        let mut ranges = Vec::new();
        for value in values {
            match field.encode_number(value, self.context.now_ms)? {
                Some(number) => numbers.push(number),
                None => {
                    if let Some(docs) = self.date_range_of(field, value)? {
                        ranges.push(Node::constant(docs, 1.0));
                    }
                }
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.is_empty() && ranges.is_empty() {
            return Ok(Node::Nothing);
        }
        let set = DocsNode::NumberSet {
            field: field.path().into(),
            numbers: numbers.into(),
        };
        if ranges.is_empty() {
            return Ok(Node::constant(set, boost));
        }
        ranges.push(Node::constant(set, 1.0));
        Ok(any_of(ranges, boost))
    }

    /// Terms of metadata fields; `None`: an ordinary field, or one that is planned like one.
    fn metadata_term(
        &mut self,
        field: &str,
        values: &[Value],
        boost: f32,
    ) -> Result<Option<Node>, SearchError> {
        match field {
            "_id" => {
                let names = values.iter().map(text_of).collect();
                Ok(Some(ids(names, boost)))
            }
            "_index" => {
                let index = self.context.index_name;
                let has = values
                    .iter()
                    .any(|value| simple_match(&text_of(value), index));
                Ok(Some(match has {
                    true => Node::All { boost },
                    false => Node::Nothing,
                }))
            }
            "_seq_no" | "_version" | "_primary_term" => {
                let mut numbers = Vec::with_capacity(values.len());
                for value in values {
                    numbers.push(whole_number(value)?);
                }
                numbers.sort_unstable();
                numbers.dedup();
                let docs = DocsNode::NumberSet {
                    field: field.into(),
                    numbers: numbers.into(),
                };
                Ok(Some(Node::constant(docs, boost)))
            }
            name if Mapping::is_metadata_field(name) => {
                let mut terms: Vec<Vec<u8>> = Vec::with_capacity(values.len());
                for value in values {
                    terms.push(text_of(value).into_bytes());
                }
                terms.sort_unstable();
                terms.dedup();
                let docs = DocsNode::Terms {
                    field: name.into(),
                    terms: terms.into(),
                    indexed: true,
                };
                Ok(Some(Node::constant(docs, boost)))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn range(&mut self, query: &RangeQuery, boost: f32) -> Result<Node, SearchError> {
        if matches!(
            query.field.as_str(),
            "_seq_no" | "_version" | "_primary_term"
        ) {
            let lo = match &query.lower {
                Bound::Unbounded => i64::MIN,
                Bound::Included(value) => whole_number(value)?,
                Bound::Excluded(value) => whole_number(value)?.saturating_add(1),
            };
            let hi = match &query.upper {
                Bound::Unbounded => i64::MAX,
                Bound::Included(value) => whole_number(value)?,
                Bound::Excluded(value) => whole_number(value)?.saturating_sub(1),
            };
            let field = query.field.as_str().into();
            return Ok(match lo <= hi {
                true => Node::constant(DocsNode::Numbers { field, lo, hi }, boost),
                false => Node::Nothing,
            });
        }
        let Some(field) = self.field(&query.field) else {
            return Ok(Node::Nothing);
        };
        self.count_leaf()?;
        if query.lower == Bound::Unbounded && query.upper == Bound::Unbounded {
            return self.exists_of(&field, boost);
        }
        check_searchable(&field)?;
        if query.format.is_some() && field.date_format().is_none() {
            return Err(SearchError::illegal(format!(
                "Field [{}] of type [{}] does not support custom formats",
                field.path(),
                field.type_name()
            )));
        }
        if let Some(constant) = field.constant() {
            let above = match &query.lower {
                Bound::Unbounded => true,
                Bound::Included(value) => *constant >= *text_of(value),
                Bound::Excluded(value) => *constant > *text_of(value),
            };
            let below = match &query.upper {
                Bound::Unbounded => true,
                Bound::Included(value) => *constant <= *text_of(value),
                Bound::Excluded(value) => *constant < *text_of(value),
            };
            return Ok(match above && below {
                true => Node::All { boost },
                false => Node::Nothing,
            });
        }
        let expensive = matches!(field.kind(), FieldKind::Text | FieldKind::Keyword);
        if expensive && !self.context.allow_expensive_queries {
            return Err(SearchError::refused(
                "exception",
                "[range] queries on [text] or [keyword] fields cannot be executed when \
                 'search.allow_expensive_queries' is set to false.",
            ));
        }
        let options = RangeOptions {
            format: query.format.clone(),
            time_zone: query.time_zone.clone(),
            now_ms: self.context.now_ms,
        };
        let range = field.encode_range(query.lower.as_ref(), query.upper.as_ref(), &options)?;
        if field.kind() == FieldKind::Range {
            let relation = query.relation.unwrap_or(RangeRelation::Intersects);
            return Ok(ranges_node(&field, range, relation, boost));
        }
        Ok(range_node(&field, range, boost))
    }

    pub(super) fn exists(&mut self, query: &ExistsQuery, boost: f32) -> Result<Node, SearchError> {
        if Mapping::is_metadata_field(&query.field) {
            return Ok(match query.field.as_str() {
                "_ignored" => {
                    let docs = DocsNode::TermRange {
                        field: "_ignored".into(),
                        lower: Bound::Unbounded,
                        upper: Bound::Unbounded,
                        indexed: true,
                    };
                    Node::constant(docs, boost)
                }
                "_routing" => Node::constant(
                    DocsNode::Terms {
                        field: "_field_names".into(),
                        terms: vec![b"_routing".to_vec()].into(),
                        indexed: true,
                    },
                    boost,
                ),
                "_source" => {
                    return Err(SearchError::query_shard(
                        "The _source field is not searchable",
                    ));
                }
                _ => Node::All { boost },
            });
        }
        let mapping = &self.shard.schema.mapping;
        let mut found: Vec<Arc<FieldMapping>> = Vec::new();
        if query.field.contains('*') {
            let fields = mapping.fields_matching(&query.field);
            found.extend(fields.into_iter().map(|(_, field)| field.clone()));
        } else if let Some(field) = mapping.field(&query.field) {
            found.push(field.clone());
        } else if mapping.is_object(&query.field) {
            let below = format!("{}.*", query.field);
            let fields = mapping.fields_matching(&below);
            found.extend(fields.into_iter().map(|(_, field)| field.clone()));
        }
        let mut nodes = Vec::with_capacity(found.len());
        for field in &found {
            self.count_leaf()?;
            nodes.push(self.exists_of(field, 1.0)?);
        }
        Ok(any_of(nodes, boost))
    }

    fn exists_of(&self, field: &Arc<FieldMapping>, boost: f32) -> Result<Node, SearchError> {
        if field.constant().is_some() {
            return Ok(Node::All { boost });
        }
        let stored = DocsNode::Exists {
            field: field.path().into(),
        };
        // documents keep the names of fields of which nothing else tells as terms of a hidden one
        let named = DocsNode::Terms {
            field: "_field_names".into(),
            terms: vec![field.path().as_bytes().to_vec()].into(),
            indexed: true,
        };
        let spec = field.spec();
        Ok(match (spec.column != ColumnKind::None, spec.norms) {
            (true, _) => Node::constant(stored, boost),
            (false, false) => Node::constant(named, boost),
            // a text without any token has no norm
            (false, true) => any_of(
                vec![Node::constant(stored, 1.0), Node::constant(named, 1.0)],
                boost,
            ),
        })
    }
}

/// The documents of any of some clauses, all with one score.
pub(super) fn any_of(mut nodes: Vec<Node>, boost: f32) -> Node {
    nodes.retain(|node| !node.is_nothing());
    if nodes.is_empty() {
        return Node::Nothing;
    }
    if nodes.len() == 1
        && let Some(Node::Constant { docs, .. }) = nodes.pop()
    {
        return Node::constant(docs, boost);
    }
    let any = Node::Bool(BoolNode {
        should: nodes,
        needed: 1,
        ..BoolNode::default()
    });
    Node::constant(DocsNode::Matches(Box::new(any)), boost)
}

/// The documents of some terms of a field.
pub(super) fn terms_docs(field: &FieldMapping, mut terms: Vec<Vec<u8>>) -> DocsNode {
    terms.sort_unstable();
    terms.dedup();
    DocsNode::Terms {
        field: field.path().into(),
        terms: terms.into(),
        indexed: field.indexed(),
    }
}

/// The documents whose ranges lie in some way to another one.
fn ranges_node(
    field: &FieldMapping,
    range: RangeMatch,
    relation: RangeRelation,
    boost: f32,
) -> Node {
    let RangeMatch::Terms {
        lower: Bound::Included(low),
        upper: Bound::Included(high),
    } = range
    else {
        return Node::Nothing;
    };
    let docs = DocsNode::Ranges {
        field: field.path().into(),
        low,
        high,
        relation,
        indexed: field.indexed(),
    };
    Node::constant(docs, boost)
}

/// The documents of a range.
pub(super) fn range_node(field: &FieldMapping, range: RangeMatch, boost: f32) -> Node {
    let path = field.path().into();
    match range {
        RangeMatch::Nothing => Node::Nothing,
        RangeMatch::Numbers { lo, hi } => Node::constant(
            DocsNode::Numbers {
                field: path,
                lo,
                hi,
            },
            boost,
        ),
        RangeMatch::Terms { lower, upper } => {
            let docs = DocsNode::TermRange {
                field: path,
                lower,
                upper,
                indexed: field.indexed(),
            };
            Node::constant(docs, boost)
        }
    }
}

fn whole_number(value: &Value) -> Result<i64, SearchError> {
    let text = text_of(value);
    match value {
        Value::I64(n) => Ok(*n),
        _ => text.parse().map_err(|_| {
            SearchError::refused(
                "number_format_exception",
                format!("For input string: \"{text}\""),
            )
        }),
    }
}
