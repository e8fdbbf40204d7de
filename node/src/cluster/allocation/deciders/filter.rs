//! Filters: `include`, `exclude` and `require`, by attribute, of the index and of the cluster.

use std::collections::BTreeMap;

use super::{CopyAt, Decision, NodeInfo, Table, set_cluster, set_index};
use crate::cluster::names::matches_pattern;
use crate::cluster::{ClusterState, IndexMetadata};

const OF_INDEX: Prefixes = Prefixes {
    include: "index.routing.allocation.include.",
    exclude: "index.routing.allocation.exclude.",
    require: "index.routing.allocation.require.",
};
const OF_CLUSTER: Prefixes = Prefixes {
    include: "cluster.routing.allocation.include.",
    exclude: "cluster.routing.allocation.exclude.",
    require: "cluster.routing.allocation.require.",
};
/// For the first allocation of a shrunken index.
const INITIAL: &str = "index.routing.allocation.initial_recovery.";
/// The tier decider's.
const TIER_PREFERENCE: &str = "_tier_preference";

/// What the settings of a level begin with.
struct Prefixes {
    include: &'static str,
    exclude: &'static str,
    require: &'static str,
}

/// Patterns by attribute.
type Group = BTreeMap<String, Vec<String>>;

/// The three kinds of one level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filters {
    include: Group,
    exclude: Group,
    require: Group,
    initial: Group,
}

/// Reads the settings below `prefix`; a list is one text or has an element per key.
fn group<'s>(settings: impl Iterator<Item = (&'s String, &'s String)>, prefix: &str) -> Group {
    let mut group = Group::new();
    for (key, value) in settings {
        let Some(attribute) = key.strip_prefix(prefix) else {
            continue;
        };
        let attribute = match attribute.rsplit_once('.') {
            Some((list, number)) if number.parse::<u32>().is_ok() => list,
            _ => attribute,
        };
        let patterns = value
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let patterns: Vec<String> = patterns.map(str::to_owned).collect();
        if !patterns.is_empty() && attribute != TIER_PREFERENCE {
            group
                .entry(attribute.to_owned())
                .or_default()
                .extend(patterns);
        }
    }
    group
}

fn matches(node: &NodeInfo, attribute: &str, patterns: &[String]) -> bool {
    let is = |text: &str| {
        patterns
            .iter()
            .any(|pattern| matches_pattern(pattern, text))
    };
    match attribute {
        "_name" => is(&node.name),
        "_id" => is(&node.id.0),
        "_ip" | "_host_ip" | "_publish_ip" => is(&node.ip),
        "_host" => is(&node.host) || is(&node.ip),
        "_tier" => node
            .attributes
            .get("tier")
            .is_some_and(|tier| is(tier) || is(&format!("data_{tier}"))),
        name => node.attributes.get(name).is_some_and(|value| is(value)),
    }
}

fn show(group: &Group) -> String {
    let parts: Vec<String> = group
        .iter()
        .map(|(attribute, patterns)| format!("{attribute}:\"{}\"", patterns.join(" OR ")))
        .collect();
    parts.join(",")
}

impl Filters {
    /// Those of the cluster settings.
    pub fn of_cluster(state: &ClusterState) -> Filters {
        let of = |prefix: &str| {
            let mut known = group(state.persistent.iter(), prefix);
            // the transient layer wins, attribute by attribute
            known.extend(group(state.transient.iter(), prefix));
            known
        };
        Filters {
            include: of(OF_CLUSTER.include),
            exclude: of(OF_CLUSTER.exclude),
            require: of(OF_CLUSTER.require),
            initial: Group::new(),
        }
    }

    fn of_index(index: &IndexMetadata) -> Filters {
        let of = |prefix: &str| {
            let settings = index.settings.range(prefix.to_owned()..);
            group(
                settings.take_while(|(key, _)| key.starts_with(prefix)),
                prefix,
            )
        };
        Filters {
            include: of(OF_INDEX.include),
            exclude: of(OF_INDEX.exclude),
            require: of(OF_INDEX.require),
            initial: of(INITIAL),
        }
    }

    /// The kind that keeps a node out, with its patterns.
    fn refuses(&self, node: &NodeInfo) -> Option<(&'static str, &Group)> {
        let all = |group: &Group| {
            group
                .iter()
                .all(|(name, patterns)| matches(node, name, patterns))
        };
        let any = |group: &Group| {
            group
                .iter()
                .any(|(name, patterns)| matches(node, name, patterns))
        };
        if !all(&self.require) {
            return Some(("require", &self.require));
        }
        if !self.include.is_empty() && !any(&self.include) {
            return Some(("include", &self.include));
        }
        if any(&self.exclude) {
            return Some(("exclude", &self.exclude));
        }
        None
    }
}

/// Whether the filters let an index have copies on a node at all: such nodes count for `auto_expand_replicas`.
pub(crate) fn lets(table: &Table<'_>, index: &IndexMetadata, node: &NodeInfo) -> bool {
    table.limits.filters.refuses(node).is_none() && Filters::of_index(index).refuses(node).is_none()
}

fn refusal(
    table: &Table<'_>,
    at: &CopyAt<'_>,
    level: &str,
    (kind, group): (&'static str, &Group),
) -> Decision {
    let prefixes = match level {
        "index" => OF_INDEX,
        _ => OF_CLUSTER,
    };
    let prefix = match kind {
        "include" => prefixes.include,
        "exclude" => prefixes.exclude,
        _ => prefixes.require,
    };
    let verb = if kind == "exclude" {
        "matches"
    } else {
        "does not match"
    };
    let attribute = group.keys().next().map_or("", String::as_str);
    let key = format!("{prefix}{attribute}");
    let name = prefix.trim_end_matches('.');
    table
        .no(|| {
            format!(
                "node {verb} {level} setting [{name}] filters [{}]",
                show(group)
            )
        })
        .helped_by(|| match level {
            "index" => set_index(&at.index.name, &key, "null"),
            _ => set_cluster(&key, "null"),
        })
}

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    let own = Filters::of_index(at.index);
    let is_new = at.copy.primary && !at.copy.is_active() && !at.index.started.contains(&at.shard);
    if is_new && !own.initial.is_empty() {
        let initial = &own.initial;
        if !initial
            .iter()
            .any(|(name, patterns)| matches(node, name, patterns))
        {
            return table.no(|| {
                format!(
                    "initial allocation of the shrunken index is only allowed on nodes [{}] that hold a copy of every shard in the index",
                    show(initial)
                )
            });
        }
    }
    can_remain(table, at, node)
}

pub(super) fn can_remain(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    if let Some(refused) = table.limits.filters.refuses(node) {
        return refusal(table, at, "cluster", refused);
    }
    let own = Filters::of_index(at.index);
    if let Some(refused) = own.refuses(node) {
        return refusal(table, at, "index", refused);
    }
    table.yes(|| "node passes include/exclude/require filters".to_owned())
}
