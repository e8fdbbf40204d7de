//! The `elision` filter: leading articles with an apostrophe, like `l'`.

use std::collections::HashSet;

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
struct Elision {
    articles: HashSet<String>,
    ignore_case: bool,
}

/// French articles, the default.
pub(crate) const FRENCH: &[&str] = &[
    "l", "m", "t", "qu", "n", "s", "j", "d", "c", "jusqu", "quoiqu", "lorsqu", "puisqu",
];

/// Reads `articles`, `articles_case`.
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    definition.refuse_path("articles_path")?;
    let given = definition.list("articles");
    // The default list is meant for any case.
    let ignore_case = definition.flag("articles_case", given.is_none())?;
    let articles = match given {
        Some(articles) if ignore_case => articles.iter().map(|a| a.to_lowercase()).collect(),
        Some(articles) => articles.into_iter().collect(),
        None => FRENCH.iter().map(|a| (*a).to_owned()).collect(),
    };
    Ok(Box::new(Elision {
        articles,
        ignore_case,
    }))
}

/// Drops these articles, in any case.
pub(crate) fn articles(articles: &[&str]) -> Box<dyn TokenFilter> {
    Box::new(Elision {
        articles: articles.iter().map(|a| (*a).to_owned()).collect(),
        ignore_case: true,
    })
}

impl TokenFilter for Elision {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.map_text(|text, _| {
            let at = text.find(['\'', '\u{2019}'])?;
            let article = if self.ignore_case {
                text[..at].to_lowercase()
            } else {
                text[..at].to_owned()
            };
            let after = at + text[at..].chars().next().map_or(1, char::len_utf8);
            self.articles
                .contains(&article)
                .then(|| text[after..].to_owned())
        });
    }
}
