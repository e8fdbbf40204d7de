//! What the settings of an index forbid a search.

use quidditch_engine::search::SearchError;

use super::dsl::aggs::check_limits;
use super::search_input::SearchInput;
use crate::cluster::index_metadata::IndexMetadata;

/// What the settings of an index forbid, as the shard would say it.
pub fn check_index_limits(input: &SearchInput, index: &IndexMetadata) -> Result<(), SearchError> {
    let settings = &index.schema.settings;
    let body = &input.body;
    let size = body.size.unwrap_or(10) as usize;
    let from = body.from.unwrap_or(0) as usize;
    let window = settings.max_result_window;
    if input.scroll.is_some() && size > window {
        return Err(SearchError::illegal(format!(
            "Batch size is too large, size must be less than or equal to: [{window}] but was [{size}]. Scroll batch \
             sizes cost as much memory as result windows so they are controlled by the [index.max_result_window] \
             index level setting."
        )));
    }
    if from + size > window {
        return Err(SearchError::illegal(format!(
            "Result window is too large, from + size must be less than or equal to: [{window}] but was [{}]. See the \
             scroll api for a more efficient way to request large data sets. This limit can be set by changing the \
             [index.max_result_window] index level setting.",
            from + size
        )));
    }
    check_limits(&body.aggs, settings)?;
    let asked = body.docvalue_fields.len();
    let allowed = settings.max_docvalue_fields_search;
    if asked > allowed {
        return Err(SearchError::illegal(format!(
            "Trying to retrieve too many docvalue_fields. Must be less than or equal to: [{allowed}] but was \
             [{asked}]. This limit can be set by changing the [index.max_docvalue_fields_search] index level setting."
        )));
    }
    if body.script_fields > settings.max_script_fields {
        return Err(SearchError::illegal(format!(
            "Trying to retrieve too many script_fields. Must be less than or equal to: [{}] but was [{}]. This limit \
             can be set by changing the [index.max_script_fields] index level setting.",
            settings.max_script_fields, body.script_fields
        )));
    }
    if body.script_fields > 0 {
        return Err(SearchError::illegal(
            "[script_fields] is not supported in a search body",
        ));
    }
    for pass in &body.rescore {
        let allowed = settings.max_rescore_window;
        if pass.window_size > allowed {
            return Err(SearchError::illegal(format!(
                "Rescore window [{}] is too large. It must be less than [{allowed}]. This prevents allocating massive \
                 heaps for storing the results to be rescored. This limit can be set by changing the \
                 [index.max_rescore_window] index level setting.",
                pass.window_size
            )));
        }
    }
    if !body.rescore.is_empty() && !input.sort_keys().is_empty() {
        return Err(SearchError::illegal(
            "Cannot use [sort] option in conjunction with [rescore].",
        ));
    }
    check_collapse(input, index)?;
    if let Some(slice) = &body.slice {
        if body.pit.is_some() {
            let set = index.setting("index.max_slices_per_pit");
            let allowed = set.and_then(|text| text.parse().ok()).unwrap_or(1024);
            check_slices(slice.max, allowed, "index.max_slices_per_pit")?;
        } else {
            let allowed = settings.max_slices_per_scroll;
            check_slices(slice.max, allowed, "index.max_slices_per_scroll")?;
        }
    }
    if body.search_after.is_some() && from > 0 {
        return Err(SearchError::illegal(
            "`from` parameter must be set to 0 when `search_after` is used.",
        ));
    }
    if let Some(after) = &body.search_after {
        let keys = input.sort_keys().len();
        if keys == 0 {
            return Err(SearchError::illegal(
                "Sort must contain at least one field.",
            ));
        }
        if keys != after.len() {
            return Err(SearchError::illegal(format!(
                "search_after has {} value(s) but sort has {keys}.",
                after.len()
            )));
        }
    }
    if body.slice.is_some() && input.scroll.is_none() && body.pit.is_none() {
        return Err(SearchError::illegal(
            "[slice] can only be used with [scroll] or [point-in-time] requests",
        ));
    }
    if body.search_after.is_some() && input.scroll.is_some() {
        return Err(SearchError::illegal(
            "`search_after` cannot be used in a scroll context.",
        ));
    }
    Ok(())
}

/// What does not go together with `collapse`.
fn check_collapse(input: &SearchInput, index: &IndexMetadata) -> Result<(), SearchError> {
    let Some(collapse) = &input.body.collapse else {
        return Ok(());
    };
    let body = &input.body;
    let refused = |what: &str| {
        Err(SearchError::illegal(format!(
            "cannot use `collapse` in {what}"
        )))
    };
    if input.scroll.is_some() {
        return refused("a scroll context");
    }
    if body.search_after.is_some() {
        return refused("conjunction with `search_after`");
    }
    if !body.rescore.is_empty() {
        return refused("conjunction with `rescore`");
    }
    let field = index.schema.mapping.field(&collapse.field);
    if !collapse.inner_hits.is_empty() && field.is_some_and(|field| !field.indexed()) {
        return Err(SearchError::illegal(format!(
            "cannot expand `inner_hits` for collapse field `{}`, only indexed field can retrieve `inner_hits`",
            collapse.field
        )));
    }
    Ok(())
}

/// Refuses more slices than a setting of an index allows.
pub fn check_slices(count: u32, allowed: usize, setting: &str) -> Result<(), SearchError> {
    if count as usize <= allowed {
        return Ok(());
    }
    Err(SearchError::illegal(format!(
        "The number of slices [{count}] is too large. It must be less than [{allowed}]. This limit can be set by \
         changing the [{setting}] index level setting."
    )))
}
