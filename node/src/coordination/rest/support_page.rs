//! `docs/support.md`: everything that is served, written from the tables themselves.
//!
//! `UPDATE_DOCS=1 cargo test -p quidditch-node support_page` writes the page anew.

use std::fmt::Write;
use std::path::PathBuf;

use quidditch_engine::schema::field_type_names;

use super::endpoints::{COMMON_PARAMS, all};
use crate::cluster::cluster_settings::CLUSTER_SETTINGS;
use crate::cluster::index_settings::INDEX_SETTINGS;
use crate::cluster::setting_values::{Scope, Setting};
use crate::coordination::dsl::aggs::AGG_CLAUSES;
use crate::coordination::dsl::queries::QUERY_CLAUSES;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/support.md");

const HEAD: &str = "\
# What is supported

Written from the server's own tables by a test, which fails when page and tables differ:
`UPDATE_DOCS=1 cargo test -p quidditch-node support_page` writes it anew. What is not listed here is refused with a
4xx that names it.

## Figures that stand for others

Monitoring tools ask for figures of a Java process. These answers have them, measured as far as there is something to measure:

| figure | stands for |
|---|---|
| `jvm.mem.heap_used`, `heap_committed` (`_nodes/stats`, `_cat/nodes` `heap.*`) | resident memory of the process |
| `jvm.mem.heap_max` | memory that the process may use: the machine's, or its container's limit |
| `jvm.gc`, `buffer_pools`, `classes`, memory `pools` | nothing: empty or 0, as there is no such thing |
| `transport_address` of `quidditch` | nothing: all roles are in one process and nothing listens there; port 9300 is what OpenSearch would have |
| `files` of `_recovery` and `_cat/recovery` | segments; a segment is one file |
| `translog` of a recovery | operations in the translog at that time; the time is the whole recovery's |
| `completion`, `request_cache`, `warmer` sizes and counts | nothing: 0, as none of them exists |
| `request_cache=true` | checked and without effect: there is no cache to use |
| `compound`, `version` and memory of `_segments` | one file a segment; the Lucene version whose behaviour is followed; 0, as segments are memory-mapped |
";

const CLUSTER: &str = "
## What lasts otherwise than in OpenSearch

`transient` settings of `_cluster/settings` are kept by a group of masters with the rest of the cluster state, also when all
of them are stopped and started again: there they last until they are set to `null`. A lone `quidditch` forgets them when
it restarts.
";

const SPEED_ALONE: &str = "
### Parameters that change no answer

They are read, checked and shown, and trade space for speed in OpenSearch; here they change neither:
`eager_global_ordinals`, `index_phrases`, `index_prefixes`, `skip_list`. `term_vector` and `index_options: offsets` only
lift the limit on how long a text may be to be highlighted: offsets are found by analysing the text, and `_termvectors`
is not served.
";

const SETTINGS: &str = "
## Settings that are kept and have no effect

They are checked, kept and shown as OpenSearch does it, so that templates and tools that set them go on working, but
nothing here reads them: they tune what works in another way, or what is not there yet.
";

