//! Typed trees as bytes: self-describing CBOR, read strictly.
//!
//! CBOR because it holds what the trees hold: numbers that are not a number (a hit without a score), maps by bytes (term
//! statistics) and documents as they are. A field or variant that the reader does not know is an error that names it, so a
//! cluster of several versions fails by name and never by half an answer.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How deep a tree may be, in CBOR items: far more than any request that parses makes of itself.
const DEPTH_MAX: usize = 2048;

/// Bytes from another node that do not read, or a tree that has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct WireError {
    /// Which message or part.
    pub what: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl WireError {
    /// A part that must be there is not.
    pub fn missing(what: &'static str) -> WireError {
        WireError {
            what,
            reason: "it is missing, or of a kind that this version does not know".to_owned(),
        }
    }
}

/// The bytes of a tree.
pub fn encode<T: Serialize + ?Sized>(what: &'static str, tree: &T) -> Result<Bytes, WireError> {
    let mut bytes = Vec::new();
    match ciborium::into_writer(tree, &mut bytes) {
        Ok(()) => Ok(Bytes::from(bytes)),
        Err(error) => Err(WireError {
            what,
            reason: error.to_string(),
        }),
    }
}

/// The tree of some bytes, all of them.
pub fn decode<T: DeserializeOwned>(what: &'static str, mut bytes: &[u8]) -> Result<T, WireError> {
    let failed = |reason| WireError { what, reason };
    let tree = ciborium::de::from_reader_with_recursion_limit(&mut bytes, DEPTH_MAX);
    let tree = tree.map_err(|error| match error {
        ciborium::de::Error::Semantic(_, reason) => {
            failed(format!("{reason} (do the nodes run different versions?)"))
        }
        other => failed(other.to_string()),
    })?;
    match bytes.len() {
        0 => Ok(tree),
        rest => Err(failed(format!("{rest} bytes follow it"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quidditch_engine::query::Query;
    use quidditch_engine::search::SearchRequest;
    use serde::Deserialize;

    #[test]
    fn a_field_that_nobody_knows_is_refused_by_name() {
        #[derive(Serialize)]
        struct Newer {
            segment: u32,
            doc: u32,
            shape: u32,
        }
        let newer = Newer {
            segment: 1,
            doc: 2,
            shape: 3,
        };
        let bytes = encode("hit", &newer).unwrap();
        let read = decode::<quidditch_engine::search::DocAddress>("hit", &bytes);
        let error = read.unwrap_err().to_string();
        assert!(error.starts_with("hit: unknown field `shape`"), "{error}");
    }

    #[test]
    fn bytes_behind_a_tree_are_refused() {
        let mut bytes = encode("n", &7u64).unwrap().to_vec();
        assert_eq!(decode::<u64>("n", &bytes).unwrap(), 7);
        bytes.push(0);
        assert!(decode::<u64>("n", &bytes).is_err());
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        #[derive(Serialize, Deserialize)]
        struct Hit {
            score: f32,
        }
        let bytes = encode("hit", &Hit { score: f32::NAN }).unwrap();
        assert!(decode::<Hit>("hit", &bytes).unwrap().score.is_nan());
    }

    #[test]
    fn a_cut_tree_is_refused_wherever_the_cut_is() {
        let bytes = encode("request", &SearchRequest::new(Query::match_all())).unwrap();
        for end in 0..bytes.len() {
            assert!(decode::<SearchRequest>("request", &bytes[..end]).is_err());
        }
    }
}
