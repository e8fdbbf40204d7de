//! `_shrink`, `_split`, `_clone`: an index with another number of shards and the documents of an old one.

use std::collections::BTreeMap;

use super::command::{CommandError, CreateIndex, ResizeIndex, ResizeKind, ResizeSource};
use super::create_index;
use super::decide::existing;
use super::event::Event;
use super::ids::Ids;
use crate::cluster::error::StateError;
use crate::cluster::setting_values::{Scope, find};
use crate::cluster::{ClusterState, IndexMetadata, IndexState, index_settings};

/// Decides on a resized index. Its shards fill themselves from the old index before they serve.
pub(super) fn resize(
    state: &ClusterState,
    request: ResizeIndex,
    now_ms: i64,
    ids: &mut dyn Ids,
) -> Result<Vec<Event>, CommandError> {
    let source = existing(state, &request.source)?;
    if source.state != IndexState::Open {
        return Err(StateError::new(400, "index_closed_exception", "closed")
            .with("index", source.name.as_str())
            .with("index_uuid", source.uuid.as_str()));
    }
    let shards = target_shards(source, &request)?;
    let is_blocked = ["index.blocks.write", "index.blocks.read_only"]
        .iter()
        .any(|block| source.flag(block));
    if !is_blocked {
        return Err(StateError::new(
            500,
            "illegal_state_exception",
            format!(
                "index {} must be read-only to resize index. use \"index.blocks.write=true\"",
                source.name
            ),
        ));
    }
    let mapping = &source.schema.mapping;
    let filters_source = source.mapping.get("_source").is_some_and(|options| {
        options.get("includes").is_some() || options.get("excludes").is_some()
    });
    if !mapping.source_enabled() || filters_source {
        return Err(StateError::illegal_argument(format!(
            "index [{}] cannot be resized: its mapping does not keep the whole [_source]",
            source.name
        )));
    }
    let settings = settings_of(source, &request, shards)?;
    let splits_one = request.kind == ResizeKind::Split && source.number_of_shards == 1;
    let create = CreateIndex {
        name: request.name,
        provided_name: request.provided_name,
        settings,
        mapping: source.mapping.clone(),
        aliases: request.aliases,
        resized_from: Some(ResizeSource {
            name: source.name.clone(),
            uuid: source.uuid.clone(),
            routing_num_shards: (!splits_one).then_some(source.routing_num_shards),
        }),
    };
    create_index::create(state, create, now_ms, ids)
}

/// How many shards the new index has, if the old one's can be dealt out to so many.
fn target_shards(source: &IndexMetadata, request: &ResizeIndex) -> Result<u32, CommandError> {
    let have = source.number_of_shards;
    let asked = request
        .settings
        .get("index.number_of_shards")
        .and_then(Option::as_deref)
        .map(|text| {
            text.parse::<u32>()
                .ok()
                .filter(|count| *count > 0)
                .ok_or_else(|| {
                    StateError::illegal_argument(format!(
                        "Failed to parse value [{text}] for setting [index.number_of_shards]"
                    ))
                })
        })
        .transpose()?;
    let refused = |reason: String| Err(StateError::illegal_argument(reason));
    let factor = |large: u32, small: u32| large.is_multiple_of(small);
    match request.kind {
        ResizeKind::Shrink => {
            let want = asked.unwrap_or(1);
            if want > have {
                return refused(format!(
                    "the number of target shards [{want}] must be less that the number of source shards [{have}]"
                ));
            }
            if !factor(have, want) {
                return refused(format!(
                    "the number of source shards [{have}] must be a multiple of [{want}]"
                ));
            }
            if have == 1 {
                return refused("can't shrink an index with only one shard".to_owned());
            }
            Ok(want)
        }
        ResizeKind::Split => {
            let want = asked.unwrap_or(have);
            if have >= want {
                return refused(format!(
                    "the number of source shards [{have}] must be less that the number of target shards [{want}]"
                ));
            }
            if !factor(want, have) {
                return refused(format!(
                    "the number of source shards [{have}] must be a factor of [{want}]"
                ));
            }
            if have > 1 && !factor(source.routing_num_shards, want) {
                return refused(format!(
                    "the number of routing shards [{}] must be a multiple of the target shards [{want}]",
                    source.routing_num_shards
                ));
            }
            Ok(want)
        }
        ResizeKind::Clone => {
            let want = asked.unwrap_or(have);
            if want != have {
                return refused(format!(
                    "the number of target shards ({want}) must be the same as the number of  source shards ( {have})"
                ));
            }
            Ok(want)
        }
    }
}

