//! Dates rounded down to calendar units or fixed intervals, in a time zone.
//!
//! A bucket's key is the first instant of its interval: for units of a day and longer the first instant of that local
//! day, which need not be midnight where clocks jump at midnight; for shorter units and for fixed intervals the
//! local time rounded down, never across a change of the clocks.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Buckets that are prepared ahead at most.
const PREPARED_MAX: usize = 4096;

/// A unit of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum CalendarUnit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl CalendarUnit {
    /// Milliseconds that one usually has: a month of 30 days, a year of 365.
    pub fn typical_ms(self) -> i64 {
        match self {
            CalendarUnit::Month => 30 * DAY,
            CalendarUnit::Quarter => 90 * DAY,
            CalendarUnit::Year => 365 * DAY,
            fixed => fixed.fixed_ms().unwrap_or(7 * DAY),
        }
    }

    /// Reads `1M`, `month` and the like.
    pub fn parse(text: &str) -> Option<CalendarUnit> {
        Some(match text {
            "1s" | "second" => CalendarUnit::Second,
            "1m" | "minute" => CalendarUnit::Minute,
            "1h" | "hour" => CalendarUnit::Hour,
            "1d" | "day" => CalendarUnit::Day,
            "1w" | "week" => CalendarUnit::Week,
            "1M" | "month" => CalendarUnit::Month,
            "1q" | "quarter" => CalendarUnit::Quarter,
            "1y" | "year" => CalendarUnit::Year,
            _ => return None,
        })
    }

    /// The length of a unit that is always the same, in UTC.
    fn fixed_ms(self) -> Option<i64> {
        Some(match self {
            CalendarUnit::Second => SECOND,
            CalendarUnit::Minute => MINUTE,
            CalendarUnit::Hour => HOUR,
            CalendarUnit::Day => DAY,
            CalendarUnit::Week
            | CalendarUnit::Month
            | CalendarUnit::Quarter
            | CalendarUnit::Year => return None,
        })
    }
}

/// How long the intervals are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interval {
    /// One unit of the calendar.
    Calendar(CalendarUnit),
    /// Milliseconds, at least 1.
    Fixed(i64),
}

/// Rounds times down to the start of their interval.
#[derive(Clone, Debug)]
pub struct Rounding {
    interval: Interval,
    zone: TimeZone,
    /// The zone's distance from UTC, when it never changes.
    fixed_offset_ms: Option<i64>,
    offset_ms: i64,
    /// Starts of all intervals between two times, ascending; see [`Rounding::prepare`].
    prepared: Vec<i64>,
}

/// Finds a zone by name or offset: `Europe/Paris`, `UTC`, `Z`, `+01:00`, `-0730`, `UTC+2`.
pub(crate) fn parse_zone(text: &str) -> Option<TimeZone> {
    if text == "Z" || text == "UTC" || text == "GMT" {
        return Some(TimeZone::UTC);
    }
    let bare = text
        .strip_prefix("UTC")
        .or_else(|| text.strip_prefix("GMT"))
        .unwrap_or(text);
    if let Some(digits) = bare.strip_prefix(['+', '-']) {
        let mut parts: Vec<&str> = digits.split(':').collect();
        if parts.len() == 1 && digits.len() == 4 && digits.is_ascii() {
            parts = vec![&digits[..2], &digits[2..]];
        }
        if parts.len() > 3 {
            return None;
        }
        let mut seconds = 0;
        for (part, scale) in parts.iter().zip([3600, 60, 1]) {
            if part.is_empty() || part.len() > 2 {
                return None;
            }
            seconds += part.parse::<i32>().ok()? * scale;
        }
        if seconds > 18 * 3600 {
            return None;
        }
        let seconds = if bare.starts_with('-') {
            -seconds
        } else {
            seconds
        };
        return jiff::tz::Offset::from_seconds(seconds)
            .ok()
            .map(TimeZone::fixed);
    }
    TimeZone::get(text).ok()
}

impl Rounding {
    /// `offset_ms` moves every start.
    pub fn new(interval: Interval, zone: TimeZone, offset_ms: i64) -> Rounding {
        let fixed_offset_ms = zone
            .to_fixed_offset()
            .ok()
            .map(|offset| i64::from(offset.seconds()) * 1000);
        Rounding {
            interval,
            zone,
            fixed_offset_ms,
            offset_ms,
            prepared: Vec::new(),
        }
    }

