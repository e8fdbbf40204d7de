//! Points on the globe: how they are kept in a column, how far apart they are, which lie in an area.
//!
//! A point is one `i64`: latitude in the high 32 bits, longitude in the low ones, each a fraction of its range. That is
//! exact to about a centimetre, and as Lucene keeps points, so that the same documents match at the edges.

use serde::{Deserialize, Serialize};

/// Mean radius of the earth in metres.
const EARTH_RADIUS: f64 = 6_371_008.771_4;
/// Degrees of latitude per step.
const LATITUDE_STEP: f64 = 180.0 / 4_294_967_296.0;
/// Degrees of longitude per step.
const LONGITUDE_STEP: f64 = 360.0 / 4_294_967_296.0;
/// The digits of a geohash.
const GEOHASH_DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeoPoint {
    /// -90 to 90.
    pub lat: f64,
    /// -180 to 180.
    pub lon: f64,
}

impl GeoPoint {
    /// The column value. Degrees outside their range are taken for its ends.
    pub fn to_column(self) -> i64 {
        join_halves(
            steps(self.lat, 90.0, LATITUDE_STEP, f64::floor),
            steps(self.lon, 180.0, LONGITUDE_STEP, f64::floor),
        )
    }

    /// The point of a column value.
    pub fn from_column(stored: i64) -> GeoPoint {
        let (lat, lon) = halves(stored);
        GeoPoint {
            lat: f64::from(lat) * LATITUDE_STEP,
            lon: f64::from(lon) * LONGITUDE_STEP,
        }
    }

    /// Reads `lat,lon`, `POINT (lon lat)` or a geohash; the error is what is wrong with the text.
    pub fn parse(text: &str) -> Result<GeoPoint, String> {
        if text.trim_start().to_ascii_uppercase().starts_with("POINT") {
            return parse_wkt(text);
        }
        if text.contains(',') {
            return parse_comma(text);
        }
        let area = GeoBox::of_geohash(text)?;
        Ok(GeoPoint {
            lat: area.bottom,
            lon: area.left,
        })
    }

    /// Whether both degrees are in range; the error names the one that is not.
    pub fn check(self) -> Result<GeoPoint, String> {
        if !(-90.0..=90.0).contains(&self.lat) {
            return Err(format!("illegal latitude value [{}]", java(self.lat)));
        }
        if !(-180.0..=180.0).contains(&self.lon) {
            return Err(format!("illegal longitude value [{}]", java(self.lon)));
        }
        Ok(self)
    }

    /// The same place with both degrees in range: past a pole the way goes down the other side.
    pub fn normalized(self) -> GeoPoint {
        let mut lat = (self.lat + 180.0).rem_euclid(360.0) - 180.0;
        let mut lon = self.lon;
        if lat > 90.0 {
            (lat, lon) = (180.0 - lat, lon + 180.0);
        } else if lat < -90.0 {
            (lat, lon) = (-180.0 - lat, lon + 180.0);
        }
        if !(-180.0..=180.0).contains(&lon) {
            lon = (lon + 180.0).rem_euclid(360.0) - 180.0;
        }
        GeoPoint { lat, lon }
    }

    /// The geohash of so many digits of the cell that the place is in.
    pub fn geohash(self, digits: u32) -> String {
        let (mut lat, mut lon) = ((-90.0, 90.0), (-180.0, 180.0));
        let mut hash = String::with_capacity(digits as usize);
        let mut east = true;
        for _ in 0..digits {
            let mut bits = 0;
            for _ in 0..5 {
                let (range, at) = match east {
                    true => (&mut lon, self.lon),
                    false => (&mut lat, self.lat),
                };
                let middle: f64 = (range.0 + range.1) / 2.0;
                let upper = at >= middle;
                *(if upper { &mut range.0 } else { &mut range.1 }) = middle;
                bits = bits << 1 | usize::from(upper);
                east = !east;
            }
            hash.push(GEOHASH_DIGITS[bits] as char);
        }
        hash
    }

    /// Metres along the surface of a sphere.
    pub fn distance(self, other: GeoPoint) -> f64 {
        let (lat_a, lat_b) = (self.lat.to_radians(), other.lat.to_radians());
        let half_lat = ((lat_b - lat_a) / 2.0).sin();
        let half_lon = ((other.lon - self.lon).to_radians() / 2.0).sin();
        let square = half_lat * half_lat + lat_a.cos() * lat_b.cos() * half_lon * half_lon;
        2.0 * EARTH_RADIUS * square.sqrt().min(1.0).asin()
    }

