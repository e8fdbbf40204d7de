//! One index as the masters know it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quidditch_engine::schema::IndexSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::node::NodeId;

/// Setting of an index that was made of another one: the uuid of that one.
pub const RESIZE_SOURCE: &str = "index.resize.source.uuid";

/// Whether an index serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexState {
    /// Reads and writes.
    Open,
    /// Kept on disk only.
    Close,
}

impl IndexState {
    /// `open` or `close`, as the REST interface says it.
    pub fn name(self) -> &'static str {
        match self {
            IndexState::Open => "open",
            IndexState::Close => "close",
        }
    }
}

/// Another name of an index, with what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AliasMetadata {
    /// Query in the user's own JSON; documents outside are not seen through the alias.
    pub filter: Option<Value>,
    /// Routing value of writes.
    pub index_routing: Option<String>,
    /// Routing values of searches, separated by commas.
    pub search_routing: Option<String>,
    /// Whether writes through the alias go to this index; absent means "if it is the only one".
    pub is_write_index: Option<bool>,
    /// Whether wildcards skip it.
    pub is_hidden: Option<bool>,
}

/// Everything about one index but its documents.
#[derive(Clone, Debug, Serialize)]
pub struct IndexMetadata {
    /// Concrete name.
    pub name: String,
    /// 22 characters of URL-safe base64; another index of the same name has another one.
    pub uuid: String,
    /// Open or closed.
    pub state: IndexState,
    /// Raised by every change of this metadata; from 1.
    pub version: u64,
    /// Raised by every change of the mapping; from 1.
    pub mapping_version: u64,
    /// Raised by every change of the settings; from 1.
    pub settings_version: u64,
    /// Raised by every change of the aliases; from 1.
    pub aliases_version: u64,
    /// When it was made, in ms since the epoch.
    pub creation_date: i64,
    /// How many shards, 1 to 1024.
    pub number_of_shards: u32,
    /// Size of the hash space that is cut into shards; a multiple of `number_of_shards`.
    pub routing_num_shards: u32,
    /// How many shards one routing value spreads over; 1 is the usual.
    pub routing_partition_size: u32,
    /// Wanted copies besides each primary.
    pub number_of_replicas: u32,
    /// Flat settings, every key beginning with `index.`; lists as `key.0`, `key.1`.
    pub settings: BTreeMap<String, String>,
    /// Canonical mapping, the object under `mappings`.
    pub mapping: Value,
    /// Aliases by name.
    pub aliases: BTreeMap<String, AliasMetadata>,
    /// Reign of each shard's primary; from 1.
    pub primary_terms: Vec<u64>,
    /// Allocation ids of the copies of each shard that have every acknowledged write; the primary's at least.
    pub in_sync: Vec<BTreeSet<String>>,
    /// Where the in-sync copies of each shard lie, by allocation id: the node that is given its copy again when it
    /// returns. Empty on a lone node.
    #[serde(skip_serializing_if = "nobody_is_home")]
    pub homes: Vec<BTreeMap<String, NodeId>>,
    /// Numbers of the shards whose primary has started once: their data exists, and is never made anew.
    pub started: BTreeSet<u32>,
    /// What rollovers happened, by alias, as the REST interface shows it.
    pub rollover_info: Map<String, Value>,
    /// The mapping and analysis, ready for use; rebuilt when the state is read.
    #[serde(skip)]
    pub schema: Arc<IndexSchema>,
}

fn nobody_is_home(homes: &[BTreeMap<String, NodeId>]) -> bool {
    homes.iter().all(BTreeMap::is_empty)
}

/// What [`IndexMetadata`] looks like in bytes: all but the schema.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Persisted {
    name: String,
    uuid: String,
    state: IndexState,
    version: u64,
    mapping_version: u64,
    settings_version: u64,
    aliases_version: u64,
    creation_date: i64,
    number_of_shards: u32,
    routing_num_shards: u32,
    routing_partition_size: u32,
    number_of_replicas: u32,
    settings: BTreeMap<String, String>,
    mapping: Value,
    aliases: BTreeMap<String, AliasMetadata>,
    primary_terms: Vec<u64>,
    in_sync: Vec<BTreeSet<String>>,
    #[serde(default)]
    homes: Vec<BTreeMap<String, NodeId>>,
    #[serde(default)]
    started: BTreeSet<u32>,
    rollover_info: Map<String, Value>,
}

impl<'de> Deserialize<'de> for IndexMetadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Persisted::deserialize(deserializer)?;
        let schema = IndexSchema::new(&read.mapping, &read.settings).map_err(|err| {
            serde::de::Error::custom(format!(
                "index [{}]: its mapping or analysis no longer reads: {err}",
                read.name
            ))
        })?;
        let shards = read.number_of_shards as usize;
        if shards == 0
            || read.routing_num_shards == 0
            || !read
                .routing_num_shards
                .is_multiple_of(read.number_of_shards)
            || read.primary_terms.len() != shards
            || read.in_sync.len() != shards
            || !(read.homes.is_empty() || read.homes.len() == shards)
        {
            return Err(serde::de::Error::custom(format!(
                "index [{}]: shard counts disagree",
                read.name
            )));
        }
        Ok(IndexMetadata {
            name: read.name,
            uuid: read.uuid,
            state: read.state,
            version: read.version,
            mapping_version: read.mapping_version,
            settings_version: read.settings_version,
            aliases_version: read.aliases_version,
            creation_date: read.creation_date,
            number_of_shards: read.number_of_shards,
            routing_num_shards: read.routing_num_shards,
            routing_partition_size: read.routing_partition_size,
            number_of_replicas: read.number_of_replicas,
            settings: read.settings,
            mapping: read.mapping,
            aliases: read.aliases,
            primary_terms: read.primary_terms,
            in_sync: read.in_sync,
            homes: match read.homes.is_empty() {
                true => vec![BTreeMap::new(); shards],
                false => read.homes,
            },
            started: read.started,
            rollover_info: read.rollover_info,
            schema: Arc::new(schema),
        })
    }
}