    /// Computes the starts between two times once, so that rounding in between is a search. Does nothing where
    /// rounding is cheap anyway or the starts are too many.
    pub fn prepare(&mut self, min: i64, max: i64) {
        self.prepared.clear();
        if self.is_plain_division() || min > max {
            return;
        }
        let mut starts = Vec::new();
        let mut start = self.round(min);
        while start <= max {
            if starts.len() == PREPARED_MAX {
                return;
            }
            starts.push(start);
            start = self.next(start);
        }
        // the end of the last interval, up to which a time may be looked up
        starts.push(start);
        self.prepared = starts;
    }

    /// The length of all intervals, where they are alike.
    pub(crate) fn even_length(&self) -> Option<i64> {
        self.fixed_offset_ms.and(self.fixed_ms())
    }

    /// The starts of all prepared intervals, and the end of the last.
    pub(crate) fn prepared(&self) -> &[i64] {
        &self.prepared
    }

    fn is_plain_division(&self) -> bool {
        self.even_length().is_some()
    }

    fn fixed_ms(&self) -> Option<i64> {
        match self.interval {
            Interval::Fixed(ms) => Some(ms.max(1)),
            Interval::Calendar(unit) => unit.fixed_ms(),
        }
    }

    /// The start of the interval that holds a time.
    pub fn round(&self, ms: i64) -> i64 {
        if let (Some(first), Some(end)) = (self.prepared.first(), self.prepared.last())
            && *first <= ms
            && ms < *end
        {
            let after = self.prepared.partition_point(|start| *start <= ms);
            return self.prepared[after - 1];
        }
        self.round_unmoved(ms.saturating_sub(self.offset_ms))
            .saturating_add(self.offset_ms)
    }

    /// The start of the interval after the one that starts at `start`; always later.
    pub fn next(&self, start: i64) -> i64 {
        let unmoved = start.saturating_sub(self.offset_ms);
        self.next_unmoved(unmoved)
            .saturating_add(self.offset_ms)
            .max(start.saturating_add(1))
    }

    fn round_unmoved(&self, ms: i64) -> i64 {
        if let (Some(offset), Some(length)) = (self.fixed_offset_ms, self.fixed_ms()) {
            let local = ms.saturating_add(offset);
            return local
                .div_euclid(length)
                .saturating_mul(length)
                .saturating_sub(offset);
        }
        match self.interval {
            Interval::Calendar(unit) => match unit.fixed_ms() {
                Some(length) if length < DAY => self.round_local(ms, length),
                _ => self.round_calendar(ms, unit),
            },
            Interval::Fixed(length) => self.round_local(ms, length.max(1)),
        }
    }

    /// First instant of the local day that starts the unit.
    fn round_calendar(&self, ms: i64, unit: CalendarUnit) -> i64 {
        match local_of(&self.zone, ms) {
            Some(local) => first_instant(&self.zone, start_of_unit(local, unit)).unwrap_or(ms),
            None => ms,
        }
    }

    /// Local time rounded down by a fixed length, not across a change of the clocks.
    fn round_local(&self, original: i64, length: i64) -> i64 {
        let mut ms = original;
        // each turn steps behind an earlier transition; zones do not change their clocks that often
        for _ in 0..64 {
            let Ok(instant) = Timestamp::from_millisecond(ms) else {
                return ms;
            };
            let offset = i64::from(self.zone.to_offset(instant).seconds()) * 1000;
            let local = ms
                .saturating_add(offset)
                .div_euclid(length)
                .saturating_mul(length);
            let Some(local_time) = civil_of(local) else {
                return ms;
            };
            let candidates: [Option<i64>; 2] =
                match self.zone.to_ambiguous_timestamp(local_time).offset() {
                    AmbiguousOffset::Unambiguous { offset } => {
                        [Some(i64::from(offset.seconds()) * 1000), None]
                    }
                    AmbiguousOffset::Fold { before, after } => [
                        Some(i64::from(after.seconds()) * 1000),
                        Some(i64::from(before.seconds()) * 1000),
                    ],
                    // the rounded time does not exist: the interval starts where the clocks jumped
                    AmbiguousOffset::Gap { before, .. } => {
                        let inside = local.saturating_sub(i64::from(before.seconds()) * 1000);
                        return transition_at_or_before(&self.zone, inside).unwrap_or(inside);
                    }
                };
            let transition = transition_at_or_before(&self.zone, ms);
            let mut again = None;
            for candidate in candidates.into_iter().flatten() {
                let start = local.saturating_sub(candidate);
                if let Some(transition) = transition
                    && start < transition
                {
                    again = Some(transition - 1);
                    break;
                }
                if start <= ms {
                    return start;
                }
            }
            match again {
                Some(earlier) => ms = earlier,
                None => return ms,
            }
        }
        ms
    }

