//! Asks the engines: first what is right, then how long it takes.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::build::IndexSpec;
use super::oracle::{Answer, Oracle};
use super::peer::{Checked, Peer};
use super::queries::{Command, GameQuery};
use crate::random::Random;

/// The most documents that a command wants.
const BEST: usize = 1000;

/// The right answers to all queries: kept in `folder`, since they depend on corpus and queries alone.
pub fn answers(spec: &IndexSpec, queries: &[GameQuery], folder: &Path) -> Result<Vec<Answer>> {
    let mut hasher = DefaultHasher::new();
    (&spec.corpus, spec.corpus_bytes, spec.docs).hash(&mut hasher);
    spec.deletes.to_bits().hash(&mut hasher);
    for query in queries {
        query.text.hash(&mut hasher);
    }
    let file = folder.join(format!("answers-{:016x}.json", hasher.finish()));
    if let Ok(bytes) = fs::read(&file)
        && let Ok(known) = serde_json::from_slice::<Vec<Answer>>(&bytes)
    {
        return Ok(known);
    }
    eprintln!("computing the right answers …");
    let oracle = Oracle::read(&spec.corpus, spec.docs, spec.deletes, queries)?;
    let answers: Vec<Answer> = queries.iter().map(|q| oracle.answer(q, BEST)).collect();
    fs::write(&file, serde_json::to_vec(&answers)?)?;
    Ok(answers)
}

/// What is wrong with the answers of the engines: one line each, naming engine, command and query.
pub fn check(
    peers: &[Box<dyn Peer>],
    queries: &[GameQuery],
    commands: &[Command],
    answers: &[Answer],
) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for peer in peers {
        let checked = peer.checked().map(|checked| {
            let order = checked.order();
            let mut ranks = vec![0; order.len()];
            for (rank, number) in order.iter().enumerate() {
                ranks[*number as usize] = rank as u32;
            }
            (checked, ranks)
        });
        for (number, (query, answer)) in queries.iter().zip(answers).enumerate() {
            for &command in commands {
                let at = || format!("{} {} [{}]", peer.name(), command.name(), query.text);
                let found = peer.run(number, command)?;
                if command.counts() && found != answer.count {
                    problems.push(format!("{}: counts {found}, not {}", at(), answer.count));
                }
                if let Some((checked, ranks)) = &checked
                    && command.size() > 0
                    && let Some(problem) = check_best(*checked, ranks, number, command, answer)?
                {
                    problems.push(format!("{}: {problem}", at()));
                }
            }
        }
    }
    Ok(problems)
}

fn check_best(
    peer: &dyn Checked,
    ranks: &[u32],
    number: usize,
    command: Command,
    answer: &Answer,
) -> Result<Option<String>> {
    let mut wanted = answer.best.clone();
    wanted.sort_unstable_by(|a, b| {
        let by_score = b.1.total_cmp(&a.1);
        by_score.then_with(|| ranks[a.0 as usize].cmp(&ranks[b.0 as usize]))
    });
    wanted.truncate(command.size());
    let found = peer.best(number, command)?;
    if found.len() != wanted.len() {
        let (found, wanted) = (found.len(), wanted.len());
        return Ok(Some(format!("{found} documents, not {wanted}")));
    }
    for (rank, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
        if found.0 != wanted.0 || found.1.to_bits() != wanted.1.to_bits() {
            return Ok(Some(format!(
                "rank {}: document {} scores {}, not document {} with {}",
                rank + 1,
                found.0,
                found.1,
                wanted.0,
                wanted.1
            )));
        }
    }
    Ok(None)
}

/// Times of one engine, command and query, in microseconds, one a round.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// In the order of the rounds.
    pub us: Vec<f32>,
    /// What the engine answered: the count for commands that count.
    pub answer: u64,
}

impl Times {
    /// The shortest.
    pub fn best(&self) -> f64 {
        f64::from(self.us.iter().copied().fold(f32::INFINITY, f32::min))
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        let mut sorted = self.us.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        sorted.get(sorted.len() / 2).copied().map_or(0.0, f64::from)
    }
}

/// `times[peer][query][command]`, with commands as in the list that was timed.
pub type AllTimes = Vec<Vec<Vec<Times>>>;

