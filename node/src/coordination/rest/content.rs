//! Bodies in JSON, YAML, CBOR and SMILE, in and out.

use bytes::Bytes;
use serde_json::Value;

use super::RestError;

/// The formats that bodies may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`
    Json,
    /// `application/x-ndjson`: one JSON value a line.
    NdJson,
    /// `application/yaml`
    Yaml,
    /// `application/cbor`
    Cbor,
    /// `application/smile`
    Smile,
}

impl MediaType {
    /// What a `Content-Type` or `Accept` header names, without regard to its parameters.
    pub fn from_header(header: &str) -> Option<MediaType> {
        let essence = header.split(';').next()?.trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(MediaType::Json),
            "application/x-ndjson" => Some(MediaType::NdJson),
            "application/yaml" => Some(MediaType::Yaml),
            "application/cbor" => Some(MediaType::Cbor),
            "application/smile" => Some(MediaType::Smile),
            _ => None,
        }
    }

    /// What `?format=` names.
    pub fn from_short_name(name: &str) -> Option<MediaType> {
        match name.to_ascii_lowercase().as_str() {
            "json" => Some(MediaType::Json),
            "yaml" => Some(MediaType::Yaml),
            "cbor" => Some(MediaType::Cbor),
            "smile" => Some(MediaType::Smile),
            _ => None,
        }
    }

    /// The `Content-Type` of answers in this format.
    pub fn header(self) -> &'static str {
        match self {
            MediaType::Json | MediaType::NdJson => "application/json; charset=UTF-8",
            MediaType::Yaml => "application/yaml",
            MediaType::Cbor => "application/cbor",
            MediaType::Smile => "application/smile",
        }
    }
}

/// Reads one value; a mistake is a 400 that says where it is.
pub fn parse_value(body: &[u8], media: MediaType) -> Result<Value, RestError> {
    match media {
        MediaType::Json | MediaType::NdJson => {
            serde_json::from_slice(body).map_err(|error| json_mistake(&error))
        }
        MediaType::Yaml => {
            let text = std::str::from_utf8(body)
                .map_err(|error| mistake(format!("invalid UTF-8 in YAML: {error}")))?;
            serde_saphyr::from_str(text).map_err(|error| mistake(error.to_string()))
        }
        MediaType::Cbor => ciborium::from_reader(body).map_err(|error| mistake(error.to_string())),
        MediaType::Smile => {
            serde_smile::from_slice(body).map_err(|error| mistake(error.to_string()))
        }
    }
}

/// The body as JSON text. JSON itself is passed on as it is, unread.
pub fn to_json_bytes(body: &Bytes, media: MediaType) -> Result<Bytes, RestError> {
    match media {
        MediaType::Json | MediaType::NdJson => Ok(body.clone()),
        MediaType::Yaml | MediaType::Cbor | MediaType::Smile => {
            Ok(Bytes::from(parse_value(body, media)?.to_string()))
        }
    }
}

/// Writes compact JSON text in another format.
pub fn encode_json_as(json: &[u8], media: MediaType) -> Result<Vec<u8>, RestError> {
    let internal = |error: &dyn std::fmt::Display| RestError::internal(error.to_string());
    let value: Value = serde_json::from_slice(json).map_err(|error| internal(&error))?;
    match media {
        MediaType::Json | MediaType::NdJson => Ok(json.to_vec()),
        MediaType::Yaml => {
            let text = serde_saphyr::to_string(&value).map_err(|error| internal(&error))?;
            Ok(format!("---\n{text}").into_bytes())
        }
        MediaType::Cbor => {
            let mut out = Vec::new();
            ciborium::into_writer(&value, &mut out).map_err(|error| internal(&error))?;
            Ok(out)
        }
        MediaType::Smile => serde_smile::to_vec(&value).map_err(|error| internal(&error)),
    }
}

/// What serde_json found wrong, as a 400.
pub fn json_mistake(error: &serde_json::Error) -> RestError {
    let text = error.to_string();
    let text = match text.find(" at line ") {
        Some(at) => &text[..at],
        None => text.as_str(),
    };
    let kind = match error.classify() {
        serde_json::error::Category::Eof => "json_e_o_f_exception",
        _ => "json_parse_exception",
    };
    RestError::new(
        400,
        kind,
        format!(
            "{text}\n at [line: {}, column: {}]",
            error.line(),
            error.column()
        ),
    )
    .with("line", error.line())
    .with("col", error.column())
}

fn mistake(reason: String) -> RestError {
    RestError::new(
        400,
        "parse_exception",
        format!("failed to parse content: {reason}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_format_comes_back() {
        let value = json!({"a": [1, -2, 1.5, "x", null, true], "b": {"c": "d: e"}});
        let text = value.to_string();
        for media in [
            MediaType::Json,
            MediaType::Yaml,
            MediaType::Cbor,
            MediaType::Smile,
        ] {
            let encoded = encode_json_as(text.as_bytes(), media).unwrap();
            assert_eq!(parse_value(&encoded, media).unwrap(), value, "{media:?}");
        }
    }

    #[test]
    fn a_mistake_has_a_place() {
        let error = parse_value(b"{\"a\":\n x}", MediaType::Json).unwrap_err();
        assert_eq!(error.status, 400);
        assert_eq!(error.metadata["line"], 2);
        assert_eq!(error.kind, "json_parse_exception");
        assert_eq!(
            parse_value(b"{", MediaType::Json).unwrap_err().kind,
            "json_e_o_f_exception"
        );
    }

    #[test]
    fn headers_may_have_parameters() {
        assert_eq!(
            MediaType::from_header("application/JSON; charset=UTF-8"),
            Some(MediaType::Json)
        );
        assert_eq!(MediaType::from_header("text/plain"), None);
    }
}
