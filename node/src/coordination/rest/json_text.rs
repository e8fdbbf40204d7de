//! Work on JSON text itself, so that numbers and escapes stay as their author wrote them.

/// Lays out compact, valid JSON as OpenSearch does for `?pretty`: two blanks, `" : "`, a newline at the end.
pub fn pretty(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let mut depth = 0usize;
    let mut at = 0;
    while at < compact.len() {
        let byte = compact[at];
        match byte {
            b'"' => {
                let end = string_end(compact, at);
                out.extend_from_slice(&compact[at..end]);
                at = end;
                continue;
            }
            b'{' | b'[' => {
                let close = if byte == b'{' { b'}' } else { b']' };
                let next = skip_blanks(compact, at + 1);
                if compact.get(next) == Some(&close) {
                    // OpenSearch writes empty containers with one blank inside
                    out.extend_from_slice(&[byte, b' ', close]);
                    at = next + 1;
                    continue;
                }
                depth += 1;
                out.push(byte);
                new_line(&mut out, depth);
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(b',');
                new_line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b" : "),
            b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => out.push(byte),
        }
        at += 1;
    }
    out.push(b'\n');
    out
}

/// The place behind the string that starts with the quote at `start`; the end of the text if it never ends.
pub fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn skip_blanks(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn new_line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    for _ in 0..depth {
        out.extend_from_slice(b"  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn lays_out_as_opensearch_does() {
        let compact = r#"{"a":[1,{"b":"x:,{"}],"c":{},"d":[],"e":1.10}"#;
        let expected = "{\n  \"a\" : [\n    1,\n    {\n      \"b\" : \"x:,{\"\n    }\n  ],\n  \"c\" : { },\n  \"d\" : [ ],\n  \"e\" : 1.10\n}\n";
        assert_eq!(
            String::from_utf8(pretty(compact.as_bytes())).unwrap(),
            expected
        );
    }

    proptest! {
        #[test]
        fn changes_no_value(text in ".*", number: i64, flag: bool) {
            let value = json!({"k": [text, {"n": number, text.as_str(): flag}, null]});
            let laid_out = pretty(value.to_string().as_bytes());
            prop_assert_eq!(serde_json::from_slice::<Value>(&laid_out).unwrap(), value);
        }
    }
}
