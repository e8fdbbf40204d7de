//! Time values of parameters and bodies.

use std::time::Duration;

use super::RestError;
use crate::cluster::setting_values::parse_time_nanos;

/// Reads `30s`, `100ms`, `1d`, …; `-1` is `None`: no limit. `name` is the setting that the mistake is blamed on.
pub fn parse_time_value(text: &str, name: &str) -> Result<Option<Duration>, RestError> {
    let nanos = parse_time_nanos(text, name)?;
    Ok(nanos.map(|nanos| Duration::from_nanos(u64::try_from(nanos).unwrap_or(i64::MAX as u64))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_time_values() {
        let read = |text| parse_time_value(text, "timeout").map_err(|error| error.reason);
        assert_eq!(read("30s"), Ok(Some(Duration::from_secs(30))));
        assert_eq!(read("100ms"), Ok(Some(Duration::from_millis(100))));
        assert_eq!(read("1m"), Ok(Some(Duration::from_secs(60))));
        assert_eq!(read("0"), Ok(Some(Duration::ZERO)));
        assert_eq!(read("-1"), Ok(None));
        assert_eq!(
            read("12"),
            Err("failed to parse setting [timeout] with value [12] as a time value: unit is missing or unrecognized".to_owned())
        );
        assert!(read("1M").is_err());
        assert!(read("s").is_err());
        assert!(read("").is_err());
        assert_eq!(
            read("9999999999d"),
            Ok(Some(Duration::from_nanos(i64::MAX as u64)))
        );
    }
}
