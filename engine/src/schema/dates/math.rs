//! Date math: `now-1d/d`, `2015-01-01||+1M/d`.

use jiff::tz::TimeZone;

use super::super::ValueError;
use super::civil::{civil_from_days, days_from_civil, days_in_month, local_to_utc, offset_at};
use super::{DateFormat, Instant};

/// Reads a date text with math.
pub(super) fn parse(
    format: &DateFormat,
    text: &str,
    now_ms: i64,
    round_up: bool,
    zone: Option<&TimeZone>,
) -> Result<Instant, ValueError> {
    let (start, math) = if let Some(math) = text.strip_prefix("now") {
        (Instant::from_millis(now_ms), math)
    } else {
        match text.find("||") {
            None => return parse_date(format, text, round_up, zone),
            Some(at) => (
                parse_date(format, &text[..at], false, zone)?,
                &text[at + 2..],
            ),
        }
    };
    evaluate(math, start, round_up, zone)
}

fn parse_date(
    format: &DateFormat,
    text: &str,
    round_up: bool,
    zone: Option<&TimeZone>,
) -> Result<Instant, ValueError> {
    if text.trim().is_empty() {
        return Err(parse_error("cannot parse empty date".to_owned()));
    }
    format.parse_instant(text, round_up, zone).map_err(|cause| {
        parse_error(format!(
            "failed to parse date field [{text}] with format [{}]: [{}]",
            format.text(),
            cause.reason
        ))
        .caused_by(cause)
    })
}

fn parse_error(reason: String) -> ValueError {
    ValueError::new("parse_exception", reason)
}

fn evaluate(
    math: &str,
    start: Instant,
    round_up: bool,
    zone: Option<&TimeZone>,
) -> Result<Instant, ValueError> {
    let mut time = Local::of(start, zone);
    let mut chars = math.chars().peekable();
    while let Some(operator) = chars.next() {
        // One step adds too little to leave 64 bits from here.
        if time.days.abs() > DAYS_MAX {
            return Err(parse_error(format!(
                "date math [{math}] leaves the range of dates"
            )));
        }
        let (round, sign) = match operator {
            '/' => (true, 1),
            '+' => (false, 1),
            '-' => (false, -1),
            _ => {
                return Err(parse_error(format!(
                    "operator not supported for date math [{math}]"
                )));
            }
        };
        let mut amount: Option<i64> = None;
        while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
            chars.next();
            let next = amount
                .unwrap_or(0)
                .checked_mul(10)
                .and_then(|n| n.checked_add(i64::from(digit)))
                .filter(|n| *n <= i64::from(i32::MAX));
            amount =
                Some(next.ok_or_else(|| {
                    parse_error(format!("number too large in date math [{math}]"))
                })?);
        }
        let Some(unit) = chars.next() else {
            return Err(parse_error(format!("truncated date math [{math}]")));
        };
        if round && amount.is_some_and(|n| n != 1) {
            return Err(parse_error(format!(
                "rounding `/` can only be used on single unit types [{math}]"
            )));
        }
        let amount = sign * amount.unwrap_or(1);
        if !matches!(unit, 'y' | 'M' | 'w' | 'd' | 'h' | 'H' | 'm' | 's') {
            return Err(parse_error(format!(
                "unit [{unit}] not supported for date math [{math}]"
            )));
        }
        if round {
            time.round_down(unit);
            if round_up {
                time.add(1, unit);
                time.minus_one_milli();
            }
        } else {
            time.add(amount, unit);
        }
    }
    if time.days.abs() > DAYS_MAX {
        return Err(parse_error(format!(
            "date math [{math}] leaves the range of dates"
        )));
    }
    Ok(time.instant())
}

/// Days from 1970 that dates may be away: milliseconds fit 64 bits with room to spare.
const DAYS_MAX: i64 = 366 * 200_000_000;

/// A time on a zone's clock.
struct Local<'a> {
    /// Days since 1970-01-01 on the local calendar.
    days: i64,
    /// Seconds of the local day.
    second: i64,
    nanos: u32,
    zone: Option<&'a TimeZone>,
}

