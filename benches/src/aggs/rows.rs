//! Rows as a web server logs them, each made from its number alone.

use crate::random::Random;

/// The values of the keyword with few, the first ones the most frequent.
pub const STATUSES: [&str; 8] = ["200", "304", "404", "301", "500", "302", "403", "503"];
/// The first row's time: 2026-01-01.
const START_MS: i64 = 1_767_225_600_000;
/// Rows are spread over so many milliseconds: 60 days.
const SPAN_MS: i64 = 60 * 86_400_000;

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// One of [`STATUSES`].
    pub status: &'static str,
    /// One of about a tenth as many as there are rows.
    pub user: u64,
    /// Ascending, give or take a minute.
    pub time_ms: i64,
    /// From 100 to some millions, most of them small.
    pub bytes: i64,
    /// Milliseconds, to three digits behind the point, most of them small.
    pub latency: f64,
}

impl Row {
    /// The row of that number, of `rows`.
    pub fn new(number: u64, rows: u64) -> Row {
        let mut random = Random::new(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let status = STATUSES[(random.unit().powi(4) * 8.0) as usize];
        let users = (rows / 10).max(1);
        let user = (random.unit().powi(2) * users as f64) as u64;
        let passed = (number as f64 / rows as f64 * SPAN_MS as f64) as i64;
        let time_ms = START_MS + passed + random.below(60_000) as i64;
        let bytes = (100.0 * (bell(&mut random) * 1.5 + 3.0).exp().max(1.0)) as i64;
        let latency = (bell(&mut random) * 0.8 + 2.0).exp();
        Row {
            status,
            user,
            time_ms,
            bytes,
            latency: (latency * 1000.0).round() / 1000.0,
        }
    }

    /// The user as a keyword.
    pub fn user_name(&self) -> String {
        format!("user{:08}", self.user)
    }
}

/// About normally distributed, mean 0, deviation 1.
fn bell(random: &mut Random) -> f64 {
    (0..12).map(|_| random.unit()).sum::<f64>() - 6.0
}