fn code(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Paths with the methods that each one takes, in the table's order.
fn paths(routes: &[(hyper::Method, &'static str)]) -> String {
    let mut paths: Vec<(&str, Vec<&str>)> = Vec::new();
    for (method, path) in routes {
        match paths.iter_mut().find(|(known, _)| known == path) {
            Some((_, methods)) => methods.push(method.as_str()),
            None => paths.push((path, vec![method.as_str()])),
        }
    }
    let shown: Vec<String> = paths
        .iter()
        .map(|(path, methods)| format!("`{} {path}`", methods.join(" ")))
        .collect();
    shown.join("<br>")
}

fn page() -> Result<String, std::fmt::Error> {
    let mut page = HEAD.to_owned();
    let mut endpoints: Vec<_> = all().collect();
    endpoints.sort_by_key(|endpoint| endpoint.name);
    writeln!(page, "\n## Endpoints ({})\n", endpoints.len())?;
    writeln!(page, "All take {}.\n", code(COMMON_PARAMS))?;
    writeln!(page, "| operation | paths | parameters |\n|---|---|---|")?;
    for endpoint in endpoints {
        let mut params: Vec<&str> = endpoint.own_params().collect();
        params.sort_unstable();
        let (name, paths, params) = (endpoint.name, paths(endpoint.routes), code(&params));
        writeln!(page, "| {name} | {paths} | {params} |")?;
    }
    let mut queries: Vec<_> = QUERY_CLAUSES.iter().collect();
    queries.sort_by_key(|query| query.name);
    writeln!(page, "\n## Queries ({})\n", queries.len())?;
    writeln!(page, "| query | example |\n|---|---|")?;
    for query in queries {
        writeln!(page, "| {} | `{}` |", query.name, cell(query.example))?;
    }
    let mut aggs: Vec<_> = AGG_CLAUSES.iter().collect();
    aggs.sort_by_key(|agg| agg.name);
    writeln!(page, "\n## Aggregations ({})\n", aggs.len())?;
    writeln!(
        page,
        "| aggregation | takes sub-aggregations | example |\n|---|---|---|"
    )?;
    for agg in aggs {
        let buckets = if agg.buckets { "yes" } else { "" };
        writeln!(
            page,
            "| {} | {buckets} | `{}` |",
            agg.name,
            cell(agg.example)
        )?;
    }
    let mut types: Vec<&str> = field_type_names().collect();
    types.sort_unstable();
    writeln!(
        page,
        "\n## Field types ({})\n\n{}",
        types.len(),
        code(&types)
    )?;
    page.push_str(SPEED_ALONE);
    page.push_str(CLUSTER);
    let sources = sources();
    page.push_str(SETTINGS);
    for (what, table) in [("index", INDEX_SETTINGS), ("cluster", CLUSTER_SETTINGS)] {
        let unread = unread(table, &sources);
        writeln!(
            page,
            "\nOf the {what} ({}): {}",
            unread.len(),
            code(&unread)
        )?;
    }
    Ok(page)
}

/// A source without its comments and tests: what only these name is not obeyed.
fn code_of(source: &str) -> String {
    let mut code = String::new();
    let mut lines = source.lines().peekable();
    while let Some(line) = lines.next() {
        let opens = |next: &&str| next.starts_with("mod ") && next.ends_with('{');
        if line == "#[cfg(test)]" && lines.peek().is_some_and(opens) {
            break;
        }
        if !line.trim_start().starts_with("//") {
            code.push_str(line.split(" // ").next().unwrap_or(line));
            code.push('\n');
        }
    }
    code
}

#[test]
fn what_a_comment_or_a_test_names_is_not_read() {
    let source = "//! `a.b`\nlet x = get(\"c.d\"); // not e.f\n    /// `g.h`\n#[cfg(test)]\nmod tests {\n\"i.j\"";
    assert_eq!(code_of(source), "let x = get(\"c.d\");\n");
}

/// The code of all sources but the tables of settings.
fn sources() -> String {
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    folders.push(PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../engine/src"
    )));
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !is_left_out(&name.to_string_lossy()) {
                text.push_str(&code_of(&std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    text
}

/// The tables themselves, and tests.
fn is_left_out(file: &str) -> bool {
    const NAMES: &[&str] = &[
        "index_settings.rs",
        "cluster_settings.rs",
        "tests.rs",
        "testing.rs",
        "laws.rs",
        "support_page.rs",
    ];
    NAMES.contains(&file) || file.ends_with("_tests.rs")
}

/// The settings of a table that no source reads.
fn unread(table: &'static [Setting], sources: &str) -> Vec<&'static str> {
    let is_read = |key: &str| {
        let key = key.trim_end_matches(['*', '.']);
        // the settings of the merge policy are read by their last part
        let part = key.strip_prefix("index.merge.policy.");
        sources.contains(key)
            || part.is_some_and(|part| sources.contains(&format!("merge(\"{part}\")")))
    };
    let unread = table.iter().filter(|setting| {
        !matches!(setting.scope, Scope::Unsupported | Scope::Private) && !is_read(setting.key)
    });
    unread.map(|setting| setting.key).collect()
}

/// An example on one line, with nothing that ends a cell of a table.
fn cell(example: &str) -> String {
    let line: Vec<&str> = example.split_whitespace().collect();
    line.join(" ").replace('|', "\\|")
}

#[test]
fn the_page_lists_what_the_tables_have() {
    let wanted = page().unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(PAGE).unwrap_or_default();
    let differs = found
        .lines()
        .zip(wanted.lines())
        .find(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "docs/support.md is not what the tables say ({differs:?}); write it anew with UPDATE_DOCS=1"
    );
}
