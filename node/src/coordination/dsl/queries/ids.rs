//! `{"values": ["1", "2"]}`: documents by their names.

use quidditch_engine::query::{IdsQuery, Query};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `ids`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "ids";
    let mut query = IdsQuery::new(Vec::new());
    for (key, value) in body.members() {
        match key {
            "values" => {
                for item in value.items_or_self() {
                    if !matches!(item.token(), "VALUE_STRING" | "VALUE_NUMBER") {
                        return Err(super::wrong_type(NAME, &value, &item));
                    }
                    query.values.push(item.text()?);
                }
            }
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => {
                return Err(super::unknown_field(
                    NAME,
                    &value,
                    &["values", "boost", "_name"],
                ));
            }
        }
    }
    Ok(Query::Ids(query))
}
