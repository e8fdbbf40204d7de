//! From the names a user writes (`logs-*,-logs-old,my_alias,<logs-{now/d}>`) to indices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::date_math;
use super::error::StateError;
use super::index_metadata::{IndexMetadata, IndexState};
use super::names::matches_pattern;
use super::state::ClusterState;

/// Why names lead nowhere; the same shape as every refusal of the cluster state.
pub type ResolveError = StateError;

/// What an expression may mean; each API has its own defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndicesOptions {
    /// A missing or closed concrete name is skipped, not an error.
    pub ignore_unavailable: bool,
    /// An expression that matches nothing is an empty answer, not an error.
    pub allow_no_indices: bool,
    /// Wildcards match open indices.
    pub expand_open: bool,
    /// Wildcards match closed indices.
    pub expand_closed: bool,
    /// Wildcards match hidden indices.
    pub expand_hidden: bool,
    /// A closed index is an error (or skipped with `ignore_unavailable`).
    pub forbid_closed: bool,
    /// An alias of several indices may stand for all of them.
    pub allow_multiple: bool,
    /// Aliases are no names of indices here (delete index).
    pub ignore_aliases: bool,
}

impl IndicesOptions {
    /// Reads and admin of open indices: missing names are errors, empty wildcards are not.
    pub const STRICT_EXPAND_OPEN: IndicesOptions = IndicesOptions {
        ignore_unavailable: false,
        allow_no_indices: true,
        expand_open: true,
        expand_closed: false,
        expand_hidden: false,
        forbid_closed: false,
        allow_multiple: true,
        ignore_aliases: false,
    };
    /// Searches: as above, and closed indices are errors.
    pub const STRICT_EXPAND_OPEN_FORBID_CLOSED: IndicesOptions = IndicesOptions {
        forbid_closed: true,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };
    /// Open and closed indices.
    pub const STRICT_EXPAND: IndicesOptions = IndicesOptions {
        expand_closed: true,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };
    /// Open indices; nothing is an error.
    pub const LENIENT_EXPAND_OPEN: IndicesOptions = IndicesOptions {
        ignore_unavailable: true,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };
    /// Everything, hidden and closed too; nothing is an error.
    pub const LENIENT_EXPAND_HIDDEN: IndicesOptions = IndicesOptions {
        expand_closed: true,
        expand_hidden: true,
        ..IndicesOptions::LENIENT_EXPAND_OPEN
    };
    /// One open index, by its name or an alias of one; no wildcards.
    pub const SINGLE: IndicesOptions = IndicesOptions {
        allow_no_indices: false,
        expand_open: false,
        forbid_closed: true,
        allow_multiple: false,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };

    /// Applies the parameters `ignore_unavailable`, `allow_no_indices` and `expand_wildcards` (comma-separated
    /// `open`, `closed`, `hidden`, `none`, `all`) of a request over these defaults; absent ones change nothing.
    pub fn with_params(
        mut self,
        ignore_unavailable: Option<bool>,
        allow_no_indices: Option<bool>,
        expand_wildcards: Option<&str>,
    ) -> Result<IndicesOptions, ResolveError> {
        if let Some(value) = ignore_unavailable {
            self.ignore_unavailable = value;
        }
        if let Some(value) = allow_no_indices {
            self.allow_no_indices = value;
        }
        let Some(list) = expand_wildcards.filter(|list| !list.is_empty()) else {
            return Ok(self);
        };
        self.expand_open = false;
        self.expand_closed = false;
        self.expand_hidden = false;
        for word in list.split(',') {
            match word.trim() {
                "open" => self.expand_open = true,
                "closed" => self.expand_closed = true,
                "hidden" => self.expand_hidden = true,
                "none" => {
                    self.expand_open = false;
                    self.expand_closed = false;
                    self.expand_hidden = false;
                }
                "all" => {
                    self.expand_open = true;
                    self.expand_closed = true;
                    self.expand_hidden = true;
                }
                other => {
                    return Err(StateError::illegal_argument(format!(
                        "No valid expand wildcard value [{other}]"
                    )));
                }
            }
        }
        Ok(self)
    }

    fn expands(&self) -> bool {
        self.expand_open || self.expand_closed
    }

    fn shows(&self, state: IndexState) -> bool {
        match state {
            IndexState::Open => self.expand_open,
            IndexState::Close => self.expand_closed,
        }
    }
}