    fn next_unmoved(&self, start: i64) -> i64 {
        if let (Some(_), Some(length)) = (self.fixed_offset_ms, self.fixed_ms()) {
            return start.saturating_add(length);
        }
        if let Interval::Calendar(unit) = self.interval
            && unit.fixed_ms().is_none_or(|length| length == DAY)
        {
            let next = local_of(&self.zone, start).and_then(|local| {
                let local = start_of_unit(local, unit);
                let later = match unit {
                    CalendarUnit::Week => local.checked_add(jiff::Span::new().weeks(1)),
                    CalendarUnit::Month => local.checked_add(jiff::Span::new().months(1)),
                    CalendarUnit::Quarter => local.checked_add(jiff::Span::new().months(3)),
                    CalendarUnit::Year => local.checked_add(jiff::Span::new().years(1)),
                    _ => local.checked_add(jiff::Span::new().days(1)),
                };
                first_instant(&self.zone, later.ok()?)
            });
            return next.unwrap_or(i64::MAX);
        }
        let length = self.fixed_ms().unwrap_or(1);
        // the next start is one length away, give or take a change of the clocks
        let near = self.round_unmoved(start.saturating_add(length));
        if near > start {
            return near;
        }
        for extra in [HOUR / 2, HOUR, 2 * HOUR, DAY] {
            let later = self.round_unmoved(start.saturating_add(length).saturating_add(extra));
            if later > start {
                return later;
            }
        }
        start.saturating_add(length)
    }
}

fn local_of(zone: &TimeZone, ms: i64) -> Option<DateTime> {
    Timestamp::from_millisecond(ms)
        .ok()
        .map(|instant| zone.to_datetime(instant))
}

fn civil_of(local_ms: i64) -> Option<DateTime> {
    local_of(&TimeZone::UTC, local_ms)
}

fn start_of_unit(local: DateTime, unit: CalendarUnit) -> DateTime {
    let date = local.date();
    let start = match unit {
        CalendarUnit::Second => return local.round(Unit::Second).unwrap_or(local),
        CalendarUnit::Minute | CalendarUnit::Hour | CalendarUnit::Day => date,
        CalendarUnit::Week => {
            let days = i64::from(date.weekday().to_monday_zero_offset());
            date.checked_sub(jiff::Span::new().days(days))
                .unwrap_or(date)
        }
        CalendarUnit::Month => date.first_of_month(),
        CalendarUnit::Quarter => {
            let month = (date.month() - 1) / 3 * 3 + 1;
            jiff::civil::Date::new(date.year(), month, 1).unwrap_or(date)
        }
        CalendarUnit::Year => date.first_of_year(),
    };
    start.to_datetime(jiff::civil::Time::midnight())
}

/// The first instant at or after a local time: of two the earlier; in a gap its end.
fn first_instant(zone: &TimeZone, local: DateTime) -> Option<i64> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let instant = match ambiguous.offset() {
        AmbiguousOffset::Gap { before, .. } => {
            let inside = before.to_timestamp(local).ok()?;
            return transition_at_or_before(zone, inside.as_millisecond());
        }
        _ => ambiguous.compatible().ok()?,
    };
    Some(instant.as_millisecond())
}

