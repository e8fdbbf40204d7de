//! The fields of a date as read from a text, and the way to a point in time.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use super::Instant;

/// Fields of a date; those not given are `None`.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    pub year: Option<i64>,
    pub month: Option<u8>,
    pub day: Option<u8>,
    pub day_of_year: Option<u16>,
    pub week_year: Option<i64>,
    pub week: Option<u8>,
    /// Monday is 1.
    pub weekday: Option<u8>,
    pub hour: Option<u8>,
    /// 1 to 12.
    pub hour12: Option<u8>,
    pub afternoon: Option<bool>,
    pub minute: Option<u8>,
    pub second: Option<u8>,
    pub nanos: Option<u32>,
    /// Seconds east of UTC.
    pub offset: Option<i32>,
    pub zone: Option<TimeZone>,
    /// A point in time given as a number.
    pub instant: Option<Instant>,
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
pub(super) fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let shifted = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of days since 1970-01-01: year, month, day.
pub(super) fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u8;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    } as u8;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

pub(super) fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

pub(super) fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Years that fit milliseconds in 64 bits with room to spare.
const YEAR_MAX: i64 = 200_000_000;

impl Parts {
    /// The point in time; `None` when the fields contradict the calendar.
    pub fn resolve(&self, round_up: bool, zone: Option<&TimeZone>) -> Option<Instant> {
        if let Some(instant) = self.instant {
            return Some(instant);
        }
        let days = self.days()?;
        let hour = match (self.hour, self.hour12, self.afternoon) {
            (Some(hour), _, _) => Some(hour),
            (None, Some(hour), afternoon) => {
                Some(hour % 12 + if afternoon == Some(true) { 12 } else { 0 })
            }
            _ => None,
        };
        let fill = |value: Option<u8>, last: u8| value.unwrap_or(if round_up { last } else { 0 });
        let mut days = days;
        let mut hour = fill(hour, 23);
        let minute = fill(self.minute, 59);
        let second = fill(self.second, 59);
        let nanos = self.nanos.unwrap_or(if round_up { 999_999_999 } else { 0 });
        if hour == 24 && minute == 0 && second == 0 && nanos == 0 {
            hour = 0;
            days += 1;
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let local =
            days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        let seconds = match (self.offset, self.zone.as_ref().or(zone)) {
            (Some(offset), _) => local - i64::from(offset),
            (None, Some(zone)) => local_to_utc(local, zone)?,
            (None, None) => local,
        };
        Some(Instant { seconds, nanos })
    }

    /// Days since the epoch of the date fields, missing ones filled with the first.
    fn days(&self) -> Option<i64> {
        if let Some(week_year) = self.week_year {
            if week_year.abs() > YEAR_MAX {
                return None;
            }
            let week = self.week.unwrap_or(1);
            let weekday = self.weekday.unwrap_or(1);
            if !(1..=53).contains(&week) || !(1..=7).contains(&weekday) {
                return None;
            }
            // Week 1 holds January 4th; weeks begin on Monday.
            let fourth = days_from_civil(week_year, 1, 4);
            let monday = fourth - (fourth + 3).rem_euclid(7);
            return Some(monday + i64::from(week - 1) * 7 + i64::from(weekday - 1));
        }
        let year = self.year.unwrap_or(1970);
        if year.abs() > YEAR_MAX {
            return None;
        }
        if let Some(day_of_year) = self.day_of_year {
            let last = if is_leap(year) { 366 } else { 365 };
            if day_of_year == 0 || day_of_year > last {
                return None;
            }
            return Some(days_from_civil(year, 1, 1) + i64::from(day_of_year) - 1);
        }
        let month = self.month.unwrap_or(1);
        let day = self.day.unwrap_or(1);
        if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
            return None;
        }
        let days = days_from_civil(year, month, day);
        if let Some(weekday) = self.weekday
            && (days + 3).rem_euclid(7) + 1 != i64::from(weekday)
        {
            return None;
        }
        Some(days)
    }

    /// All fields of a point in time, in UTC or a zone.
    pub fn of(instant: Instant, zone: Option<&TimeZone>) -> Parts {
        let offset = zone.map_or(0, |zone| offset_at(instant.seconds, zone));
        let local = instant.seconds.saturating_add(i64::from(offset));
        let days = local.div_euclid(86_400);
        let second_of_day = local.rem_euclid(86_400);
        let (year, month, day) = civil_from_days(days);
        let weekday = ((days + 3).rem_euclid(7) + 1) as u8;
        // The week belongs to the year that holds its Thursday.
        let thursday = days + 4 - i64::from(weekday);
        let (week_year, _, _) = civil_from_days(thursday);
        let week = ((thursday - days_from_civil(week_year, 1, 1)) / 7 + 1) as u8;
        let hour = (second_of_day / 3600) as u8;
        Parts {
            year: Some(year),
            month: Some(month),
            day: Some(day),
            day_of_year: Some((days - days_from_civil(year, 1, 1) + 1) as u16),
            week_year: Some(week_year),
            week: Some(week),
            weekday: Some(weekday),
            hour: Some(hour),
            hour12: Some(if hour.is_multiple_of(12) {
                12
            } else {
                hour % 12
            }),
            afternoon: Some(hour >= 12),
            minute: Some((second_of_day / 60 % 60) as u8),
            second: Some((second_of_day % 60) as u8),
            nanos: Some(instant.nanos),
            offset: Some(offset),
            zone: zone.cloned(),
            instant: Some(instant),
        }
    }
}

/// Seconds east of UTC at a point in time.
pub(super) fn offset_at(seconds: i64, zone: &TimeZone) -> i32 {
    // Rules beyond jiff's calendar (year 9999) are taken as of its end.
    let timestamp = Timestamp::from_second(seconds).unwrap_or(if seconds > 0 {
        Timestamp::MAX
    } else {
        Timestamp::MIN
    });
    zone.to_offset(timestamp).seconds()
}

/// UTC seconds of local seconds; gaps move forwards, folds take the earlier one.
pub(super) fn local_to_utc(local: i64, zone: &TimeZone) -> Option<i64> {
    let days = local.div_euclid(86_400);
    let (year, month, day) = civil_from_days(days);
    let Ok(year) = i16::try_from(year) else {
        return Some(local - i64::from(offset_at(local, zone)));
    };
    let Ok(date) = Date::new(year, month as i8, day as i8) else {
        return Some(local - i64::from(offset_at(local, zone)));
    };
    let second = local.rem_euclid(86_400);
    let time = Time::new(
        (second / 3600) as i8,
        (second / 60 % 60) as i8,
        (second % 60) as i8,
        0,
    )
    .ok()?;
    let at = zone
        .to_ambiguous_timestamp(DateTime::from_parts(date, time))
        .compatible()
        .ok()?;
    Some(at.as_second())
}

/// A fixed offset as a zone.
pub(super) fn fixed_zone(seconds: i32) -> Option<TimeZone> {
    Some(TimeZone::fixed(Offset::from_seconds(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn days_and_dates_are_inverse(days in -10_000_000i64..10_000_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