impl<'a> Local<'a> {
    fn of(instant: Instant, zone: Option<&'a TimeZone>) -> Local<'a> {
        let offset = zone.map_or(0, |zone| offset_at(instant.seconds, zone));
        let local = instant.seconds.saturating_add(i64::from(offset));
        Local {
            days: local.div_euclid(86_400),
            second: local.rem_euclid(86_400),
            nanos: instant.nanos,
            zone,
        }
    }

    fn instant(&self) -> Instant {
        let local = self.days * 86_400 + self.second;
        let seconds = match self.zone {
            Some(zone) => local_to_utc(local, zone).unwrap_or(local),
            None => local,
        };
        Instant {
            seconds,
            nanos: self.nanos,
        }
    }

    fn add(&mut self, amount: i64, unit: char) {
        match unit {
            'y' => self.add_months(amount * 12),
            'M' => self.add_months(amount),
            'w' => self.days += amount * 7,
            'd' => self.days += amount,
            unit => {
                let seconds = amount
                    * match unit {
                        'h' | 'H' => 3600,
                        'm' => 60,
                        _ => 1,
                    };
                // Clock units pass on the time line, not on the calendar.
                let mut instant = self.instant();
                instant.seconds += seconds;
                *self = Local::of(instant, self.zone);
            }
        }
    }

    fn add_months(&mut self, months: i64) {
        let (year, month, day) = civil_from_days(self.days);
        let total = year * 12 + i64::from(month) - 1 + months;
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u8 + 1);
        let day = day.min(days_in_month(year, month));
        self.days = days_from_civil(year, month, day);
    }

    fn round_down(&mut self, unit: char) {
        let (year, month, _) = civil_from_days(self.days);
        self.nanos = 0;
        match unit {
            's' => return,
            'm' => {
                self.second -= self.second % 60;
                return;
            }
            'h' | 'H' => {
                self.second -= self.second % 3600;
                return;
            }
            'y' => self.days = days_from_civil(year, 1, 1),
            'M' => self.days = days_from_civil(year, month, 1),
            'w' => self.days -= (self.days + 3).rem_euclid(7),
            _ => {}
        }
        self.second = 0;
    }

    fn minus_one_milli(&mut self) {
        let instant = self.instant();
        *self = Local::of(Instant::from_millis(instant.millis() - 1), self.zone);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DEFAULT_FORMAT, DateFormat};

    #[test]
    fn adds_and_rounds() {
        let format = DateFormat::parse(DEFAULT_FORMAT).unwrap();
        // 2015-01-31T12:34:56.789Z
        let now = 1_422_707_696_789;
        let at = |text: &str, up| {
            let ms = format.parse_math(text, now, up, None).unwrap();
            format.format(ms, None).unwrap()
        };
        assert_eq!(at("now", false), "2015-01-31T12:34:56.789Z");
        assert_eq!(at("now-1d/d", false), "2015-01-30T00:00:00.000Z");
        assert_eq!(at("now/d", true), "2015-01-31T23:59:59.999Z");
        assert_eq!(at("now+1M", false), "2015-02-28T12:34:56.789Z");
        assert_eq!(at("now/w", false), "2015-01-26T00:00:00.000Z");
        assert_eq!(at("now-1h+30m", false), "2015-01-31T12:04:56.789Z");
        assert_eq!(at("2014-11-18||/M", false), "2014-11-01T00:00:00.000Z");
        assert_eq!(at("2014-11-18||+1y", true), "2015-11-18T00:00:00.000Z");
        let beyond = format!("now{}", "+2147483647y".repeat(200));
        let before = format!("now{}||", "-2147483647d".repeat(40));
        for bad in [
            "now*1d", "now+", "now+1x", "now/2d", "now+1", &beyond, &before,
        ] {
            assert!(format.parse_math(bad, now, false, None).is_err(), "{bad}");
        }
    }
}
