//! The `html_strip` char filter: tags and comments go, entities become characters.

use std::collections::HashSet;

use super::super::definition::Definition;
use super::{CharFilter, FilteredText};
use crate::schema::SchemaError;

#[derive(Debug)]
struct HtmlStrip {
    escaped_tags: HashSet<String>,
}

/// Reads `escaped_tags`: tags that stay.
pub(super) fn build(definition: &Definition) -> Result<Box<dyn CharFilter>, SchemaError> {
    Ok(Box::new(HtmlStrip {
        escaped_tags: definition
            .list("escaped_tags")
            .unwrap_or_default()
            .into_iter()
            .collect(),
    }))
}

/// Tags inside a line of text: they leave nothing behind, others a line break.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "basefont", "bdo", "big", "cite", "code", "dfn", "em", "font",
    "i", "img", "input", "kbd", "label", "q", "s", "samp", "select", "small", "span", "strike",
    "strong", "sub", "sup", "textarea", "tt", "u", "var",
];

/// The entities of everyday text; numeric ones are always known.
const ENTITIES: &[(&str, &str)] = &[
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("hellip", "…"),
    ("mdash", "—"),
    ("ndash", "–"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("bull", "•"),
    ("middot", "·"),
    ("sect", "§"),
    ("para", "¶"),
    ("deg", "°"),
    ("plusmn", "±"),
    ("frac12", "½"),
    ("frac14", "¼"),
    ("times", "×"),
    ("divide", "÷"),
    ("cent", "¢"),
    ("pound", "£"),
    ("yen", "¥"),
    ("euro", "€"),
    ("iexcl", "¡"),
    ("iquest", "¿"),
    ("szlig", "ß"),
    ("AElig", "Æ"),
    ("aelig", "æ"),
    ("OElig", "Œ"),
    ("oelig", "œ"),
    ("Oslash", "Ø"),
    ("oslash", "ø"),
    ("Aring", "Å"),
    ("aring", "å"),
    ("ETH", "Ð"),
    ("eth", "ð"),
    ("THORN", "Þ"),
    ("thorn", "þ"),
    ("Ccedil", "Ç"),
    ("ccedil", "ç"),
    ("Ntilde", "Ñ"),
    ("ntilde", "ñ"),
    ("Atilde", "Ã"),
    ("atilde", "ã"),
    ("Otilde", "Õ"),
    ("otilde", "õ"),
    ("Agrave", "À"),
    ("agrave", "à"),
    ("Aacute", "Á"),
    ("aacute", "á"),
    ("Acirc", "Â"),
    ("acirc", "â"),
    ("Auml", "Ä"),
    ("auml", "ä"),
    ("Egrave", "È"),
    ("egrave", "è"),
    ("Eacute", "É"),
    ("eacute", "é"),
    ("Ecirc", "Ê"),
    ("ecirc", "ê"),
    ("Euml", "Ë"),
    ("euml", "ë"),
    ("Igrave", "Ì"),
    ("igrave", "ì"),
    ("Iacute", "Í"),
    ("iacute", "í"),
    ("Icirc", "Î"),
    ("icirc", "î"),
    ("Iuml", "Ï"),
    ("iuml", "ï"),
    ("Ograve", "Ò"),
    ("ograve", "ò"),
    ("Oacute", "Ó"),
    ("oacute", "ó"),
    ("Ocirc", "Ô"),
    ("ocirc", "ô"),
    ("Ouml", "Ö"),
    ("ouml", "ö"),
    ("Ugrave", "Ù"),
    ("ugrave", "ù"),
    ("Uacute", "Ú"),
    ("uacute", "ú"),
    ("Ucirc", "Û"),
    ("ucirc", "û"),
    ("Uuml", "Ü"),
    ("uuml", "ü"),
    ("Yacute", "Ý"),
    ("yacute", "ý"),
    ("yuml", "ÿ"),
];

impl CharFilter for HtmlStrip {
    fn apply(&self, text: &str) -> FilteredText {
        let mut out = FilteredText::default();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let found = match c {
                '<' => self.tag(rest),
                '&' => entity(rest),
                _ => None,
            };
            match found {
                Some((taken, put)) => {
                    out.replace(taken, &put);
                    rest = &rest[taken..];
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

impl HtmlStrip {
    /// A tag, comment or declaration: its length, and what takes its place.
    fn tag(&self, text: &str) -> Option<(usize, String)> {
        if let Some(body) = text.strip_prefix("<!--") {
            let end = body.find("-->")?;
            return Some((4 + end + 3, String::new()));
        }
        if text.starts_with("<!") || text.starts_with("<?") {
            return Some((text.find('>')? + 1, String::new()));
        }
        let closing = text.starts_with("</");
        let name_start = if closing { 2 } else { 1 };
        let name: String = text[name_start..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '_'))
            .collect();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let mut quote = None;
        let end = text
            .char_indices()
            .skip(name_start + name.len())
            .find(|(_, c)| {
                match (quote, c) {
                    (None, '>') => return true,
                    (None, '"' | '\'') => quote = Some(*c),
                    (Some(open), c) if open == *c => quote = None,
                    _ => {}
                }
                false
            });
        let end = end?.0 + 1;
        let lower = name.to_ascii_lowercase();
        if self.escaped_tags.contains(&name) || self.escaped_tags.contains(&lower) {
            return None;
        }
        if !closing && matches!(lower.as_str(), "script" | "style") && !text[..end].ends_with("/>")
        {
            let close = format!("</{lower}");
            let body = text[end..].to_ascii_lowercase();
            if let Some(at) = body.find(&close)
                && let Some(after) = body[at..].find('>')
            {
                return Some((end + at + after + 1, "\n".to_owned()));
            }
        }
        let put = if INLINE.contains(&lower.as_str()) {
            ""
        } else {
            "\n"
        };
        Some((end, put.to_owned()))
    }
}

/// An entity: its length, and its characters.
fn entity(text: &str) -> Option<(usize, String)> {
    let body = &text[1..];
    let end = body
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '#'))
        .unwrap_or(body.len());
    let name = &body[..end];
    let semicolon = usize::from(body[end..].starts_with(';'));
    let taken = 1 + end + semicolon;
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return Some((taken, char::from_u32(code)?.to_string()));
    }
    if semicolon == 0 {
        return None;
    }
    let (_, put) = ENTITIES.iter().find(|(known, _)| *known == name)?;
    Some((taken, (*put).to_owned()))
}
