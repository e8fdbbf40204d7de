//! The order of buckets: `{"_count": "desc"}`, or several in a list.

use quidditch_engine::aggs::{BucketOrder, OrderKey};

use crate::coordination::dsl::{Json, ParseError};

/// Reads one order, or a list of them.
pub(super) fn parse(value: &Json<'_>) -> Result<Vec<BucketOrder>, ParseError> {
    let mut orders = Vec::new();
    for item in value.items_or_self() {
        orders.push(parse_one(&item)?);
    }
    Ok(orders)
}

fn parse_one(value: &Json<'_>) -> Result<BucketOrder, ParseError> {
    if !value.is_object() {
        return Err(value.parsing(format!("Unexpected token [{}] for [order]", value.token())));
    }
    let mut members = value.members();
    let Some((key, direction)) = members.next() else {
        return Err(value.parsing("Must specify at least one field for [order]"));
    };
    if let Some((second, at)) = members.next() {
        return Err(at.parsing(format!(
            "Must specify at most one field for [order], found [{key}] and [{second}]; use a list of objects"
        )));
    }
    if !direction.is_string() {
        return Err(direction.parsing(format!(
            "Unexpected token [{}] for [order]",
            direction.token()
        )));
    }
    let text = direction.text()?;
    let ascending = match text.to_ascii_lowercase().as_str() {
        "asc" => true,
        "desc" => false,
        _ => return Err(direction.parsing(format!("Unknown order direction [{text}]"))),
    };
    Ok(BucketOrder {
        by: OrderKey::parse(key),
        ascending,
    })
}