/// One index that an expression led to.
#[derive(Clone, Debug)]
pub struct ResolvedIndex {
    /// The index.
    pub metadata: Arc<IndexMetadata>,
    /// Filters of the aliases it was reached through (query JSON), any of which may hold; `None` sees everything.
    pub filters: Option<Vec<Value>>,
    /// Routing values of the aliases it was reached through; `None` when one way has none.
    pub search_routing: Option<BTreeSet<String>>,
}

impl ResolvedIndex {
    /// The shards a search has to ask, ascending: all, or those of the routing values.
    ///
    /// * `request`: the request's own `routing`, comma-separated; cut down to what the aliases allow.
    pub fn shards(&self, request: Option<&str>) -> BTreeSet<u32> {
        let asked: Option<BTreeSet<String>> = request
            .filter(|routing| !routing.is_empty())
            .map(|routing| routing.split(',').map(str::to_owned).collect());
        let effective = match (&self.search_routing, asked) {
            (Some(allowed), Some(asked)) => Some(
                allowed
                    .intersection(&asked)
                    .cloned()
                    .collect::<BTreeSet<String>>(),
            ),
            (Some(allowed), None) => Some(allowed.clone()),
            (None, asked) => asked,
        };
        match effective {
            Some(values) if !values.is_empty() => {
                let mut shards = BTreeSet::new();
                for value in &values {
                    shards.extend(self.metadata.shards_of_routing(value));
                }
                shards
            }
            _ => (0..self.metadata.number_of_shards).collect(),
        }
    }
}

/// Where a write goes.
#[derive(Clone, Debug)]
pub struct WriteTarget {
    /// The index.
    pub metadata: Arc<IndexMetadata>,
    /// Routing that the alias imposes.
    pub routing: Option<String>,
    /// Whether the name was an alias.
    pub through_alias: bool,
}