/// Asks every query with every command of every engine, once a round and once before the first. Queries come in another
/// order each round, commands and engines in turn begin.
pub fn time(
    peers: &[Box<dyn Peer>],
    queries: &[GameQuery],
    commands: &[Command],
    rounds: usize,
) -> Result<AllTimes> {
    let per_query = vec![Times::default(); commands.len()];
    let mut times = vec![vec![per_query; queries.len()]; peers.len()];
    let mut order: Vec<usize> = (0..queries.len()).collect();
    let mut random = Random::new(1);
    for round in 0..=rounds {
        random.shuffle(&mut order);
        for (turn, &query) in order.iter().enumerate() {
            for step in 0..commands.len() {
                let command = (step + round) % commands.len();
                for offset in 0..peers.len() {
                    let peer = (offset + turn + round) % peers.len();
                    let start = Instant::now();
                    let answer = black_box(peers[peer].run(query, commands[command])?);
                    let elapsed = start.elapsed();
                    let kept = &mut times[peer][query][command];
                    kept.answer = answer;
                    if round > 0 {
                        kept.us.push(elapsed.as_secs_f32() * 1e6);
                    }
                }
            }
        }
        eprint!("\rround {round} of {rounds}");
    }
    eprintln!();
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::super::{quidditch, tantivy};
    use super::*;

    const TEXTS: [&str; 7] = [
        "a red hat",
        "a hat red as blood",
        "red red hat hat",
        "a blue hat",
        "red",
        "the hat and the red hat and the blue hat",
        "nothing of it",
    ];
    const QUERIES: [&str; 7] = [
        "red",
        "red blue",
        "+red +hat",
        "\"red hat\"",
        "+hat blue",
        "+hat -blue",
        "green",
    ];

    fn queries() -> Vec<GameQuery> {
        let parse = |text: &&str| GameQuery::parse(text, Vec::new()).unwrap();
        QUERIES.iter().map(parse).collect()
    }

    /// Both engines over three hundred documents in `segments` segments, and the right answers.
    fn game(
        segments: usize,
        deletes: f64,
        reorder: &str,
    ) -> (Vec<Box<dyn Peer>>, Vec<Answer>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let corpus = folder.path().join("corpus.jsonl");
        let line = |n: usize| format!("{{\"id\": \"d{n}\", \"text\": \"{}\"}}\n", TEXTS[n % 7]);
        let lines: String = (0..300).map(line).collect();
        fs::write(&corpus, &lines).unwrap();
        let spec = IndexSpec {
            corpus,
            corpus_bytes: lines.len() as u64,
            docs: None,
            segments,
            reorder: reorder.to_owned(),
            deletes,
        };
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        quidditch::build(&spec, &ours).unwrap();
        tantivy::build(&spec, &theirs).unwrap();
        let mut peers: Vec<Box<dyn Peer>> = vec![
            Box::new(quidditch::Quidditch::open(&spec, &ours).unwrap()),
            Box::new(tantivy::Tantivy::open(&theirs).unwrap()),
        ];
        for peer in &mut peers {
            assert_eq!(peer.segment_count(), segments);
            peer.prepare(&queries()).unwrap();
        }
        let answers = answers(&spec, &queries(), folder.path()).unwrap();
        (peers, answers, folder)
    }

    fn problems(peers: &[Box<dyn Peer>], answers: &[Answer]) -> Vec<String> {
        check(peers, &queries(), &Command::ALL, answers).unwrap()
    }

    #[test]
    fn both_engines_answer_rightly_in_one_segment_in_several_with_deletes_and_reordered() {
        for (segments, deletes, reorder) in [(1, 0.0, "none"), (3, 10.0, "none"), (1, 5.0, "full")]
        {
            let (peers, answers, _folder) = game(segments, deletes, reorder);
            assert_eq!(problems(&peers, &answers), [] as [&str; 0]);
            assert_eq!(peers[0].doc_count(), peers[1].doc_count());
            assert_eq!(peers[0].doc_count() < 300, deletes > 0.0);
            let times = time(&peers, &queries(), &Command::ALL, 2).unwrap();
            assert!(times.iter().flatten().flatten().all(|t| t.us.len() == 2));
        }
    }

    #[test]
    fn a_wrong_answer_is_named() {
        let (peers, mut answers, _folder) = game(1, 0.0, "none");
        answers[0].count += 1;
        let found = problems(&peers, &answers);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].starts_with("quidditch TOP_100_COUNT [red]: counts "));
        let (peers, mut answers, _folder) = game(1, 0.0, "none");
        let score = &mut answers[2].best[0].1;
        *score = score.next_up();
        let found = problems(&peers, &answers);
        assert!(found[0].starts_with("quidditch TOP_100 [+red +hat]: rank "));
        assert!(found.iter().all(|problem| !problem.starts_with("tantivy")));
    }
}
