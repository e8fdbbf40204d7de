//! `preference`: which shards a search asks, and which copies of them.

use super::rest::RestError;
use crate::data::search::CopyPreference;

/// What `preference` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preference {
    /// The shards of `_shards:…`; `None`: all.
    pub shards: Option<Vec<u32>>,
    /// Their copies.
    pub copies: CopyPreference,
}

/// Reads `_shards:0,2`, `_shards:0,2|_local`, `_only_nodes:…` or any text that does not begin with `_`.
pub fn parse_preference(text: Option<&str>) -> Result<Preference, RestError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(Preference::default());
    };
    if !text.starts_with('_') {
        return Ok(Preference {
            shards: None,
            copies: CopyPreference::Key(text.to_owned()),
        });
    }
    let (first, rest) = match text.split_once('|') {
        Some((first, rest)) if first.starts_with("_shards") => (first, rest),
        _ => (text, ""),
    };
    let (kind, list) = first.split_once(':').unwrap_or((first, ""));
    if kind != "_shards" {
        return Ok(Preference {
            shards: None,
            copies: copies(text)?,
        });
    }
    Ok(Preference {
        shards: Some(numbers(list)?),
        copies: match rest {
            "" => CopyPreference::Any,
            rest => copies(rest)?,
        },
    })
}

fn numbers(list: &str) -> Result<Vec<u32>, RestError> {
    let mut shards = Vec::new();
    for text in list.split(',') {
        match text.trim().parse() {
            Ok(shard) => shards.push(shard),
            Err(_) => {
                return Err(RestError::new(
                    400,
                    "number_format_exception",
                    format!("For input string: \"{text}\""),
                ));
            }
        }
    }
    Ok(shards)
}

fn copies(text: &str) -> Result<CopyPreference, RestError> {
    let (kind, list) = text.split_once(':').unwrap_or((text, ""));
    let names = || list.split(',').map(str::to_owned).collect();
    Ok(match kind {
        "_local" => CopyPreference::Local,
        "_only_local" | "_onlyLocal" => CopyPreference::OnlyLocal,
        "_primary" => CopyPreference::Primary,
        "_primary_first" | "_primaryFirst" => CopyPreference::PrimaryFirst,
        "_replica" => CopyPreference::Replica,
        "_replica_first" | "_replicaFirst" => CopyPreference::ReplicaFirst,
        "_prefer_nodes" => CopyPreference::PreferNodes(names()),
        "_only_nodes" => CopyPreference::OnlyNodes(names()),
        "_shards" => {
            return Err(RestError::illegal_argument("unknown preference [SHARDS]"));
        }
        _ => {
            return Err(RestError::illegal_argument(format!(
                "no Preference for [{kind}]"
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shards: Option<Vec<u32>>, copies: CopyPreference) {
        let expected = Preference { shards, copies };
        assert_eq!(parse_preference(Some(text)).unwrap(), expected, "{text}");
    }

    #[test]
    fn preferences_are_read() {
        check("", None, CopyPreference::Any);
        check("xyz", None, CopyPreference::Key("xyz".to_owned()));
        check("_shards:0,2", Some(vec![0, 2]), CopyPreference::Any);
        check("_shards:0,2|", Some(vec![0, 2]), CopyPreference::Any);
        check("_shards:1|_local", Some(vec![1]), CopyPreference::Local);
        let nodes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        check(
            "_prefer_nodes:a,b",
            None,
            CopyPreference::PreferNodes(nodes(&["a", "b"])),
        );
        check(
            "_only_nodes:rack:1",
            None,
            CopyPreference::OnlyNodes(nodes(&["rack:1"])),
        );
        check("_primary_first", None, CopyPreference::PrimaryFirst);
    }

    #[test]
    fn preferences_that_do_not_exist_are_refused() {
        for (text, reason) in [
            ("_what", "no Preference for [_what]"),
            ("_shards:1|_what:2", "no Preference for [_what]"),
            ("_shards:x", "For input string: \"x\""),
        ] {
            assert_eq!(parse_preference(Some(text)).unwrap_err().reason, reason);
        }
    }
}
