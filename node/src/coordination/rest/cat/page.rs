//! `_list`: the long tables of `_cat`, a page at a time, in the order in which indices were made.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::coordination::rest::{RestError, RestRequest};

/// Place of a row in the whole list: when its index was made, the index's name, the shard's number.
pub type Place = (i64, String, u32);

/// Which page a request wants.
#[derive(Debug)]
pub struct PageRequest {
    is_descending: bool,
    size: usize,
    /// The last place of the page before.
    after: Option<Place>,
}

impl PageRequest {
    /// Reads `next_token`, `size` and `sort`; `None` for a path of `_cat`, whose tables come whole.
    ///
    /// * `sizes`: least, usual and greatest size of a page.
    pub fn parse(
        request: &RestRequest,
        sizes: (usize, usize, usize),
    ) -> Result<Option<PageRequest>, RestError> {
        if !request.path.starts_with("/_list/") {
            return Ok(None);
        }
        let (least, usual, greatest) = sizes;
        let size = match request.params.opt_int("size")? {
            None => usual,
            Some(size) => usize::try_from(size)
                .ok()
                .filter(|size| (least..=greatest).contains(size))
                .ok_or_else(|| {
                    RestError::illegal_argument(format!(
                        "size should be in range [{least}, {greatest}]"
                    ))
                })?,
        };
        let is_descending = match request.params.get("sort") {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => {
                return Err(RestError::illegal_argument(
                    "value of sort can either be asc or desc",
                ));
            }
        };
        let after = match request.params.get("next_token") {
            None | Some("null") => None,
            Some(token) => Some(decode(token).ok_or_else(|| {
                RestError::illegal_argument(
                    "Parameter [next_token] has been tainted and is incorrect. Please provide a valid [next_token].",
                )
            })?),
        };
        Ok(Some(PageRequest {
            is_descending,
            size,
            after,
        }))
    }

    /// The rows of the page, and the token of the next one if there is one.
    pub fn cut<T>(&self, mut rows: Vec<(Place, T)>) -> (Vec<T>, Option<String>) {
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        if self.is_descending {
            rows.reverse();
        }
        if let Some(after) = &self.after {
            rows.retain(|(place, _)| match self.is_descending {
                true => place < after,
                false => place > after,
            });
        }
        let mut token = None;
        if rows.len() > self.size {
            rows.truncate(self.size);
            token = rows.last().map(|(place, _)| encode(place));
        }
        (rows.into_iter().map(|(_, row)| row).collect(), token)
    }
}

fn encode((made_ms, index, shard): &Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{made_ms}|{shard}|{index}"))
}

fn decode(token: &str) -> Option<Place> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let mut parts = text.splitn(3, '|');
    let made_ms = parts.next()?.parse().ok()?;
    let shard = parts.next()?.parse().ok()?;
    let index = parts.next()?.to_owned();
    Some((made_ms, index, shard))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<(Place, u32)> {
        (0..5)
            .map(|i| ((i64::from(i / 2), format!("i{i}"), 0), i))
            .collect()
    }

    #[test]
    fn pages_follow_each_other_in_both_orders() {
        for (is_descending, expected) in [(false, [0, 1, 2, 3, 4]), (true, [4, 3, 2, 1, 0])] {
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let page = PageRequest {
                    is_descending,
                    size: 2,
                    after,
                };
                let (rows, token) = page.cut(rows());
                seen.extend(rows);
                let Some(token) = token else { break };
                after = Some(decode(&token).unwrap());
            }
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn a_token_that_nobody_gave_is_refused() {
        for token in ["", "%", "YWJj", "MXwyfA=="] {
            assert_eq!(decode(token), None, "{token}");
        }
    }
}
