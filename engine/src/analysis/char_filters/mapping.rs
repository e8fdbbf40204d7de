//! The `mapping` char filter: texts to texts, the longest first.

use super::super::definition::Definition;
use super::{CharFilter, FilteredText};
use crate::schema::SchemaError;

#[derive(Debug)]
struct Mapping {
    /// Longest first.
    rules: Vec<(String, String)>,
}

/// Reads `mappings`: `ph => f`.
pub(super) fn build(definition: &Definition) -> Result<Box<dyn CharFilter>, SchemaError> {
    definition.refuse_path("mappings_path")?;
    let mut rules = Vec::new();
    for item in definition.items("mappings") {
        let Some(line) = item.as_str() else { continue };
        // a rule may begin with `#`, a comment has no arrow
        if line.trim_start().starts_with('#') && !line.contains("=>") {
            continue;
        }
        let invalid = || SchemaError::illegal(format!("Invalid Mapping Rule : [{line}]"));
        let (from, to) = line.split_once("=>").ok_or_else(invalid)?;
        let from = unescape(from.trim()).ok_or_else(invalid)?;
        let to = unescape(to.trim()).ok_or_else(invalid)?;
        if from.is_empty() {
            return Err(invalid());
        }
        rules.push((from, to));
    }
    if rules.is_empty() {
        return Err(SchemaError::illegal(
            "mapping requires either `mappings` or `mappings_path` to be configured",
        ));
    }
    rules.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
    Ok(Box::new(Mapping { rules }))
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{C}',
            'u' => {
                let digits: String = chars.by_ref().take(4).collect();
                char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
            }
            other => other,
        });
    }
    Some(out)
}

impl CharFilter for Mapping {
    fn apply(&self, text: &str) -> FilteredText {
        let mut out = FilteredText::default();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            match self
                .rules
                .iter()
                .find(|(from, _)| rest.starts_with(from.as_str()))
            {
                Some((from, to)) => {
                    out.replace(from.len(), to);
                    rest = &rest[from.len()..];
                }
                None => {
                    out.text.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        out
    }
}