    /// Metres on a map on which degrees are square away from the equator: quick, and wrong far away or near the poles.
    pub fn plane_distance(self, other: GeoPoint) -> f64 {
        let x =
            (other.lon - self.lon).to_radians() * ((self.lat + other.lat) / 2.0).to_radians().cos();
        let y = (other.lat - self.lat).to_radians();
        (x * x + y * y).sqrt() * EARTH_RADIUS
    }
}

/// `lat, lon`, as Java prints the numbers.
impl std::fmt::Display for GeoPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", java(self.lat), java(self.lon))
    }
}

fn java(number: f64) -> String {
    crate::document::java_double(number)
}

fn steps(degrees: f64, end: f64, step: f64, round: fn(f64) -> f64) -> i32 {
    if degrees >= end {
        return i32::MAX;
    }
    round(degrees.max(-end) / step) as i32
}

fn join_halves(lat: i32, lon: i32) -> i64 {
    (i64::from(lat) << 32) | i64::from(lon as u32)
}

fn halves(stored: i64) -> (i32, i32) {
    ((stored >> 32) as i32, stored as i32)
}

fn parse_comma(text: &str) -> Result<GeoPoint, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    if parts.len() > 3 {
        return Err(format!(
            "failed to parse [{text}], expected 2 or 3 coordinates but found: [{}]",
            parts.len()
        ));
    }
    let number = |part: &str, what: &str| -> Result<f64, String> {
        part.parse().map_err(|_| format!("{what} must be a number"))
    };
    if let Some(height) = parts.get(2) {
        number(height, "altitude")?;
    }
    Ok(GeoPoint {
        lat: number(parts[0], "latitude")?,
        lon: number(parts[1], "longitude")?,
    })
}

/// The numbers between the parentheses of well-known text of a kind; `Err`: the text is none.
fn wkt_numbers(text: &str, kind: &str) -> Result<Vec<f64>, String> {
    let malformed = || format!("failed to parse WKT [{text}]");
    let trimmed = text.trim();
    let rest = match trimmed.get(..kind.len()) {
        Some(start) if start.eq_ignore_ascii_case(kind) => trimmed[kind.len()..].trim(),
        _ => return Err(malformed()),
    };
    let inner = rest
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(malformed)?;
    let mut numbers = Vec::new();
    for part in inner
        .split([' ', ',', '\t', '\n'])
        .filter(|part| !part.is_empty())
    {
        numbers.push(part.parse().map_err(|_| malformed())?);
    }
    Ok(numbers)
}

fn parse_wkt(text: &str) -> Result<GeoPoint, String> {
    match wkt_numbers(text, "POINT")?.as_slice() {
        [lon, lat] | [lon, lat, _] => Ok(GeoPoint {
            lat: *lat,
            lon: *lon,
        }),
        _ => Err(format!("failed to parse WKT [{text}]")),
    }
}

/// A box between two latitudes and two longitudes; `left > right`: it goes across the 180th meridian.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeoBox {
    /// Greatest latitude.
    pub top: f64,
    /// Western edge.
    pub left: f64,
    /// Smallest latitude.
    pub bottom: f64,
    /// Eastern edge.
    pub right: f64,
}

impl GeoBox {
    /// Reads `BBOX (left, right, top, bottom)`.
    pub fn parse_wkt(text: &str) -> Result<GeoBox, String> {
        match wkt_numbers(text, "BBOX")
            .or_else(|_| wkt_numbers(text, "ENVELOPE"))?
            .as_slice()
        {
            [left, right, top, bottom] => Ok(GeoBox {
                top: *top,
                left: *left,
                bottom: *bottom,
                right: *right,
            }),
            _ => Err(format!("failed to parse WKT bounding box [{text}]")),
        }
    }

    /// The cell of a geohash.
    pub fn of_geohash(hash: &str) -> Result<GeoBox, String> {
        if hash.is_empty() || hash.len() > 12 {
            return Err(format!("unsupported symbol [{}] in geohash [{hash}]", ' '));
        }
        let mut area = GeoBox {
            top: 90.0,
            left: -180.0,
            bottom: -90.0,
            right: 180.0,
        };
        let mut east = true;
        for digit in hash.bytes() {
            let Some(bits) = GEOHASH_DIGITS
                .iter()
                .position(|known| *known == digit.to_ascii_lowercase())
            else {
                return Err(format!(
                    "unsupported symbol [{}] in geohash [{hash}]",
                    digit as char
                ));
            };
            for bit in (0..5).rev() {
                let upper = bits >> bit & 1 == 1;
                let (low, high) = match east {
                    true => (&mut area.left, &mut area.right),
                    false => (&mut area.bottom, &mut area.top),
                };
                let middle = (*low + *high) / 2.0;
                *(if upper { low } else { high }) = middle;
                east = !east;
            }
        }
        Ok(area)
    }
}

