//! Where the places of geo aggregations come from.

use serde::{Deserialize, Serialize};

use super::collector::Docs;
use super::loaded::Loaded;
use super::request::FieldSource;
use super::source::{NumericSource, text_of, unsupported_field};
use crate::geo::GeoPoint;
use crate::schema::{FieldKind, IndexSchema};
use crate::search::SearchError;
use crate::segment::NumericColumn;
use crate::shard::SegmentSnapshot;

/// How distances are measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// From where.
    pub origin: GeoPoint,
    /// Metres of one unit.
    pub unit: f64,
    /// On a plane map instead of the globe.
    pub plane: bool,
}

impl Measure {
    /// The distance of a place, as its column has it, in units.
    pub(crate) fn of(&self, stored: i64) -> f64 {
        let place = GeoPoint::from_column(stored);
        let metres = if self.plane {
            self.origin.plane_distance(place)
        } else {
            self.origin.distance(place)
        };
        metres / self.unit
    }
}

/// A field with places.
pub(crate) struct GeoSource {
    path: String,
    missing: Option<i64>,
    column: Option<NumericColumn>,
    loaded: Loaded,
}

impl GeoSource {
    /// Finds the field; `None` when it is not mapped and has no `missing`. Other fields are refused in the name of
    /// `agg`.
    pub fn resolve(
        source: &FieldSource,
        schema: &IndexSchema,
        agg: &str,
    ) -> Result<Option<GeoSource>, SearchError> {
        let missing = match &source.missing {
            None => None,
            Some(value) => {
                let point = GeoPoint::parse(&text_of(value)).map_err(SearchError::illegal)?;
                Some(point.to_column())
            }
        };
        let path = match schema.mapping.field(&source.field) {
            None if missing.is_none() => return Ok(None),
            None => source.field.clone(),
            Some(field) if field.kind() == FieldKind::GeoPoint && field.has_doc_values() => {
                field.path().to_owned()
            }
            Some(_) => return Err(unsupported_field(schema, &source.field, agg)),
        };
        Ok(Some(GeoSource {
            path,
            missing,
            column: None,
            loaded: Loaded::default(),
        }))
    }

    /// The distances of the places, as numbers.
    pub fn distances(self, measure: Measure) -> NumericSource {
        NumericSource::of_distances(self.path, self.missing, measure)
    }

    pub fn begin_segment(&mut self, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.column = segment.reader.numeric(&self.path)?;
        Ok(())
    }

    /// Rows and places as the column has them.
    pub fn load(&mut self, docs: Docs<'_>) -> (&[u32], &[i64]) {
        self.loaded.load(self.column.as_ref(), docs, self.missing);
        (self.loaded.rows(), self.loaded.raw())
    }
}