/// A name after its wildcards are resolved.
enum Abstraction<'a> {
    Index(&'a Arc<IndexMetadata>),
    Alias(Vec<&'a Arc<IndexMetadata>>),
}

impl ClusterState {
    /// The indices that comma-separated names, wildcards, exclusions and date math lead to, by name.
    ///
    /// An empty expression, `_all` and `*` mean all. `now_ms` is for date math.
    pub fn resolve(
        &self,
        expression: &str,
        options: &IndicesOptions,
        now_ms: i64,
    ) -> Result<Vec<ResolvedIndex>, ResolveError> {
        let parts: Vec<&str> = expression
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect();
        self.resolve_all(&parts, options, now_ms)
    }

    /// As [`ClusterState::resolve`], for names that are already apart.
    pub fn resolve_all(
        &self,
        expressions: &[&str],
        options: &IndicesOptions,
        now_ms: i64,
    ) -> Result<Vec<ResolvedIndex>, ResolveError> {
        let mut written = Vec::with_capacity(expressions.len());
        for expression in expressions {
            written.push(date_math::expand(expression, now_ms)?);
        }
        let names = self.expand_names(&written, options)?;
        self.concrete(&written, &names, options)
    }

    /// Names of indices and aliases after wildcards; aliases stay aliases unless a wildcard matched them.
    fn expand_names(
        &self,
        written: &[String],
        options: &IndicesOptions,
    ) -> Result<BTreeMap<String, bool>, ResolveError> {
        let mut names: BTreeMap<String, bool> = BTreeMap::new();
        if is_everything(written) {
            if options.expands() {
                for index in self.indices.values() {
                    if options.shows(index.state) && (options.expand_hidden || !index.is_hidden()) {
                        names.insert(index.name.clone(), true);
                    }
                }
            }
            if names.is_empty() && !options.allow_no_indices {
                let asked = written.first().map_or("_all", String::as_str);
                return Err(no_indices(asked, written));
            }
            return Ok(names);
        }
        let mut wildcard_seen = false;
        for expression in written {
            if expression.starts_with('_') && expression != "_all" {
                return Err(StateError::invalid_index_name(
                    expression,
                    "must not start with '_'.",
                ));
            }
            if self.exists(expression, options) {
                names.insert(expression.clone(), true);
                continue;
            }
            let (pattern, add) = match expression.strip_prefix('-') {
                Some(rest) if wildcard_seen => (rest, false),
                _ => (expression.as_str(), true),
            };
            let is_pattern = pattern.contains('*') || pattern == "_all";
            if !is_pattern || !options.expands() {
                if !options.ignore_unavailable && !is_pattern {
                    if options.ignore_aliases && self.is_alias(pattern) {
                        return Err(aliases_not_supported(pattern));
                    }
                    if add {
                        return Err(StateError::index_not_found(pattern));
                    }
                    if self.abstraction(pattern).is_none() {
                        return Err(StateError::index_not_found(pattern));
                    }
                }
                if add {
                    names.entry(pattern.to_owned()).or_insert(true);
                } else {
                    names.remove(pattern);
                }
                continue;
            }
            wildcard_seen = true;
            let (found, any) = self.matching(pattern, options);
            if !any && !options.allow_no_indices {
                return Err(StateError::index_not_found(pattern));
            }
            for name in found {
                if add {
                    names.insert(name, true);
                } else {
                    names.remove(&name);
                }
            }
        }
        Ok(names)
    }

    /// Indices and aliases that a pattern matches; and whether anything matched before states were looked at.
    fn matching(&self, pattern: &str, options: &IndicesOptions) -> (BTreeSet<String>, bool) {
        let all = pattern == "_all";
        let mut found = BTreeSet::new();
        let mut any = false;
        for index in self.indices.values() {
            if (all || matches_pattern(pattern, &index.name))
                && shows_hidden(pattern, &index.name, index.is_hidden(), options)
            {
                any = true;
                if options.shows(index.state) {
                    found.insert(index.name.clone());
                }
            }
            if options.ignore_aliases {
                continue;
            }
            for (alias, metadata) in &index.aliases {
                let hidden = metadata.is_hidden == Some(true);
                if matches_pattern(pattern, alias) && shows_hidden(pattern, alias, hidden, options)
                {
                    any = true;
                    if options.shows(index.state) {
                        found.insert(alias.clone());
                    }
                }
            }
        }
        (found, any)
    }

    fn concrete(
        &self,
        written: &[String],
        names: &BTreeMap<String, bool>,
        options: &IndicesOptions,
    ) -> Result<Vec<ResolvedIndex>, ResolveError> {
        let fail_missing = if written.len() == 1 {
            !options.allow_no_indices
        } else {
            !options.ignore_unavailable
        };
        let mut found: BTreeMap<&str, ResolvedIndex> = BTreeMap::new();
        for name in names.keys() {
            let members = match self.abstraction(name) {
                None if fail_missing => return Err(StateError::index_not_found(name)),
                None => continue,
                Some(Abstraction::Alias(_)) if options.ignore_aliases => {
                    if fail_missing {
                        return Err(aliases_not_supported(name));
                    }
                    continue;
                }
                Some(Abstraction::Index(index)) => vec![index],
                Some(Abstraction::Alias(members)) => {
                    if members.len() > 1 && !options.allow_multiple {
                        let list: Vec<&str> =
                            members.iter().map(|index| index.name.as_str()).collect();
                        return Err(StateError::illegal_argument(format!(
                            "alias [{name}] has more than one index associated with it [{}], can't execute a single index op",
                            list.join(", ")
                        )));
                    }
                    members
                }
            };
            let is_wild =
                written.len() > 1 || written.iter().any(|expression| expression.contains('*'));
            for index in members {
                if index.state == IndexState::Close && options.forbid_closed {
                    // patterns find closed indices only if asked to, and then they are an error too
                    let by_wildcard = is_wild && !written.contains(name) && !options.expand_closed;
                    if options.ignore_unavailable || by_wildcard {
                        continue;
                    }
                    return Err(index_closed(index));
                }
                reach(&mut found, index, name);
            }
        }
        if found.is_empty() && !options.allow_no_indices {
            return Err(no_indices(
                written.first().map_or("_all", String::as_str),
                written,
            ));
        }
        if is_everything(written) {
            for resolved in found.values_mut() {
                resolved.filters = None;
                resolved.search_routing = None;
            }
        }
        Ok(found.into_values().collect())
    }

    /// Where a write to this name goes: an index, or the write index of an alias. `None` when nothing has the name.
    ///
    /// Date math is expanded; wildcards are not allowed.
    pub fn write_target(
        &self,
        name: &str,
        require_alias: bool,
        now_ms: i64,
    ) -> Result<Option<WriteTarget>, ResolveError> {
        let name = date_math::expand(name, now_ms)?;
        let target = match self.abstraction(&name) {
            Some(Abstraction::Index(index)) if !require_alias => Some(WriteTarget {
                metadata: index.clone(),
                routing: None,
                through_alias: false,
            }),
            Some(Abstraction::Alias(members)) => {
                let index = write_index(&name, &members)?;
                let alias = &index.aliases[&name];
                if let Some(routing) = &alias.index_routing
                    && routing.contains(',')
                {
                    return Err(StateError::illegal_argument(format!(
                        "index/alias [{name}] provided with routing value [{routing}] that resolved to several routing values, rejecting operation"
                    )));
                }
                Some(WriteTarget {
                    routing: alias.index_routing.clone(),
                    metadata: index.clone(),
                    through_alias: true,
                })
            }
            _ => None,
        };
        if target.is_none() && require_alias {
            return Err(StateError::new(
                404,
                "index_not_found_exception",
                format!("no such index [{name}] and [require_alias] request flag is [true] and [{name}] is not an alias"),
            )
            .with("index", name.as_str())
            .with("index_uuid", "_na_"));
        }
        Ok(target)
    }

    fn exists(&self, name: &str, options: &IndicesOptions) -> bool {
        match self.abstraction(name) {
            None => false,
            Some(Abstraction::Index(_)) => true,
            Some(Abstraction::Alias(_)) => !options.ignore_aliases,
        }
    }

    fn is_alias(&self, name: &str) -> bool {
        matches!(self.abstraction(name), Some(Abstraction::Alias(_)))
    }

    fn abstraction(&self, name: &str) -> Option<Abstraction<'_>> {
        if let Some(index) = self.indices.get(name) {
            return Some(Abstraction::Index(index));
        }
        let mut members = Vec::new();
        for index in self.indices.values() {
            if index.aliases.contains_key(name) {
                members.push(index);
            }
        }
        if members.is_empty() {
            None
        } else {
            Some(Abstraction::Alias(members))
        }
    }
}

