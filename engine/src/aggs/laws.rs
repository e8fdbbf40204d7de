//! Laws that hold for all aggregations.
