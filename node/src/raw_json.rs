//! JSON text in pieces that nobody has read: what is not touched stays as it was written.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// Nesting beyond which values are the same only if their texts are, and objects replace in place of being merged.
const DEPTH_MAX: usize = 100;

/// An object's entries in their order, values unread.
pub struct Entries<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Entries<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push((Cow::Owned(key), value));
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(Visitor)
    }
}

/// An object whose keys can be looked up; of entries with one key the last counts.
struct Object<'a> {
    entries: Vec<(Cow<'a, str>, &'a RawValue)>,
    places: HashMap<Cow<'a, str>, usize>,
}

impl<'a> Object<'a> {
    fn read(text: &'a [u8]) -> Result<Object<'a>, serde_json::Error> {
        let read: Entries<'a> = serde_json::from_slice(text)?;
        let mut object = Object {
            entries: Vec::with_capacity(read.0.len()),
            places: HashMap::with_capacity(read.0.len()),
        };
        for (key, value) in read.0 {
            match object.places.get(&key) {
                Some(place) => object.entries[*place].1 = value,
                None => {
                    object.places.insert(key.clone(), object.entries.len());
                    object.entries.push((key, value));
                }
            }
        }
        Ok(object)
    }

    fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.places.get(key).map(|place| self.entries[*place].1)
    }
}

/// Merges a part into a document, both objects: objects key by key, everything else replaces. Values that do not change
/// keep their text. Tells whether anything changed.
pub fn merge(whole: &[u8], part: &[u8]) -> Result<(Vec<u8>, bool), serde_json::Error> {
    let mut merge = Merge {
        out: Vec::with_capacity(whole.len() + part.len()),
        changed: false,
    };
    merge.objects(&Object::read(whole)?, &Object::read(part)?, 0)?;
    Ok((merge.out, merge.changed))
}

struct Merge {
    out: Vec<u8>,
    changed: bool,
}

impl Merge {
    fn objects(
        &mut self,
        whole: &Object<'_>,
        part: &Object<'_>,
        depth: usize,
    ) -> Result<(), serde_json::Error> {
        let mut comma = "{";
        for (key, old) in &whole.entries {
            self.key(&mut comma, key)?;
            match part.get(key) {
                Some(new) => self.value(old.get(), new.get(), depth)?,
                None => self.out.extend_from_slice(old.get().as_bytes()),
            }
        }
        for (key, new) in &part.entries {
            if whole.get(key).is_none() {
                self.key(&mut comma, key)?;
                self.out.extend_from_slice(new.get().as_bytes());
                self.changed = true;
            }
        }
        if comma == "{" {
            self.out.push(b'{');
        }
        self.out.push(b'}');
        Ok(())
    }

    fn key(&mut self, comma: &mut &str, key: &str) -> Result<(), serde_json::Error> {
        self.out.extend_from_slice(comma.as_bytes());
        *comma = ",";
        serde_json::to_writer(&mut self.out, key)?;
        self.out.push(b':');
        Ok(())
    }

    fn value(&mut self, old: &str, new: &str, depth: usize) -> Result<(), serde_json::Error> {
        let are_objects = old.starts_with('{') && new.starts_with('{');
        if are_objects && depth < DEPTH_MAX {
            return self.objects(
                &Object::read(old.as_bytes())?,
                &Object::read(new.as_bytes())?,
                depth + 1,
            );
        }
        let kept = match is_same(old, new, depth)? {
            true => old,
            false => new,
        };
        self.changed |= kept == new && old != new;
        self.out.extend_from_slice(kept.as_bytes());
        Ok(())
    }
}

/// Whether two values are equal: in any order of keys, however their strings and numbers are written. A whole number is
/// another one than the same with a fraction, and digits that no number type holds count one by one.
fn is_same(a: &str, b: &str, depth: usize) -> Result<bool, serde_json::Error> {
    if a == b || depth >= DEPTH_MAX {
        return Ok(a == b);
    }
    match (a.as_bytes().first(), b.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => {
            let (a, b) = (Object::read(a.as_bytes())?, Object::read(b.as_bytes())?);
            if a.entries.len() != b.entries.len() {
                return Ok(false);
            }
            for (key, left) in &a.entries {
                let same = match b.get(key) {
                    Some(right) => is_same(left.get(), right.get(), depth + 1)?,
                    None => false,
                };
                if !same {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Some(b'['), Some(b'[')) => {
            let (a, b): (Vec<&RawValue>, Vec<&RawValue>) =
                (serde_json::from_str(a)?, serde_json::from_str(b)?);
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b) {
                if !is_same(a.get(), b.get(), depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Some(b'{' | b'['), _) | (_, Some(b'{' | b'[')) => Ok(false),
        _ => {
            let is_whole = |text: &str| !text.contains(['.', 'e', 'E', '"']);
            let (left, right): (Value, Value) =
                (serde_json::from_str(a)?, serde_json::from_str(b)?);
            let is_beyond = |value: &Value, text: &str| value.is_f64() && is_whole(text);
            Ok(left == right && !is_beyond(&left, a) && !is_beyond(&right, b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(whole: &str, part: &str, merged: &str, changes: bool) {
        let (out, changed) = merge(whole.as_bytes(), part.as_bytes()).unwrap();
        assert_eq!(
            (String::from_utf8(out).unwrap().as_str(), changed),
            (merged, changes),
            "{whole} + {part}"
        );
    }

    #[test]
    fn objects_merge_key_by_key() {
        check(
            r#"{"a":1,"b":{"c":1,"d":[1]}}"#,
            r#"{"b":{"d":[2],"e":null}}"#,
            r#"{"a":1,"b":{"c":1,"d":[2],"e":null}}"#,
            true,
        );
        check(r#"{"a":{"b":1}}"#, r#"{"a":2}"#, r#"{"a":2}"#, true);
        check("{}", "{}", "{}", false);
        check("{}", r#"{"a":{}}"#, r#"{"a":{}}"#, true);
    }

    #[test]
    fn what_does_not_change_keeps_its_text() {
        let whole = r#"{"big":123456789012345678901234567890,"long":0.12345678901234567890,"short":1.10,"n":1}"#;
        check(
            whole,
            r#"{"n":2}"#,
            &whole.replace(r#""n":1"#, r#""n":2"#),
            true,
        );
        check(whole, r#"{"short":1.1,"n":1}"#, whole, false);
    }

    #[test]
    fn equal_values_are_no_change() {
        let whole = r#"{"a":[{"x":1,"y":"\u0041"}]}"#;
        check(whole, r#"{"a":[{"y":"A","x":1}]}"#, whole, false);
        check(r#"{"a":1}"#, r#"{"a":1.0}"#, r#"{"a":1.0}"#, true);
        check(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, r#"{"a":[1,2]}"#, true);
        check(r#"{"a":[1]}"#, r#"{"a":"[1]"}"#, r#"{"a":"[1]"}"#, true);
        check(
            r#"{"a":123456789012345678901234567890}"#,
            r#"{"a":123456789012345678901234567891}"#,
            r#"{"a":123456789012345678901234567891}"#,
            true,
        );
    }

    #[test]
    fn of_a_key_that_stands_twice_the_last_counts() {
        check(
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"b":4,"b":5}"#,
            r#"{"a":3,"b":5}"#,
            true,
        );
    }
}
