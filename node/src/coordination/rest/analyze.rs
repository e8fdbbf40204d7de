//! `_analyze`: the tokens that an analyzer makes of a text.

use std::sync::Arc;

use hyper::Method;
use quidditch_engine::analysis::{
    AnalysisRegistry, AnalyzeReport, AnalyzeStage, Analyzer, OwnedToken,
};
use quidditch_engine::schema::IndexSchema;
use serde_json::{Map, Value, json};

use super::search_params::{body_value, locate};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::IndicesOptions;
use crate::coordination::dsl::{Json, ParseError};

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "indices.analyze",
    routes: &[
        (Method::GET, "/_analyze"),
        (Method::POST, "/_analyze"),
        (Method::GET, "/{index}/_analyze"),
        (Method::POST, "/{index}/_analyze"),
    ],
    params: &[],
    handler: |app, request| Box::pin(analyze(app, request)),
}];

/// What the body asks for.
#[derive(Default)]
struct Ask {
    texts: Vec<String>,
    analyzer: Option<String>,
    normalizer: Option<String>,
    field: Option<String>,
    tokenizer: Option<Value>,
    filters: Option<Value>,
    char_filters: Option<Value>,
    explain: bool,
    attributes: Vec<String>,
}

async fn analyze(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let ask = match body_value(&request)? {
        Some(body) => parse(&Json::root(&body)).map_err(|error| locate(&request, error))?,
        None => {
            return Err(RestError::new(
                400,
                "parse_exception",
                "request body or source parameter is required",
            ));
        }
    };
    let name = request.var("index").or_else(|| request.params.get("index"));
    check(&ask, name)?;
    let schema = match name {
        Some(name) => {
            let found = app
                .state()
                .resolve(name, &IndicesOptions::SINGLE, app.now_ms())?;
            let Some(index) = found.first() else {
                return Err(RestError::index_not_found(name));
            };
            Some(index.metadata.schema.clone())
        }
        None => None,
    };
    let built_in = AnalysisRegistry::global();
    let registry = schema.as_ref().map_or(&built_in, |schema| &schema.analysis);
    let analyzer = choose(&ask, registry, schema.as_deref())?;
    let texts: Vec<&str> = ask.texts.iter().map(String::as_str).collect();
    let report = analyzer.explain(&texts);
    let most = schema
        .as_ref()
        .map_or(10_000, |schema| schema.settings.analyze_max_token_count);
    if report.tokens.len() > most {
        return Err(RestError::new(
            500,
            "illegal_state_exception",
            format!(
                "The number of tokens produced by calling _analyze has exceeded the allowed maximum of [{most}]. This \
                 limit can be set by changing the [index.analyze.max_token_count] index level setting."
            ),
        ));
    }
    if ask.explain {
        return Ok(RestResponse::ok(
            &json!({"detail": detail(&report, &ask.attributes)}),
        ));
    }
    Ok(RestResponse::ok(&json!({"tokens": report.tokens})))
}

fn parse(body: &Json<'_>) -> Result<Ask, ParseError> {
    let mut ask = Ask::default();
    if !body.is_object() {
        return Err(body.parsing(format!(
            "Expected [START_OBJECT] but found [{}]",
            body.token()
        )));
    }
    for (key, value) in body.members() {
        match key {
            "text" => ask.texts = value.texts()?,
            "analyzer" => ask.analyzer = Some(value.text()?),
            "normalizer" => ask.normalizer = Some(value.text()?),
            "field" => ask.field = Some(value.text()?),
            "tokenizer" => ask.tokenizer = Some(value.value().clone()),
            "filter" => ask.filters = Some(value.value().clone()),
            "char_filter" => ask.char_filters = Some(value.value().clone()),
            "explain" => ask.explain = value.bool()?,
            "attributes" => ask.attributes = value.texts()?,
            _ => return Err(value.content(format!("[analyze_request] unknown field [{key}]"))),
        }
    }
    Ok(ask)
}

/// The mistakes that OpenSearch lists before it does anything.
fn check(ask: &Ask, index: Option<&str>) -> Result<(), RestError> {
    let mut mistakes: Vec<&str> = Vec::new();
    if ask.texts.is_empty() {
        mistakes.push("text is missing");
    }
    if index.is_none() && ask.normalizer.is_some() {
        mistakes.push("index is required if normalizer is specified");
    }
    if ask.normalizer.is_some() && (ask.tokenizer.is_some() || ask.analyzer.is_some()) {
        mistakes.push("tokenizer/analyze should be null if normalizer is specified");
    }
    let parts = ask.tokenizer.is_some() || ask.filters.is_some() || ask.char_filters.is_some();
    if ask.analyzer.is_some() && parts {
        mistakes.push("cannot define extra components on a named analyzer");
    }
    if ask.normalizer.is_some() && (ask.filters.is_some() || ask.char_filters.is_some()) {
        mistakes.push("cannot define extra components on a named normalizer");
    }
    if ask.field.is_some() && parts {
        mistakes.push("cannot define extra components on a field-specific analyzer");
    }
    if mistakes.is_empty() {
        return Ok(());
    }
    let mistakes: Vec<String> = mistakes.into_iter().map(str::to_owned).collect();
    Err(RestError::validation(&mistakes))
}

