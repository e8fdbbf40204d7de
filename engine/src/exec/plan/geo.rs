//! Plans of queries for places.

use super::Planner;
use crate::exec::node::{DocsNode, Node};
use crate::geo::GeoArea;
use crate::query::{GeoClause, GeoQuery, GeoShape};
use crate::schema::FieldKind;
use crate::search::SearchError;

impl Planner<'_> {
    pub(super) fn geo(&mut self, query: &GeoQuery, boost: f32) -> Result<Node, SearchError> {
        let path = &query.field;
        let Some(field) = self.field(path) else {
            if query.ignore_unmapped {
                return Ok(Node::Nothing);
            }
            return Err(SearchError::query_shard(match query.written_as {
                GeoClause::BoundingBox => format!("failed to find geo field [{path}]"),
                GeoClause::Distance => format!("failed to find geo_point field [{path}]"),
                GeoClause::Shape => format!("failed to find type for field [{path}]"),
            }));
        };
        if field.kind() != FieldKind::GeoPoint {
            let kind = field.type_name();
            return Err(SearchError::query_shard(match query.written_as {
                GeoClause::BoundingBox => format!(
                    "type [{kind}] for field [{path}] is not supported for [geo_bounding_box] queries. \
                     Must be one of [geo_point] or [geo_shape]"
                ),
                GeoClause::Distance => format!("field [{path}] is not a geo_point field"),
                GeoClause::Shape => format!(
                    "Field [{path}] is of unsupported type [{kind}]. [geo_shape] query supports the following types [geo_shape,geo_point]"
                ),
            }));
        }
        super::leaf::check_searchable(&field)?;
        self.count_leaf()?;
        let area = match query.shape {
            GeoShape::Box(area) => GeoArea::of_box(&area),
            GeoShape::Circle {
                centre,
                radius,
                plane,
            } => GeoArea::Circle {
                centre,
                radius,
                plane,
            },
        };
        let docs = DocsNode::Places {
            field: field.path().into(),
            area,
            rule: query.rule,
        };
        // the reference runs a shape over points as a filter: it adds nothing to the score
        let score = match query.written_as {
            GeoClause::Shape => 0.0,
            _ => boost,
        };
        Ok(Node::constant(docs, score))
    }
}