impl IndexMetadata {
    /// The shard of a document, 0 to `number_of_shards - 1`; where OpenSearch would put it.
    ///
    /// * `routing`: the user's routing value, which replaces the id.
    pub fn shard_of(&self, id: &str, routing: Option<&str>) -> u32 {
        let offset = if self.routing_partition_size > 1 {
            (routing_hash(id).rem_euclid(self.routing_partition_size as i32)) as u32
        } else {
            0
        };
        self.shard_of_hash(routing.unwrap_or(id), offset)
    }

    /// The shards that documents of one routing value can be in, ascending.
    pub fn shards_of_routing(&self, routing: &str) -> BTreeSet<u32> {
        (0..self.routing_partition_size.max(1))
            .map(|offset| self.shard_of_hash(routing, offset))
            .collect()
    }

    fn shard_of_hash(&self, routing: &str, offset: u32) -> u32 {
        if self.number_of_shards == 1 {
            return 0;
        }
        let hash = routing_hash(routing).wrapping_add(offset as i32);
        let slot = hash.rem_euclid(self.routing_num_shards as i32) as u32;
        slot / (self.routing_num_shards / self.number_of_shards)
    }

    /// One setting's text, e.g. `index.refresh_interval`.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }

    /// A setting's whole number.
    pub fn number(&self, key: &str, otherwise: i64) -> i64 {
        self.setting(key)
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    }

    /// Whether a setting is `true`; absent is `false`.
    pub fn flag(&self, key: &str) -> bool {
        self.setting(key) == Some("true")
    }

    /// Whether wildcards skip the index.
    pub fn is_hidden(&self) -> bool {
        self.flag("index.hidden")
    }

    /// The name that the user wrote when the index was made.
    pub fn provided_name(&self) -> &str {
        self.setting("index.provided_name").unwrap_or(&self.name)
    }
}

/// OpenSearch's hash of a routing value: murmur3 (x86, 32 bits, seed 0) over its UTF-16 units, little-endian.
pub fn routing_hash(routing: &str) -> i32 {
    let mut bytes = Vec::with_capacity(routing.len() * 2);
    for unit in routing.encode_utf16() {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
    // Reading from memory never fails.
    murmur3::murmur3_32(&mut bytes.as_slice(), 0).unwrap_or_default() as i32
}

/// Whether documents of shard `from` of `have` can belong into shard `number` of the `want` shards of a resized index.
pub fn is_fed_by(number: u32, want: u32, from: u32, have: u32) -> bool {
    if have >= want {
        // a hash space that stays is cut into wider pieces
        u64::from(from) * u64::from(want) / u64::from(have) == u64::from(number)
    } else {
        u64::from(number) * u64::from(have) / u64::from(want) == u64::from(from)
    }
}

/// The size of the hash space of a new index: a power of two times its shards, up to 1024.
pub fn default_routing_num_shards(number_of_shards: u32) -> u32 {
    let log2_shards = 32 - number_of_shards.saturating_sub(1).leading_zeros();
    let splits = 10u32.saturating_sub(log2_shards).max(1);
    number_of_shards << splits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_the_reference_does() {
        // Murmur3HashFunctionTests of OpenSearch: known values.
        assert_eq!(routing_hash("hell"), 0x5a0c_b7c3);
        assert_eq!(routing_hash("hello"), 0xd7c3_1989_u32 as i32);
        assert_eq!(routing_hash("hello w"), 0x22ab_2984);
        assert_eq!(
            routing_hash("The quick brown fox jumps over the lazy dog"),
            0xe07d_b09c_u32 as i32
        );
    }

    #[test]
    fn each_shard_is_fed_by_those_whose_hashes_it_holds() {
        let feeders = |number, want, have| -> Vec<u32> {
            (0..have)
                .filter(|from| is_fed_by(number, want, *from, have))
                .collect()
        };
        assert_eq!(feeders(0, 2, 6), [0, 1, 2]);
        assert_eq!(feeders(1, 2, 6), [3, 4, 5]);
        assert_eq!(feeders(5, 6, 2), [1]);
        assert_eq!(feeders(2, 3, 3), [2]);
        assert_eq!(feeders(3, 4, 1), [0]);
    }

    #[test]
    fn hash_space_grows_with_the_shards() {
        for (shards, space) in [
            (1, 1024),
            (2, 1024),
            (3, 768),
            (5, 640),
            (1023, 2046),
            (1024, 2048),
        ] {
            assert_eq!(default_routing_num_shards(shards), space, "{shards} shards");
        }
    }
}
