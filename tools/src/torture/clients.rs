//! Clients: they write, read and search, and enter what they were told.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::history::{Action, Operation, Outcome, Place, Value};
use super::random::Random;
use super::world::{Document, World, index_name};
use crate::cluster::http::{Answer, NoAnswer};

/// Documents that the clients of an index share at one time.
const DOCUMENTS: u64 = 8;
/// How long a request may wait in the cluster for a shard.
const TIMEOUT: &str = "5s";
/// Writes of a hundred that go as a `_bulk`.
const BULKS: u64 = 30;
/// When nobody listens anywhere.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes and reads documents of one index until the run ends.
pub fn write_and_read(world: &World, client: u32, index: usize, mut random: Random) {
    // where this client saw what, on the page that it is on
    let mut seen: BTreeMap<u64, (Value, Place)> = BTreeMap::new();
    let mut page = 0;
    while world.goes_on() {
        let newest = world.page.load(Ordering::Relaxed);
        if newest != page {
            page = newest;
            seen.clear();
        }
        let document = Document {
            index,
            page,
            number: random.below(DOCUMENTS),
        };
        let known = seen.get(&document.number).copied();
        let action = match (random.below(100), known) {
            (0..25, _) => Action::Put(world.fresh_value()),
            (25..35, _) => Action::Create(world.fresh_value()),
            (35..60, Some((expected, _))) => Action::PutIf {
                value: world.fresh_value(),
                expected,
            },
            (60..68, _) => Action::Delete,
            _ => Action::Get,
        };
        let told = act(
            world,
            client,
            document,
            action,
            known.map(|(_, place)| place),
            &mut random,
        );
        match (told, action.value()) {
            (Some(Outcome::Found(value, place)), _)
            | (Some(Outcome::Created(place) | Outcome::Updated(place)), Some(value)) => {
                seen.insert(document.number, (value, place));
            }
            (None, _) => std::thread::sleep(PAUSE),
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(random.below(10)));
    }
}

/// Does one operation and enters it; `None`: nobody was there to ask.
pub fn act(
    world: &World,
    client: u32,
    document: Document,
    action: Action,
    place: Option<Place>,
    random: &mut Random,
) -> Option<Outcome> {
    let (method, path, body) = match random.percent(BULKS) && action != Action::Get {
        true => bulk(document, action, place)?,
        false => single(document, action, place)?,
    };
    let called = world.now();
    let answer = world.ask(random, method, &path, &body);
    let returned = world.now();
    let outcome = match answer.map(item) {
        Err(NoAnswer {
            never_sent: true, ..
        }) => return None,
        Err(_) => Outcome::Unknown,
        Ok(answer) => match outcome(action, &answer) {
            Ok(outcome) => outcome,
            Err(why) => {
                world.problem(format!("{method} {path}: {why}"));
                Outcome::Unknown
            }
        },
    };
    let counts = &world.counts;
    match (action, outcome) {
        (Action::Get, Outcome::Unknown) => {
            counts.unread.fetch_add(1, Ordering::Relaxed);
            return Some(outcome);
        }
        (_, Outcome::Unknown) => counts.unknown.fetch_add(1, Ordering::Relaxed),
        // a refusal is an answer, but nothing was written
        (Action::Get, _) | (_, Outcome::Conflict) => counts.known.fetch_add(1, Ordering::Relaxed),
        _ => {
            world.enter_write(document.index, returned);
            counts.known.fetch_add(1, Ordering::Relaxed)
        }
    };
    let operation = Operation {
        client,
        called,
        returned,
        action,
        outcome,
    };
    world.enter(document, operation);
    Some(outcome)
}

