//! Runs the measurements and reads what criterion leaves behind: for each, a folder `new` with `benchmark.json` (its name, its
//! elements) and `estimates.json` (nanoseconds of a call).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::Entry;

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
    throughput: Option<Throughput>,
}

#[derive(Deserialize)]
struct Throughput {
    #[serde(rename = "Elements")]
    elements: Option<u64>,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// Everything under criterion's folder, by name. Kernels of other instruction sets than `level` are left out, and
/// the level is left out of the names.
pub fn read(folder: &Path, level: &str) -> Result<BTreeMap<String, Entry>> {
    let mut entries = BTreeMap::new();
    walk(folder, level, &mut entries)?;
    Ok(entries)
}

fn walk(folder: &Path, level: &str, into: &mut BTreeMap<String, Entry>) -> Result<()> {
    let description = folder.join("new").join("benchmark.json");
    if description.exists() {
        let benchmark: Benchmark = serde_json::from_slice(&fs::read(&description)?)?;
        if let Some(name) = name_at(&benchmark.full_id, level) {
            let estimates = fs::read(folder.join("new").join("estimates.json"))?;
            let estimates: Estimates = serde_json::from_slice(&estimates)?;
            let elements = benchmark.throughput.and_then(|of| of.elements);
            let elements = elements.unwrap_or(1) as f64;
            let interval = estimates.median.confidence_interval;
            let entry = Entry {
                ns: estimates.median.point_estimate / elements,
                low: interval.lower_bound / elements,
                high: interval.upper_bound / elements,
            };
            into.insert(name, entry);
        }
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, level, into)?;
        }
    }
    Ok(())
}

/// The name of a measurement in the results of one instruction set; `None` when it is one of another.
fn name_at(full_id: &str, level: &str) -> Option<String> {
    if !full_id.starts_with("kernels/") {
        return Some(full_id.to_owned());
    }
    let name = full_id.strip_suffix(level)?.strip_suffix('/')?;
    Some(name.to_owned())
}

/// Lines `size NAME NUMBER bytes/int` of a run's output.
pub fn sizes(output: &str) -> BTreeMap<String, f64> {
    let sizes = output.lines().filter_map(|line| {
        let (name, size) = line.strip_prefix("size ")?.split_once(' ')?;
        let number = size.split_whitespace().next()?.parse().ok()?;
        Some((name.to_owned(), number))
    });
    sizes.collect()
}

/// Runs the measurements whose names hold `filter`, at one instruction set, each for about two seconds, and reads the results.
pub fn run(
    program: &mut Command,
    filter: Option<&str>,
    level: &str,
) -> Result<(BTreeMap<String, Entry>, BTreeMap<String, f64>)> {
    let home = tempfile::tempdir()?;
    program
        .args(["--measurement-time", "1", "--warm-up-time", "0.5"])
        .args(filter)
        .env("QUIDDITCH_SIMD", level)
        .env("CRITERION_HOME", home.path())
        .stdout(Stdio::piped());
    let output = program
        .output()
        .with_context(|| format!("{:?}", program.get_program()))?;
    ensure!(
        output.status.success(),
        "the measurements ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let sizes = sizes(&String::from_utf8_lossy(&output.stdout));
    Ok((read(home.path(), level)?, sizes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_criterion_writes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, id: &str, throughput: &str| {
            let new = folder.path().join(name).join("new");
            fs::create_dir_all(&new).unwrap();
            let benchmark = format!(r#"{{"full_id": "{id}", "throughput": {throughput}}}"#);
            fs::write(new.join("benchmark.json"), benchmark).unwrap();
            let estimates = r#"{"median": {"point_estimate": 64.0,
                "confidence_interval": {"lower_bound": 32.0, "upper_bound": 128.0}}}"#;
            fs::write(new.join("estimates.json"), estimates).unwrap();
        };
        write("a/avx2", "kernels/and/avx2", r#"{"Elements": 64}"#);
        write("a/scalar", "kernels/and/scalar", r#"{"Elements": 64}"#);
        write("b", "aggregations/terms_low/quidditch", "null");
        let entry = |ns, low, high| Entry { ns, low, high };
        let found = read(folder.path(), "avx2").unwrap();
        let wanted = [
            (
                "aggregations/terms_low/quidditch".to_owned(),
                entry(64.0, 32.0, 128.0),
            ),
            ("kernels/and".to_owned(), entry(1.0, 0.5, 2.0)),
        ];
        assert_eq!(found, BTreeMap::from(wanted));
    }

    #[test]
    fn sizes_are_lines_of_their_own() {
        let output = "Running\nsize codecs/in_8 1.250 bytes/int\nsize\n";
        let wanted = [("codecs/in_8".to_owned(), 1.25)];
        assert_eq!(sizes(output), BTreeMap::from(wanted));
    }
}
