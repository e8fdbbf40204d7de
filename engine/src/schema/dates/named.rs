//! Built-in date formats by name, as java.time letters.

/// Name without `strict_`, pattern. In the strict form numbers have exactly as many digits as letters; else at least one.
const NAMED: &[(&str, &str)] = &[
    ("basic_date", "yyyyMMdd"),
    ("basic_date_time", "yyyyMMdd'T'HHmmss.SSSX"),
    ("basic_date_time_no_millis", "yyyyMMdd'T'HHmmssX"),
    ("basic_ordinal_date", "yyyyDDD"),
    ("basic_ordinal_date_time", "yyyyDDD'T'HHmmss.SSSX"),
    ("basic_ordinal_date_time_no_millis", "yyyyDDD'T'HHmmssX"),
    ("basic_time", "HHmmss.SSSX"),
    ("basic_time_no_millis", "HHmmssX"),
    ("basic_t_time", "'T'HHmmss.SSSX"),
    ("basic_t_time_no_millis", "'T'HHmmssX"),
    ("basic_week_date", "YYYY'W'wwe"),
    ("basic_week_date_time", "YYYY'W'wwe'T'HHmmss.SSSX"),
    ("basic_week_date_time_no_millis", "YYYY'W'wwe'T'HHmmssX"),
    ("date", "yyyy-MM-dd"),
    ("date_hour", "yyyy-MM-dd'T'HH"),
    ("date_hour_minute", "yyyy-MM-dd'T'HH:mm"),
    ("date_hour_minute_second", "yyyy-MM-dd'T'HH:mm:ss"),
    (
        "date_hour_minute_second_fraction",
        "yyyy-MM-dd'T'HH:mm:ss.SSS",
    ),
    (
        "date_hour_minute_second_millis",
        "yyyy-MM-dd'T'HH:mm:ss.SSS",
    ),
    ("date_time", "yyyy-MM-dd'T'HH:mm:ss.SSSX"),
    ("date_time_no_millis", "yyyy-MM-dd'T'HH:mm:ssX"),
    ("hour", "HH"),
    ("hour_minute", "HH:mm"),
    ("hour_minute_second", "HH:mm:ss"),
    ("hour_minute_second_fraction", "HH:mm:ss.SSS"),
    ("hour_minute_second_millis", "HH:mm:ss.SSS"),
    ("ordinal_date", "yyyy-DDD"),
    ("ordinal_date_time", "yyyy-DDD'T'HH:mm:ss.SSSX"),
    ("ordinal_date_time_no_millis", "yyyy-DDD'T'HH:mm:ssX"),
    ("time", "HH:mm:ss.SSSX"),
    ("time_no_millis", "HH:mm:ssX"),
    ("t_time", "'T'HH:mm:ss.SSSX"),
    ("t_time_no_millis", "'T'HH:mm:ssX"),
    ("week_date", "YYYY-'W'ww-e"),
    ("week_date_time", "YYYY-'W'ww-e'T'HH:mm:ss.SSSX"),
    ("week_date_time_no_millis", "YYYY-'W'ww-e'T'HH:mm:ssX"),
    ("weekyear", "YYYY"),
    ("week_year", "YYYY"),
    ("weekyear_week", "YYYY-'W'ww"),
    ("weekyear_week_day", "YYYY-'W'ww-e"),
    ("year", "yyyy"),
    ("year_month", "yyyy-MM"),
    ("year_month_day", "yyyy-MM-dd"),
    (
        "rfc3339_lenient",
        "yyyy[-MM[-dd['T'HH:mm[:ss[.SSSSSSSSS]]X]]]",
    ),
];

/// The letters of a named format, and whether digits are counted strictly; camel case was the old spelling.
pub(super) fn find(name: &str) -> Option<(&'static str, bool)> {
    let (bare, strict) = match name.strip_prefix("strict_") {
        Some(bare) => (bare, true),
        None => (name, name.starts_with("basic_")),
    };
    NAMED
        .iter()
        .find(|(row, _)| *row == bare)
        .map(|(_, letters)| (*letters, strict))
}