/// Method, path and body of a request.
type Request = (&'static str, String, String);

/// The operation as a request of its own; `None`: there is no place for its condition.
fn single(document: Document, action: Action, place: Option<Place>) -> Option<Request> {
    let (index, id) = (index_name(document.index), document.id());
    let (method, path) = match action {
        Action::Put(_) => ("PUT", format!("/{index}/_doc/{id}?timeout={TIMEOUT}")),
        Action::Create(_) => ("PUT", format!("/{index}/_create/{id}?timeout={TIMEOUT}")),
        Action::PutIf { .. } => {
            let Place { term, seq_no } = place?;
            let condition = format!("if_primary_term={term}&if_seq_no={seq_no}");
            (
                "PUT",
                format!("/{index}/_doc/{id}?timeout={TIMEOUT}&{condition}"),
            )
        }
        Action::Delete => ("DELETE", format!("/{index}/_doc/{id}?timeout={TIMEOUT}")),
        Action::Get => ("GET", format!("/{index}/_doc/{id}")),
    };
    Some((method, path, source(document, action)))
}

/// The same write as the only one of a `_bulk`.
fn bulk(document: Document, action: Action, place: Option<Place>) -> Option<Request> {
    let id = document.id();
    let header = match action {
        Action::Put(_) => json!({"index": {"_id": id}}),
        Action::Create(_) => json!({"create": {"_id": id}}),
        Action::PutIf { .. } => {
            let Place { term, seq_no } = place?;
            json!({"index": {"_id": id, "if_primary_term": term, "if_seq_no": seq_no}})
        }
        Action::Delete => json!({"delete": {"_id": id}}),
        Action::Get => return None,
    };
    let path = format!("/{}/_bulk?timeout={TIMEOUT}", index_name(document.index));
    let body = match action.value() {
        Some(_) => format!("{header}\n{}\n", source(document, action)),
        None => format!("{header}\n"),
    };
    Some(("POST", path, body))
}

fn source(document: Document, action: Action) -> String {
    match action.value() {
        Some(value) => format!("{{\"value\":{value},\"document\":\"{}\"}}", document.id()),
        None => String::new(),
    }
}

/// The answer to the only operation of a `_bulk`; other answers as they are.
fn item(answer: Answer) -> Answer {
    let body: Json = serde_json::from_str(&answer.body).unwrap_or_default();
    let items = body["items"].as_array().and_then(|items| items.first());
    let Some((_, told)) = items
        .and_then(Json::as_object)
        .and_then(|item| item.iter().next())
    else {
        return answer;
    };
    Answer {
        status: told["status"]
            .as_u64()
            .map_or(answer.status, |status| status as u16),
        body: told.to_string(),
    }
}

/// What an answer means.
fn outcome(action: Action, answer: &Answer) -> Result<Outcome, String> {
    let told = format!("answered {}: {}", answer.status, answer.body);
    let body: Json = match answer.status {
        // not done, done, or done in part: nobody promises which
        429 | 500..=599 => return Ok(Outcome::Unknown),
        409 => {
            return match action {
                Action::Create(_) | Action::PutIf { .. } => Ok(Outcome::Conflict),
                _ => Err(told),
            };
        }
        200 | 201 | 404 => serde_json::from_str(&answer.body).map_err(|_| told.clone())?,
        _ => return Err(told),
    };
    let place = body["_primary_term"]
        .as_u64()
        .zip(body["_seq_no"].as_u64())
        .map(|(term, seq_no)| Place { term, seq_no });
    match (action, body["result"].as_str(), place) {
        (Action::Get, ..) if body["found"] == Json::Bool(false) => Ok(Outcome::Missing),
        (Action::Get, _, Some(place)) => {
            let value = body["_source"]["value"].as_u64().ok_or(told)?;
            Ok(Outcome::Found(value, place))
        }
        (Action::Delete, Some("deleted"), Some(place)) => Ok(Outcome::Deleted(place)),
        (Action::Delete, Some("not_found"), _) => Ok(Outcome::NotFound),
        (_, Some("created"), Some(place)) => Ok(Outcome::Created(place)),
        (_, Some("updated"), Some(place)) => Ok(Outcome::Updated(place)),
        _ => Err(told),
    }
}

/// Searches an index until the run ends; looks whether what it finds can be.
pub fn search(world: &World, mut random: Random) {
    while world.goes_on() {
        let index = usize::try_from(random.below(world.indices as u64)).unwrap_or(0);
        let path = format!("/{}/_search?size=50", index_name(index));
        let body = r#"{"query": {"range": {"value": {"gte": 1}}}, "sort": [{"value": "desc"}]}"#;
        let counts = &world.counts;
        let counter = match world.ask(&mut random, "POST", &path, body) {
            Ok(answer) if answer.status == 200 => match found(&answer.body, world.values_end()) {
                Ok(true) => &counts.searches,
                Ok(false) => &counts.partial,
                Err(why) => {
                    world.problem(format!("{path}: {why}"));
                    &counts.failed_searches
                }
            },
            Ok(answer) if answer.status >= 500 || answer.status == 429 => &counts.failed_searches,
            Ok(answer) => {
                let told = format!("answered {}: {}", answer.status, answer.body);
                world.problem(format!("{path} {told}"));
                &counts.failed_searches
            }
            Err(_) => &counts.failed_searches,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(10 + random.below(40)));
    }
}

/// Looks at hits: each is a document that was written, as it was written. Whether all shards answered.
fn found(body: &str, values_end: u64) -> Result<bool, String> {
    let body: Json = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let hits = body["hits"]["hits"].as_array().ok_or("there are no hits")?;
    for hit in hits {
        let value = hit["_source"]["value"].as_u64();
        if value.is_none_or(|value| value == 0 || value >= values_end) {
            return Err(format!("found what nobody wrote: {hit}"));
        }
        if hit["_source"]["document"] != hit["_id"] {
            return Err(format!("found the text of another document: {hit}"));
        }
    }
    Ok(body["_shards"]["failed"] == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            body: body.to_owned(),
        }
    }

    #[test]
    fn a_write_in_a_bulk_is_told_like_one_by_itself() {
        let document = Document {
            index: 0,
            page: 1,
            number: 2,
        };
        let place = Place { term: 2, seq_no: 7 };
        let action = Action::PutIf {
            value: 5,
            expected: 4,
        };
        let (_, _, alone) = single(document, action, Some(place)).unwrap();
        let (_, path, body) = bulk(document, action, Some(place)).unwrap();
        assert!(path.contains("/_bulk?"), "{path}");
        assert!(body.ends_with(&format!("{alone}\n")), "{body}");
        assert!(body.contains(r#""if_seq_no":7"#), "{body}");
        assert_eq!(bulk(document, Action::Get, None), None);
        let refused = r#"{"errors": true, "items": [{"index": {"status": 409, "error": {}}}]}"#;
        let told = item(answer(200, refused));
        assert_eq!(outcome(action, &told), Ok(Outcome::Conflict));
        let whole = item(answer(503, r#"{"error": {}}"#));
        assert_eq!(outcome(action, &whole), Ok(Outcome::Unknown));
    }

    #[test]
    fn answers_are_taken_at_their_word_and_no_further() {
        let place = Place { term: 2, seq_no: 7 };
        let written = r#"{"result": "created", "_seq_no": 7, "_primary_term": 2}"#;
        let get = r#"{"found": true, "_seq_no": 7, "_primary_term": 2, "_source": {"value": 5}}"#;
        for (action, status, body, wanted) in [
            (Action::Put(1), 201, written, Outcome::Created(place)),
            (Action::Create(1), 409, "{}", Outcome::Conflict),
            (Action::Put(1), 503, "{}", Outcome::Unknown),
            (Action::Get, 200, get, Outcome::Found(5, place)),
            (Action::Get, 404, r#"{"found": false}"#, Outcome::Missing),
            (
                Action::Delete,
                404,
                r#"{"result": "not_found"}"#,
                Outcome::NotFound,
            ),
        ] {
            assert_eq!(
                outcome(action, &answer(status, body)),
                Ok(wanted),
                "{action:?}"
            );
        }
        for (action, status, body) in [
            (Action::Put(1), 409, "{}"),
            (Action::Put(1), 400, "{}"),
            (Action::Get, 404, r#"{"error": "no such index"}"#),
            (
                Action::Get,
                200,
                r#"{"found": true, "_seq_no": 7, "_primary_term": 2}"#,
            ),
            (Action::Put(1), 200, r#"{"result": "noop"}"#),
        ] {
            let taken = outcome(action, &answer(status, body));
            assert!(taken.is_err(), "{action:?} {status} {body}: {taken:?}");
        }
    }

    /// Answers one request after the other, then is gone.
    fn answering(
        answers: Vec<(&'static str, &'static str)>,
    ) -> (String, std::thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = Vec::new();
                while !asked.ends_with(b"}") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    asked.extend(byte);
                }
                let len = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        (url, serving)
    }

    #[test]
    fn a_refused_write_is_known_but_not_acknowledged() {
        let written = r#"{"result": "created", "_seq_no": 7, "_primary_term": 2}"#;
        let (url, serving) = answering(vec![("409 Conflict", "{}"), ("201 Created", written)]);
        let world = World::new(vec![url], 1);
        let mut random = Random::new(1, 1);
        let document = Document {
            index: 0,
            page: 0,
            number: 1,
        };
        let mut create = |value| {
            act(
                &world,
                1,
                document,
                Action::Create(value),
                None,
                &mut random,
            )
        };
        assert_eq!(create(1), Some(Outcome::Conflict));
        assert!(!world.is_writable_since(0), "nobody acknowledged a write");
        assert_eq!(world.counts.known.load(Ordering::Relaxed), 1);
        let place = Place { term: 2, seq_no: 7 };
        assert_eq!(create(2), Some(Outcome::Created(place)));
        assert!(world.is_writable_since(0));
        serving.join().unwrap();
    }

    #[test]
    fn a_hit_that_nobody_wrote_is_named() {
        let body = |value: u64, document: &str, failed: u64| {
            format!(
                r#"{{"_shards": {{"failed": {failed}}}, "hits": {{"hits": [{{"_id": "a", "_source": {{"value": {value}, "document": "{document}"}}}}]}}}}"#
            )
        };
        assert_eq!(found(&body(4, "a", 0), 5), Ok(true));
        assert_eq!(found(&body(4, "a", 1), 5), Ok(false));
        assert!(
            found(&body(5, "a", 0), 5)
                .unwrap_err()
                .contains("nobody wrote")
        );
        assert!(
            found(&body(4, "b", 0), 5)
                .unwrap_err()
                .contains("another document")
        );
    }
}