/// The last change of the clocks not after a time.
fn transition_at_or_before(zone: &TimeZone, ms: i64) -> Option<i64> {
    let after = Timestamp::from_millisecond(ms.saturating_add(1)).ok()?;
    zone.preceding(after)
        .next()
        .map(|transition| transition.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(interval: Interval, zone: &str, offset_ms: i64, time: &str, expected: &str) {
        let zone = parse_zone(zone).unwrap();
        let mut rounding = Rounding::new(interval, zone, offset_ms);
        let ms = time.parse::<Timestamp>().unwrap().as_millisecond();
        let expected = expected.parse::<Timestamp>().unwrap();
        assert_eq!(
            Timestamp::from_millisecond(rounding.round(ms)).unwrap(),
            expected,
            "{time}"
        );
        rounding.prepare(ms - 3 * DAY, ms + DAY);
        assert_eq!(
            Timestamp::from_millisecond(rounding.round(ms)).unwrap(),
            expected,
            "{time}, prepared"
        );
    }

    #[test]
    fn calendar_units_in_utc() {
        use CalendarUnit::*;
        let time = "2026-11-25T13:47:12.345Z";
        for (unit, expected) in [
            (Second, "2026-11-25T13:47:12Z"),
            (Minute, "2026-11-25T13:47:00Z"),
            (Hour, "2026-11-25T13:00:00Z"),
            (Day, "2026-11-25T00:00:00Z"),
            (Week, "2026-11-23T00:00:00Z"),
            (Month, "2026-11-01T00:00:00Z"),
            (Quarter, "2026-10-01T00:00:00Z"),
            (Year, "2026-01-01T00:00:00Z"),
        ] {
            check(Interval::Calendar(unit), "UTC", 0, time, expected);
        }
    }

    #[test]
    fn days_of_a_zone_with_summer_time() {
        let day = Interval::Calendar(CalendarUnit::Day);
        check(
            day,
            "Europe/Paris",
            0,
            "2026-03-29T12:00:00Z",
            "2026-03-28T23:00:00Z",
        );
        check(
            day,
            "Europe/Paris",
            0,
            "2026-03-30T12:00:00Z",
            "2026-03-29T22:00:00Z",
        );
        // Sao Paulo's clocks jumped at midnight: the day began at 01:00
        check(
            day,
            "America/Sao_Paulo",
            0,
            "2018-11-04T12:00:00Z",
            "2018-11-04T03:00:00Z",
        );
    }

    #[test]
    fn hours_and_intervals_do_not_cross_a_change() {
        let hour = Interval::Calendar(CalendarUnit::Hour);
        check(
            hour,
            "Europe/Paris",
            0,
            "2026-10-25T01:30:00Z",
            "2026-10-25T01:00:00Z",
        );
        check(
            hour,
            "Europe/Paris",
            0,
            "2026-10-25T00:30:00Z",
            "2026-10-25T00:00:00Z",
        );
        let three_hours = Interval::Fixed(3 * HOUR);
        check(
            three_hours,
            "Europe/Paris",
            0,
            "2026-07-01T12:30:00Z",
            "2026-07-01T10:00:00Z",
        );
        check(
            Interval::Fixed(1),
            "America/Phoenix",
            0,
            "2016-01-01T00:00:00Z",
            "2016-01-01T00:00:00Z",
        );
    }

    #[test]
    fn an_offset_moves_the_start() {
        let day = Interval::Calendar(CalendarUnit::Day);
        check(
            day,
            "UTC",
            6 * HOUR,
            "2026-01-02T05:00:00Z",
            "2026-01-01T06:00:00Z",
        );
        check(
            day,
            "UTC",
            6 * HOUR,
            "2026-01-02T07:00:00Z",
            "2026-01-02T06:00:00Z",
        );
    }

    #[test]
    fn the_next_start_rounds_to_itself() {
        for zone in [
            "UTC",
            "Europe/Paris",
            "America/Sao_Paulo",
            "Australia/Lord_Howe",
            "+05:30",
        ] {
            for interval in [
                Interval::Calendar(CalendarUnit::Hour),
                Interval::Calendar(CalendarUnit::Day),
                Interval::Calendar(CalendarUnit::Week),
                Interval::Calendar(CalendarUnit::Month),
                Interval::Fixed(90 * MINUTE),
                Interval::Fixed(DAY),
            ] {
                let rounding = Rounding::new(interval, parse_zone(zone).unwrap(), 0);
                let mut start = rounding.round(1_540_000_000_000);
                for _ in 0..500 {
                    let next = rounding.next(start);
                    assert!(next > start, "{zone} {interval:?} {start}");
                    assert_eq!(rounding.round(next), next, "{zone} {interval:?}");
                    assert_eq!(
                        rounding.round(next - 1),
                        start,
                        "{zone} {interval:?} {next}"
                    );
                    start = next;
                }
            }
        }
    }

    #[test]
    fn zones_are_read_as_names_and_offsets() {
        for zone in ["UTC", "Z", "+01:00", "-0730", "UTC+2", "Europe/Paris", "+1"] {
            assert!(parse_zone(zone).is_some(), "{zone}");
        }
        for zone in ["", "Mars/Base", "+99:00", "+1:2:3:4"] {
            assert!(parse_zone(zone).is_none(), "{zone}");
        }
    }
}
