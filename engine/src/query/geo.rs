//! `geo_bounding_box`, `geo_distance` and boxes of `geo_shape`: documents with places in an area.

use serde::{Deserialize, Serialize};

use crate::geo::{GeoBox, GeoPoint};

/// Documents with places in an area.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeoQuery {
    /// Path of the field.
    pub field: String,
    /// The area.
    pub shape: GeoShape,
    /// Which of a document's places must be in it.
    pub rule: PlaceRule,
    /// Whether an unmapped field means no documents; else it is an error.
    pub ignore_unmapped: bool,
    /// The query as users call it, for errors.
    pub written_as: GeoClause,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

/// An area.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum GeoShape {
    /// Between two latitudes and two longitudes.
    Box(GeoBox),
    /// At most so many metres from a point.
    Circle {
        /// Its middle.
        centre: GeoPoint,
        /// Metres.
        radius: f64,
        /// Whether metres are measured on a plane map.
        plane: bool,
    },
}

/// Which of a document's places must be in an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlaceRule {
    /// At least one.
    Any,
    /// All.
    All,
    /// None, of at least one place.
    None,
}

/// How users wrote a query for places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum GeoClause {
    BoundingBox,
    Distance,
    Shape,
}
