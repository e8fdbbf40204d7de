//! Dates: formats, date math, time zones.

use super::ValueError;

/// One or several date formats joined by `||`: parsing tries each, printing uses the first.
#[derive(Clone, Debug)]
pub struct DateFormat {}

#[allow(clippy::todo)]
impl DateFormat {
    /// Reads a format: built-in names and java.time patterns, joined by `||`.
    pub fn parse(_format: &str) -> Result<DateFormat, ValueError> {
        todo!()
    }

    /// Milliseconds of a date text, `now` and date math allowed.
    ///
    /// * `round_up`: missing parts and `/d` go to the last millisecond rather than the first.
    /// * `time_zone`: for texts that name none.
    pub fn parse_math(
        &self,
        _text: &str,
        _now_ms: i64,
        _round_up: bool,
        _time_zone: Option<&str>,
    ) -> Result<i64, ValueError> {
        todo!()
    }

    /// Text of a time, in UTC or the given zone.
    pub fn format(&self, _ms: i64, _time_zone: Option<&str>) -> Result<String, ValueError> {
        todo!()
    }
}