/// The old index's settings that users may set, with the request's over them.
fn settings_of(
    source: &IndexMetadata,
    request: &ResizeIndex,
    shards: u32,
) -> Result<BTreeMap<String, String>, CommandError> {
    if request
        .settings
        .contains_key("index.routing_partition_size")
    {
        return Err(StateError::illegal_argument(
            "cannot provide a routing partition size value when resizing an index",
        ));
    }
    let splits_one = request.kind == ResizeKind::Split && source.number_of_shards == 1;
    if request
        .settings
        .contains_key("index.number_of_routing_shards")
        && !splits_one
    {
        return Err(StateError::illegal_argument(
            "cannot provide index.number_of_routing_shards on resize",
        ));
    }
    let mut settings = BTreeMap::new();
    for (key, value) in &source.settings {
        let is_private = find(index_settings::INDEX_SETTINGS, key)
            .is_some_and(|setting| setting.scope == Scope::Private);
        if !is_private && key != "index.number_of_routing_shards" {
            settings.insert(key.clone(), value.clone());
        }
    }
    for block in ["index.blocks.read_only", "index.blocks.metadata"] {
        if source.flag(block) && !request.settings.contains_key(block) {
            return Err(StateError::illegal_argument(format!(
                "target index [{}] will be blocked by [{block}=true] which is copied from the source index [{}], \
                 this will disable metadata writes and cause the shards to be unassigned",
                request.name, source.name
            )));
        }
    }
    let mut given = BTreeMap::new();
    for (key, value) in &request.settings {
        match value {
            Some(value) => {
                given.insert(key.clone(), value.clone());
            }
            None => {
                settings.remove(key);
            }
        }
    }
    create_index::replace_settings(&mut settings, given);
    settings.insert("index.number_of_shards".to_owned(), shards.to_string());
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::index_metadata::RESIZE_SOURCE;
    use crate::master::testing::Cluster;
    use crate::master::{Command, UpdateSettings};

    fn cluster(shards: &str) -> Cluster {
        let mut cluster = Cluster::new();
        let settings = BTreeMap::from([
            ("index.number_of_shards".to_owned(), shards.to_owned()),
            ("index.blocks.write".to_owned(), "true".to_owned()),
        ]);
        let create = CreateIndex {
            name: "a".to_owned(),
            settings,
            ..CreateIndex::default()
        };
        cluster.run(Command::CreateIndex(create)).unwrap();
        cluster
    }

    fn order(kind: ResizeKind, shards: Option<&str>) -> Command {
        let mut settings = BTreeMap::new();
        if let Some(shards) = shards {
            settings.insert("index.number_of_shards".to_owned(), Some(shards.to_owned()));
        }
        Command::ResizeIndex(ResizeIndex {
            name: "b".to_owned(),
            provided_name: "b".to_owned(),
            source: "a".to_owned(),
            kind,
            settings,
            aliases: BTreeMap::new(),
        })
    }

    #[test]
    fn a_shrunken_index_keeps_the_hash_space_and_the_settings() {
        let mut cluster = cluster("6");
        cluster.run(order(ResizeKind::Shrink, Some("3"))).unwrap();
        let (old, new) = (&cluster.state.indices["a"], &cluster.state.indices["b"]);
        assert_eq!(new.number_of_shards, 3);
        assert_eq!(new.routing_num_shards, old.routing_num_shards);
        assert!(new.flag("index.blocks.write"));
        assert_eq!(new.setting(RESIZE_SOURCE), Some(old.uuid.as_str()));
        assert_ne!(new.uuid, old.uuid);
    }

    #[test]
    fn refuses_numbers_of_shards_that_do_not_fit() {
        for (have, kind, want, reason) in [
            (
                "6",
                ResizeKind::Shrink,
                Some("4"),
                "must be a multiple of [4]",
            ),
            (
                "2",
                ResizeKind::Shrink,
                Some("4"),
                "must be less that the number of source shards [2]",
            ),
            ("1", ResizeKind::Shrink, None, "only one shard"),
            ("2", ResizeKind::Split, Some("3"), "must be a factor of [3]"),
            (
                "2",
                ResizeKind::Split,
                None,
                "must be less that the number of target shards [2]",
            ),
            (
                "2",
                ResizeKind::Clone,
                Some("4"),
                "must be the same as the number of",
            ),
        ] {
            let refused = cluster(have).run(order(kind, want)).unwrap_err();
            assert!(refused.reason.contains(reason), "{}", refused.reason);
        }
    }

    #[test]
    fn an_index_that_takes_writes_is_not_resized() {
        let mut cluster = cluster("2");
        let settings = BTreeMap::from([("index.blocks.write".to_owned(), None)]);
        cluster
            .run(Command::UpdateSettings(UpdateSettings {
                indices: vec!["a".to_owned()],
                settings,
                preserve_existing: false,
            }))
            .unwrap();
        let refused = cluster.run(order(ResizeKind::Clone, None)).unwrap_err();
        assert_eq!(refused.kind, "illegal_state_exception");
    }
}
