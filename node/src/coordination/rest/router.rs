//! Finds the endpoint of a path: a tree of path parts, in which a literal wins over a variable.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::RestError;
use super::endpoints::{self, Endpoint};
use super::params::broken_escape;

/// What a path and method lead to.
pub enum Found {
    /// This endpoint, with the variables of its path.
    Endpoint(&'static Endpoint, BTreeMap<&'static str, String>),
    /// The path is known, but not with this method; the ones that are.
    OtherMethods(Vec<Method>),
    /// Nobody serves this path.
    Nothing,
}

#[derive(Default)]
struct Node {
    literals: BTreeMap<&'static str, Node>,
    variable: Option<Box<Node>>,
    leaves: Vec<Leaf>,
}

struct Leaf {
    method: Method,
    endpoint: &'static Endpoint,
    names: Vec<&'static str>,
}

/// The tree of all rows of the table.
pub struct Router {
    root: Node,
}

impl Router {
    /// The router of [`endpoints::ENDPOINTS`], built at its first use.
    pub fn shared() -> &'static Router {
        static SHARED: OnceLock<Router> = OnceLock::new();
        SHARED.get_or_init(|| Router::new(endpoints::all()))
    }

    fn new(rows: impl Iterator<Item = &'static Endpoint>) -> Router {
        let mut root = Node::default();
        for endpoint in rows {
            for (method, path) in endpoint.routes {
                let mut names = Vec::new();
                let mut node = &mut root;
                for part in path.split('/').filter(|part| !part.is_empty()) {
                    node = match part
                        .strip_prefix('{')
                        .and_then(|rest| rest.strip_suffix('}'))
                    {
                        Some(name) => {
                            names.push(name);
                            node.variable.get_or_insert_default()
                        }
                        None => node.literals.entry(part).or_default(),
                    };
                }
                if !node.leaves.iter().any(|leaf| leaf.method == *method) {
                    node.leaves.push(Leaf {
                        method: method.clone(),
                        endpoint,
                        names,
                    });
                }
            }
        }
        Router { root }
    }

    /// Looks a path up; its parts are percent-decoded after the cut, so that `%2F` may stand in an id.
    pub fn find(&self, method: &Method, path: &str) -> Result<Found, RestError> {
        let mut parts = Vec::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            parts.push(decode(part)?);
        }
        let mut variables = Vec::new();
        let Some(node) = walk(&self.root, &parts, &mut variables) else {
            return Ok(Found::Nothing);
        };
        match node.leaves.iter().find(|leaf| leaf.method == *method) {
            Some(leaf) => {
                let vars = leaf.names.iter().copied().zip(variables).collect();
                Ok(Found::Endpoint(leaf.endpoint, vars))
            }
            None => Ok(Found::OtherMethods(
                node.leaves.iter().map(|leaf| leaf.method.clone()).collect(),
            )),
        }
    }
}

/// The first node with endpoints, literals before variables; `variables` then holds what they stand for.
///
/// Methods do not count here, as in the reference: `GET /_bulk` is the wrong method of `/_bulk`, not an index.
/// Depth is bounded by the depth of the table.
fn walk<'t>(node: &'t Node, parts: &[String], variables: &mut Vec<String>) -> Option<&'t Node> {
    let Some((part, rest)) = parts.split_first() else {
        return (!node.leaves.is_empty()).then_some(node);
    };
    if let Some(next) = node.literals.get(part.as_str())
        && let Some(found) = walk(next, rest, variables)
    {
        return Some(found);
    }
    let next = node.variable.as_deref()?;
    variables.push(part.clone());
    let found = walk(next, rest, variables);
    if found.is_none() {
        variables.pop();
    }
    found
}

fn decode(part: &str) -> Result<String, RestError> {
    if let Some(bad) = broken_escape(part) {
        return Err(RestError::illegal_argument(format!(
            "invalid escape sequence in path part [{bad}]"
        )));
    }
    match percent_decode_str(part).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(RestError::illegal_argument(format!(
            "path part [{part}] is not valid UTF-8 once decoded"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordination::rest::RestResponse;

    static ROWS: &[Endpoint] = &[
        Endpoint {
            name: "get",
            routes: &[(Method::GET, "/{index}/_doc/{id}")],
            params: &[],
            handler: |_, _| Box::pin(async { Ok(RestResponse::empty(200)) }),
        },
        Endpoint {
            name: "health",
            routes: &[
                (Method::GET, "/_cluster/health"),
                (Method::GET, "/_cluster/health/{index}"),
            ],
            params: &[],
            handler: |_, _| Box::pin(async { Ok(RestResponse::empty(200)) }),
        },
        Endpoint {
            name: "indices.get",
            routes: &[(Method::GET, "/{index}")],
            params: &[],
            handler: |_, _| Box::pin(async { Ok(RestResponse::empty(200)) }),
        },
    ];

    fn find(method: Method, path: &str) -> String {
        match Router::new(ROWS.iter()).find(&method, path).unwrap() {
            Found::Endpoint(endpoint, vars) => format!("{} {vars:?}", endpoint.name),
            Found::OtherMethods(methods) => format!("{methods:?}"),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn literals_win_and_variables_are_decoded() {
        assert_eq!(find(Method::GET, "/_cluster/health"), "health {}");
        assert_eq!(
            find(Method::GET, "/hats/"),
            "indices.get {\"index\": \"hats\"}"
        );
        assert_eq!(
            find(Method::GET, "/hats/_doc/a%2Fb"),
            "get {\"id\": \"a/b\", \"index\": \"hats\"}"
        );
        assert_eq!(find(Method::POST, "/hats/_doc/1"), "[GET]");
        assert_eq!(
            find(Method::GET, "/_cluster"),
            "indices.get {\"index\": \"_cluster\"}"
        );
        assert_eq!(find(Method::PUT, "/_cluster/health"), "[GET]");
        assert_eq!(find(Method::GET, "/a/b/c/d"), "nothing");
    }
}
