//! Values of settings: from YAML, the environment or the command line to types, and back to text.

use serde_json::Value;

use super::MemoryLimit;
use crate::cluster::setting_values::parse_bytes;

pub(super) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err("must be one value".to_owned()),
    }
}

pub(super) fn list(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        single => Ok(text(single)?
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()),
    }
}

pub(super) fn flag(value: &Value) -> Result<bool, String> {
    match text(value)?.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

pub(super) fn port(value: &Value) -> Result<u16, String> {
    text(value)?
        .parse()
        .map_err(|_| "must be a port, 0 to 65535".to_owned())
}

/// A count from 0 to `max`.
pub(super) fn count(value: &Value, max: usize) -> Result<usize, String> {
    text(value)?
        .parse()
        .ok()
        .filter(|count| *count <= max)
        .ok_or_else(|| format!("must be a number from 0 to {max}"))
}

pub(super) fn bytes(value: &Value) -> Result<u64, String> {
    match parse_bytes(&text(value)?, "") {
        Ok(size) if size > 0 => Ok(size as u64),
        _ => Err("must be a size above zero with its unit, such as 100mb".to_owned()),
    }
}

pub(super) fn memory(value: &Value) -> Result<MemoryLimit, String> {
    let written = text(value)?;
    match written.strip_suffix('%') {
        None => bytes(value).map(MemoryLimit::Bytes),
        Some(percent) => match percent.trim().parse::<f64>() {
            Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(MemoryLimit::Percent(percent)),
            _ => Err("must be above 0% and at most 100%".to_owned()),
        },
    }
}

/// `HOST:PORT` cut in two; brackets around an IPv6 address fall away.
pub(super) fn host_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        // an IPv6 address without brackets: which colon would be the last?
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// Checks `HOST:PORT` with a port that can be reached.
pub(super) fn reachable(text: &str) -> Result<(), String> {
    match host_port(text) {
        Some((_, port)) if port > 0 => Ok(()),
        _ => Err("must be HOST:PORT, such as 10.0.0.7:9301".to_owned()),
    }
}

/// A list of `HOST:PORT`.
pub(super) fn addresses(value: &Value) -> Result<Vec<String>, String> {
    let addresses = list(value)?;
    for (at, address) in addresses.iter().enumerate() {
        reachable(address)?;
        if addresses[..at].contains(address) {
            return Err(format!("names {address} twice"));
        }
    }
    Ok(addresses)
}

/// As a person would write it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(super) fn shown_memory(limit: MemoryLimit) -> String {
    match limit {
        MemoryLimit::Bytes(bytes) => format!("{bytes}b"),
        MemoryLimit::Percent(percent) => format!("{percent}%"),
    }
}