/// Which points are wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum GeoArea {
    /// Between steps of latitude and longitude, both ends included.
    Box {
        /// Smallest and greatest latitude.
        lat: (i32, i32),
        /// Western and eastern edge; the first may be the greater one.
        lon: (i32, i32),
    },
    /// At most so many metres from a point.
    Circle {
        /// Its middle.
        centre: GeoPoint,
        /// Metres.
        radius: f64,
        /// Whether metres are measured on a plane map.
        plane: bool,
    },
}

impl GeoArea {
    /// The points of a box.
    pub fn of_box(area: &GeoBox) -> GeoArea {
        GeoArea::Box {
            lat: (
                steps(area.bottom, 90.0, LATITUDE_STEP, f64::ceil),
                steps(area.top, 90.0, LATITUDE_STEP, f64::floor),
            ),
            lon: (
                steps(area.left, 180.0, LONGITUDE_STEP, f64::ceil),
                steps(area.right, 180.0, LONGITUDE_STEP, f64::floor),
            ),
        }
    }

    /// Whether a column value is in it.
    pub fn has(&self, stored: i64) -> bool {
        match self {
            GeoArea::Box { lat, lon } => {
                let (row, column) = halves(stored);
                let between = (lon.0..=lon.1).contains(&column);
                let across = lon.0 > lon.1 && (column >= lon.0 || column <= lon.1);
                (lat.0..=lat.1).contains(&row) && (between || across)
            }
            GeoArea::Circle {
                centre,
                radius,
                plane,
            } => {
                let point = GeoPoint::from_column(stored);
                let distance = match plane {
                    true => centre.plane_distance(point),
                    false => centre.distance(point),
                };
                distance <= *radius
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(lat: f64, lon: f64) -> GeoPoint {
        GeoPoint { lat, lon }
    }

    proptest! {
        #[test]
        fn columns_keep_points_to_a_step(lat in -90.0..=90.0f64, lon in -180.0..=180.0f64) {
            let back = GeoPoint::from_column(point(lat, lon).to_column());
            prop_assert!((back.lat - lat).abs() <= LATITUDE_STEP && (back.lon - lon).abs() <= LONGITUDE_STEP);
            prop_assert_eq!(GeoPoint::from_column(back.to_column()), back);
        }
    }

    #[test]
    fn texts_of_all_forms() {
        assert_eq!(GeoPoint::parse("4.9, 52.3"), Ok(point(4.9, 52.3)));
        assert_eq!(GeoPoint::parse("POINT (52.3 4.9)"), Ok(point(4.9, 52.3)));
        let hash = GeoPoint::parse("t0v5zsq1gpzf").unwrap();
        assert!(
            (hash.lat - 4.9016).abs() < 1e-4 && (hash.lon - 52.3692).abs() < 1e-4,
            "{hash}"
        );
        assert!(GeoPoint::parse("no place").is_err());
        assert!(GeoPoint::parse("1,x").is_err());
        assert!(point(91.0, 0.0).check().is_err() && point(0.0, -180.5).check().is_err());
        assert_eq!(point(91.0, 0.0).normalized(), point(89.0, 180.0));
    }

    #[test]
    fn distances_and_areas() {
        let (berlin, paris) = (point(52.52, 13.405), point(48.8566, 2.3522));
        assert!((berlin.distance(paris) - 877_464.0).abs() < 500.0);
        let circle = |radius| GeoArea::Circle {
            centre: berlin,
            radius,
            plane: false,
        };
        assert!(circle(900_000.0).has(paris.to_column()));
        assert!(!circle(800_000.0).has(paris.to_column()));
        let area = GeoBox {
            top: 10.0,
            left: 170.0,
            bottom: -10.0,
            right: -170.0,
        };
        let area = GeoArea::of_box(&area);
        assert!(
            area.has(point(0.0, 175.0).to_column()) && area.has(point(0.0, -175.0).to_column())
        );
        assert!(
            !area.has(point(0.0, 0.0).to_column()) && !area.has(point(20.0, 175.0).to_column())
        );
    }
}
