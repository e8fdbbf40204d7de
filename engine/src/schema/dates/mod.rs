//! Dates: formats, date math, time zones.
//!
//! A format is one or several patterns joined by `||`; a pattern is a built-in name or letters as of java.time.

mod civil;
mod math;
mod named;
mod pattern;
mod zone;

pub use zone::parse_time_zone;

use jiff::tz::TimeZone;

use super::ValueError;
use civil::Parts;
use pattern::Pattern;

/// A point in time: seconds since the epoch, and nanoseconds from 0 to 999,999,999 after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
}

impl Instant {
    /// Milliseconds since the epoch, rounded down.
    pub fn millis(self) -> i64 {
        self.seconds
            .saturating_mul(1000)
            .saturating_add(i64::from(self.nanos / 1_000_000))
    }

    /// Nanoseconds since the epoch; `None` before 1677 and after 2262.
    pub fn nanos_since_epoch(self) -> Option<i64> {
        let total = i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos);
        i64::try_from(total).ok()
    }

    /// From milliseconds.
    pub fn from_millis(ms: i64) -> Instant {
        Instant {
            seconds: ms.div_euclid(1000),
            nanos: ms.rem_euclid(1000) as u32 * 1_000_000,
        }
    }

    /// From nanoseconds.
    pub fn from_nanos(ns: i64) -> Instant {
        Instant {
            seconds: ns.div_euclid(1_000_000_000),
            nanos: ns.rem_euclid(1_000_000_000) as u32,
        }
    }
}

/// The format of date fields that name none.
pub const DEFAULT_FORMAT: &str = "strict_date_optional_time||epoch_millis";

/// One or several date patterns joined by `||`: parsing tries each, printing uses the first.
#[derive(Clone, Debug)]
pub struct DateFormat {
    text: String,
    patterns: Vec<Pattern>,
}

impl DateFormat {
    /// Reads a format: built-in names and java.time patterns, joined by `||`.
    pub fn parse(format: &str) -> Result<DateFormat, ValueError> {
        let mut patterns = Vec::new();
        for part in format.split("||") {
            if part.is_empty() {
                return Err(ValueError::illegal("No date pattern provided".to_owned()));
            }
            // A leading 8 marked java.time patterns once.
            patterns.push(Pattern::parse(part.strip_prefix('8').unwrap_or(part))?);
        }
        Ok(DateFormat {
            text: format.to_owned(),
            patterns,
        })
    }

    /// The format as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads a date without date math; what it leaves out is filled with the earliest, or rounding up the latest, time.
    pub fn parse_instant(
        &self,
        text: &str,
        round_up: bool,
        zone: Option<&TimeZone>,
    ) -> Result<Instant, ValueError> {
        for pattern in &self.patterns {
            if let Some(parts) = pattern.read(text)
                && let Some(instant) = parts.resolve(round_up, zone)
            {
                return Ok(instant);
            }
        }
        let cause = if self.patterns.len() > 1 {
            "Failed to parse with all enclosed parsers".to_owned()
        } else {
            format!("Text '{text}' could not be parsed at index 0")
        };
        Err(ValueError::illegal(format!(
            "failed to parse date field [{text}] with format [{}]",
            self.text
        ))
        .caused_by(ValueError::new("date_time_parse_exception", cause)))
    }

    /// A point in time from a date text, `now` and date math allowed.
    pub fn parse_math_instant(
        &self,
        text: &str,
        now_ms: i64,
        round_up: bool,
        time_zone: Option<&str>,
    ) -> Result<Instant, ValueError> {
        let zone = time_zone.map(parse_time_zone).transpose()?;
        math::parse(self, text, now_ms, round_up, zone.as_ref())
    }

    /// Milliseconds of a date text, `now` and date math allowed.
    ///
    /// * `round_up`: missing parts and `/d` go to the last millisecond rather than the first.
    /// * `time_zone`: for texts that name none.
    pub fn parse_math(
        &self,
        text: &str,
        now_ms: i64,
        round_up: bool,
        time_zone: Option<&str>,
    ) -> Result<i64, ValueError> {
        Ok(self
            .parse_math_instant(text, now_ms, round_up, time_zone)?
            .millis())
    }