/// Notes that `name` leads to `index`, joining filters and routings of several ways.
fn reach<'a>(
    found: &mut BTreeMap<&'a str, ResolvedIndex>,
    index: &'a Arc<IndexMetadata>,
    name: &str,
) {
    let alias = if index.name == name {
        None
    } else {
        index.aliases.get(name)
    };
    let filter = alias.and_then(|alias| alias.filter.clone());
    let routing = alias
        .and_then(|alias| alias.search_routing.as_ref())
        .map(|text| {
            text.split(',')
                .map(str::to_owned)
                .collect::<BTreeSet<String>>()
        });
    match found.get_mut(index.name.as_str()) {
        None => {
            found.insert(
                &index.name,
                ResolvedIndex {
                    metadata: index.clone(),
                    filters: filter.map(|filter| vec![filter]),
                    search_routing: routing,
                },
            );
        }
        Some(known) => {
            known.filters = match (known.filters.take(), filter) {
                (Some(mut filters), Some(filter)) => {
                    filters.push(filter);
                    Some(filters)
                }
                _ => None,
            };
            known.search_routing = match (known.search_routing.take(), routing) {
                (Some(mut values), Some(more)) => {
                    values.extend(more);
                    Some(values)
                }
                _ => None,
            };
        }
    }
}

fn write_index<'a>(
    alias: &str,
    members: &[&'a Arc<IndexMetadata>],
) -> Result<&'a Arc<IndexMetadata>, ResolveError> {
    let declared = members
        .iter()
        .find(|index| index.aliases[alias].is_write_index == Some(true));
    let implied = members
        .first()
        .filter(|index| members.len() == 1 && index.aliases[alias].is_write_index != Some(false));
    match declared.or(implied) {
        Some(index) => Ok(index),
        None => Err(StateError::illegal_argument(format!(
            "no write index is defined for alias [{alias}]. The write index may be explicitly disabled using \
             is_write_index=false or the alias points to multiple indices without one being designated as a write index"
        ))),
    }
}

fn is_everything(written: &[String]) -> bool {
    match written {
        [] => true,
        [one] => one == "_all" || one == "*",
        _ => false,
    }
}

/// A hidden name shows when asked for, or when pattern and name both start with a dot.
fn shows_hidden(pattern: &str, name: &str, hidden: bool, options: &IndicesOptions) -> bool {
    !hidden || options.expand_hidden || (pattern.starts_with('.') && name.starts_with('.'))
}