fn choose(
    ask: &Ask,
    registry: &AnalysisRegistry,
    schema: Option<&IndexSchema>,
) -> Result<Arc<Analyzer>, RestError> {
    if let Some(name) = &ask.analyzer {
        return registry.analyzer(name).ok_or_else(|| {
            RestError::illegal_argument(match schema {
                Some(_) => format!("failed to find analyzer [{name}]"),
                None => format!("failed to find global analyzer [{name}]"),
            })
        });
    }
    if let Some(name) = &ask.normalizer {
        return registry.normalizer(name).ok_or_else(|| {
            RestError::illegal_argument(format!("failed to find normalizer under [{name}]"))
        });
    }
    if ask.tokenizer.is_some() || ask.filters.is_some() || ask.char_filters.is_some() {
        let mut spec = Map::new();
        for (key, part) in [
            ("tokenizer", &ask.tokenizer),
            ("filter", &ask.filters),
            ("char_filter", &ask.char_filters),
        ] {
            if let Some(part) = part {
                spec.insert(key.to_owned(), part.clone());
            }
        }
        return Ok(registry.build_custom(&Value::Object(spec))?);
    }
    if let Some(path) = &ask.field {
        let Some(schema) = schema else {
            return Err(RestError::illegal_argument(
                "analysis based on a specific field requires an index",
            ));
        };
        if let Some(field) = schema.mapping.field(path) {
            return Ok(field.index_analyzer().clone());
        }
    }
    let fallback = schema
        .and_then(|_| registry.analyzer("default"))
        .or_else(|| registry.analyzer("standard"));
    fallback.ok_or_else(|| RestError::internal("there is no standard analyzer"))
}

fn detail(report: &AnalyzeReport, attributes: &[String]) -> Value {
    let mut shown = Map::new();
    shown.insert("custom_analyzer".into(), Value::from(report.custom));
    if let (false, Some(name)) = (report.custom, &report.analyzer) {
        shown.insert(
            "analyzer".into(),
            json!({"name": name, "tokens": tokens(&report.tokens, attributes)}),
        );
        return Value::Object(shown);
    }
    if !report.char_filters.is_empty() {
        let filters: Vec<Value> = report
            .char_filters
            .iter()
            .map(|stage| json!({"name": stage.name, "filtered_text": stage.filtered_text}))
            .collect();
        shown.insert("charfilters".into(), Value::from(filters));
    }
    if let Some(tokenizer) = &report.tokenizer {
        shown.insert("tokenizer".into(), stage_json(tokenizer, attributes));
    }
    if !report.filters.is_empty() {
        let filters: Vec<Value> = report
            .filters
            .iter()
            .map(|stage| stage_json(stage, attributes))
            .collect();
        shown.insert("tokenfilters".into(), Value::from(filters));
    }
    Value::Object(shown)
}

fn stage_json(stage: &AnalyzeStage, attributes: &[String]) -> Value {
    json!({"name": stage.name, "tokens": tokens(&stage.tokens, attributes)})
}

/// Tokens with all that is known of them, or with the attributes that were asked for.
fn tokens(tokens: &[OwnedToken], attributes: &[String]) -> Vec<Value> {
    let mut shown = Vec::new();
    for token in tokens {
        let bytes: Vec<String> = token
            .token
            .bytes()
            .map(|byte| format!("{byte:x}"))
            .collect();
        let mut one = Map::new();
        one.insert("token".into(), Value::from(token.token.as_str()));
        one.insert("start_offset".into(), Value::from(token.start_offset));
        one.insert("end_offset".into(), Value::from(token.end_offset));
        one.insert("type".into(), Value::from(token.kind.as_str()));
        one.insert("position".into(), Value::from(token.position));
        let extra = [
            ("bytes", Value::from(format!("[{}]", bytes.join(" ")))),
            ("keyword", Value::from(token.keyword)),
            ("positionLength", Value::from(token.position_length)),
            ("termFrequency", Value::from(1)),
        ];
        for (name, value) in extra {
            if attributes.is_empty()
                || attributes
                    .iter()
                    .any(|asked| asked.eq_ignore_ascii_case(name))
            {
                one.insert(name.to_owned(), value);
            }
        }
        shown.push(Value::Object(one));
    }
    shown
}
