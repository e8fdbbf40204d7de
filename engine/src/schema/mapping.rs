//! The mapping: objects and fields by path.

use std::sync::Arc;

use super::FieldMapping;

/// Fields and objects of an index.
#[derive(Debug, Default)]
pub struct Mapping {}

#[allow(clippy::todo)]
impl Mapping {
    /// The canonical JSON, as `GET _mapping` shows it.
    pub fn to_json(&self) -> serde_json::Value {
        todo!()
    }

    /// The field at a path; an alias gives the field it points to.
    pub fn field(&self, _path: &str) -> Option<&Arc<FieldMapping>> {
        todo!()
    }

    /// Whether the path is an object.
    pub fn is_object(&self, _path: &str) -> bool {
        todo!()
    }

    /// All fields in order of path: multi-fields included, aliases with the field they point to.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Arc<FieldMapping>)> {
        std::iter::empty()
    }

    /// The fields whose path matches a pattern with `*`, in order of path.
    pub fn fields_matching(&self, _pattern: &str) -> Vec<(&str, &Arc<FieldMapping>)> {
        todo!()
    }

    /// Whether the path is an alias of another field.
    pub fn is_alias(&self, _path: &str) -> bool {
        todo!()
    }

    /// Whether the name is a metadata field: `_id`, `_index`, `_source`, ….
    pub fn is_metadata_field(_name: &str) -> bool {
        todo!()
    }

    /// Whether every write and read must give a routing.
    pub fn routing_required(&self) -> bool {
        todo!()
    }

    /// Whether `_source` is stored.
    pub fn source_enabled(&self) -> bool {
        todo!()
    }
}