fn no_indices(asked: &str, written: &[String]) -> StateError {
    let reason = if is_everything(written) && asked == "_all" {
        "no indices exist".to_owned()
    } else {
        format!(
            "no such index [{}]",
            if written.len() == 1 { asked } else { "null" }
        )
    };
    StateError::new(404, "index_not_found_exception", reason)
        .with("resource.type", "index_or_alias")
        .with("resource.id", written.join(","))
        .with("index_uuid", "_na_")
        .with("index", if written.is_empty() { "_all" } else { asked })
}

fn aliases_not_supported(name: &str) -> StateError {
    StateError::illegal_argument(format!(
        "The provided expression [{name}] matches an alias, specify the corresponding concrete indices instead."
    ))
}

/// The refusal of work on a closed index.
pub fn index_closed(index: &IndexMetadata) -> StateError {
    StateError::new(400, "index_closed_exception", "closed")
        .with("index", index.name.as_str())
        .with("index_uuid", index.uuid.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::AliasMetadata;
    use crate::master::testing::{Cluster, create};
    use crate::master::{AliasAction, Command};
    use serde_json::json;

    fn cluster() -> Cluster {
        let mut cluster = Cluster::new();
        for name in ["a1", "a2", "b1", "closed"] {
            cluster.run(create(name)).unwrap();
        }
        cluster
            .run(Command::CloseIndices {
                names: vec!["closed".to_owned()],
            })
            .unwrap();
        for (index, alias, filter) in [
            ("a1", "x", Some(json!({"term": {"f": 1}}))),
            ("b1", "x", None),
        ] {
            cluster
                .run(Command::UpdateAliases {
                    actions: vec![AliasAction::Add {
                        index: index.to_owned(),
                        alias: alias.to_owned(),
                        metadata: AliasMetadata {
                            filter,
                            search_routing: Some("r".to_owned()),
                            ..AliasMetadata::default()
                        },
                    }],
                })
                .unwrap();
        }
        cluster
    }

    fn names(expression: &str, options: &IndicesOptions) -> Result<String, String> {
        match cluster().state.resolve(expression, options, 0) {
            Ok(found) => Ok(found
                .iter()
                .map(|one| one.metadata.name.as_str())
                .collect::<Vec<_>>()
                .join(",")),
            Err(refused) => Err(refused.reason),
        }
    }

    #[test]
    fn expressions_lead_to_indices() {
        let search = IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED;
        let strict = IndicesOptions {
            allow_no_indices: false,
            ..search
        };
        for (expression, options, expected) in [
            ("", search, Ok("a1,a2,b1")),
            ("_all", search, Ok("a1,a2,b1")),
            ("a*", search, Ok("a1,a2")),
            ("a*,-a2", search, Ok("a1")),
            ("x", search, Ok("a1,b1")),
            ("x,a2", search, Ok("a1,a2,b1")),
            ("*", IndicesOptions::STRICT_EXPAND, Ok("a1,a2,b1,closed")),
            ("none*", search, Ok("")),
            ("none*", strict, Err("no such index [none*]")),
            ("none", search, Err("no such index [none]")),
            ("a1,none", IndicesOptions::LENIENT_EXPAND_OPEN, Ok("a1")),
            ("closed", search, Err("closed")),
            ("c*", search, Ok("")),
            (
                "_x",
                search,
                Err("Invalid index name [_x], must not start with '_'."),
            ),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(
                names(expression, &options),
                expected,
                "[{expression}] with {options:?}"
            );
        }
    }

    #[test]
    fn filters_hold_only_when_every_way_has_one() {
        let state = cluster().state;
        let found = |expression: &str| {
            let found = state
                .resolve(expression, &IndicesOptions::STRICT_EXPAND_OPEN, 0)
                .unwrap();
            (
                found[0].filters.is_some(),
                found[0].search_routing.is_some(),
            )
        };
        assert_eq!(found("x"), (true, true));
        assert_eq!(found("x,a1"), (false, false));
        assert_eq!(found("_all"), (false, false));
    }

    #[test]
    fn writes_need_one_index() {
        let state = cluster().state;
        assert!(state.write_target("none", false, 0).unwrap().is_none());
        assert_eq!(
            state
                .write_target("a1", false, 0)
                .unwrap()
                .unwrap()
                .metadata
                .name,
            "a1"
        );
        assert!(
            state
                .write_target("x", false, 0)
                .unwrap_err()
                .reason
                .starts_with("no write index is defined for alias [x].")
        );
        assert_eq!(state.write_target("a1", true, 0).unwrap_err().status, 404);
    }
}