    /// Text of a time in milliseconds, in UTC or the given zone.
    pub fn format(&self, ms: i64, time_zone: Option<&str>) -> Result<String, ValueError> {
        self.format_instant(Instant::from_millis(ms), time_zone)
    }

    /// Text of a point in time, in UTC or the given zone.
    pub fn format_instant(
        &self,
        instant: Instant,
        time_zone: Option<&str>,
    ) -> Result<String, ValueError> {
        let zone = time_zone.map(parse_time_zone).transpose()?;
        let parts = Parts::of(instant, zone.as_ref());
        let mut out = String::new();
        match self.patterns.first() {
            Some(pattern) => pattern.write(&parts, instant, &mut out),
            None => return Err(ValueError::illegal("No date pattern provided".to_owned())),
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(format: &str, text: &str) -> i64 {
        DateFormat::parse(format)
            .unwrap()
            .parse_math(text, 0, false, None)
            .unwrap()
    }

    #[test]
    fn default_format_reads_iso_and_millis() {
        let t = 1_420_070_400_000;
        assert_eq!(ms(DEFAULT_FORMAT, "2015-01-01"), t);
        assert_eq!(ms(DEFAULT_FORMAT, "2015"), t);
        assert_eq!(ms(DEFAULT_FORMAT, "2015-01-01T00:00:00Z"), t);
        assert_eq!(ms(DEFAULT_FORMAT, "2015-01-01T01:00+01:00"), t);
        assert_eq!(
            ms(DEFAULT_FORMAT, "2015-01-01T12:10:30.123Z"),
            t + 43_830_123
        );
        assert_eq!(ms(DEFAULT_FORMAT, "1420070400001"), t + 1);
        assert_eq!(ms(DEFAULT_FORMAT, "-1"), -1);
    }

    #[test]
    fn custom_patterns() {
        let t = 1_420_070_400_000;
        assert_eq!(ms("yyyy/MM/dd HH:mm:ss||yyyy/MM/dd", "2015/01/01"), t);
        assert_eq!(ms("dd MMM yyyy", "01 Jan 2015"), t);
        assert_eq!(
            ms("dd/MMM/yyyy:HH:mm:ss Z", "01/Jan/2015:01:00:00 +0100"),
            t
        );
        assert_eq!(ms("epoch_second", "1420070400"), t);
        assert_eq!(ms("basic_date", "20150101"), t);
        assert_eq!(ms("hh:mm a, d.M.uuuu", "12:00 AM, 1.1.2015"), t);
        assert_eq!(ms("strict_ordinal_date", "2015-001"), t);
        assert_eq!(ms("strict_weekyear_week_day", "2015-W01-4"), t);
    }

    #[test]
    fn numbers_that_touch_share_their_digits_as_java_does() {
        let day = 1_420_070_400_000;
        assert_eq!(
            ms("yyyyMMddHHmmssSSS", "20150101010203004"),
            day + 3_723_004
        );
        assert_eq!(ms("yyyyMMdd Hmm", "20150101 130"), day + 5_400_000);
        assert_eq!(ms("yyyyMMdd Hmm", "20150101 1230"), day + 45_000_000);
        assert_eq!(ms("yyyy-MM-dd", "+12015-01-01"), ms("u-M-d", "12015-1-1"));
        for bad in ["12015-01-01", "+2015-01-01", "215-01-01"] {
            let format = DateFormat::parse("yyyy-MM-dd").unwrap();
            assert!(format.parse_instant(bad, false, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_letter_of_hours_counts_from_its_own_number() {
        for (pattern, midnight, noon) in [
            ("HH", "00", "12"),
            ("kk", "24", "12"),
            ("hh a", "12 AM", "12 PM"),
            ("KK a", "00 AM", "00 PM"),
        ] {
            let format = DateFormat::parse(pattern).unwrap();
            for (text, hour) in [(midnight, 0), (noon, 12)] {
                let at = format.parse_instant(text, false, None).unwrap();
                assert_eq!(at.seconds, hour * 3600, "{pattern} {text}");
                assert_eq!(format.format_instant(at, None).unwrap(), text, "{pattern}");
            }
        }
        for (pattern, bad) in [("kk", "00"), ("KK a", "12 AM"), ("hh a", "00 AM")] {
            let format = DateFormat::parse(pattern).unwrap();
            assert!(
                format.parse_instant(bad, false, None).is_err(),
                "{pattern} {bad}"
            );
        }
    }

    #[test]
    fn optional_parts_may_stay_open_and_nest_within_reason() {
        let t = 1_420_070_400_000;
        for text in ["2015", "2015-01", "2015-01-01"] {
            assert_eq!(ms("yyyy[-MM[-dd", text), t, "{text}");
        }
        let nested = |levels: usize| format!("{}yyyy{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(ms(&nested(32), "2015"), t);
        for levels in [33, 300_000] {
            let error = DateFormat::parse(&nested(levels)).unwrap_err();
            assert!(error.reason.contains("in more than 32 levels"), "{levels}");
        }
        let open = DateFormat::parse(&"[".repeat(300_000));
        assert!(open.is_err());
    }

    #[test]
    fn bad_dates_say_so() {
        let format = DateFormat::parse("strict_date").unwrap();
        for bad in [
            "2015-1-1",
            "2015-13-01",
            "2015-02-30",
            "abc",
            "2015-01-01x",
            "",
        ] {
            assert!(format.parse_instant(bad, false, None).is_err(), "{bad}");
        }
        let error = format.parse_instant("abc", false, None).unwrap_err();
        assert_eq!(
            error.reason,
            "failed to parse date field [abc] with format [strict_date]"
        );
        assert!(DateFormat::parse("nope_nope").is_err());
    }

    #[test]
    fn round_up_fills_the_time_of_day() {
        let format = DateFormat::parse(DEFAULT_FORMAT).unwrap();
        let up = |text| format.parse_math(text, 0, true, None).unwrap();
        let day = 86_400_000;
        assert_eq!(up("2015-01-01"), 1_420_070_400_000 + day - 1);
        assert_eq!(up("2015-01"), 1_420_070_400_000 + day - 1);
        assert_eq!(up("2015-01-01||/M"), 1_420_070_400_000 + 31 * day - 1);
    }

    #[test]
    fn zones_move_texts_without_their_own() {
        let format = DateFormat::parse(DEFAULT_FORMAT).unwrap();
        let t = |text, zone| format.parse_math(text, 0, false, Some(zone)).unwrap();
        assert_eq!(t("2015-01-01", "+01:00"), 1_420_070_400_000 - 3_600_000);
        assert_eq!(
            t("2015-07-01", "Europe/Paris"),
            1_435_708_800_000 - 7_200_000
        );
        assert_eq!(t("2015-01-01T00:00:00Z", "+01:00"), 1_420_070_400_000);
    }

    #[test]
    fn prints_in_the_first_pattern() {
        let text = |format: &str, zone| {
            DateFormat::parse(format)
                .unwrap()
                .format(1_420_070_400_123, zone)
                .unwrap()
        };
        assert_eq!(text(DEFAULT_FORMAT, None), "2015-01-01T00:00:00.123Z");
        assert_eq!(
            text(DEFAULT_FORMAT, Some("+01:00")),
            "2015-01-01T01:00:00.123+01:00"
        );
        assert_eq!(text("epoch_millis", None), "1420070400123");
        assert_eq!(text("epoch_second", None), "1420070400.123");
        assert_eq!(text("yyyy-MM-dd", None), "2015-01-01");
        assert_eq!(text("EEE, d MMM yyyy", None), "Thu, 1 Jan 2015");
        assert_eq!(
            text("strict_date_hour_minute_second", None),
            "2015-01-01T00:00:00"
        );
    }
}
