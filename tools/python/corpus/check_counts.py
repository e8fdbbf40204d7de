#!/usr/bin/env python3
"""Compares hit counts with a plain scan of the same text.

    check_counts.py --url URL --corpus corpus.jsonl --queries queries.txt [--index corpus] [--docs N]

The queries are lines `{"query", "tags"}`: `a` term, `a b` any, `+a +b` all, `"a b"` phrase, `+a b`, `+a -b`. Each is
asked of the field `text` three ways where it can be: as a query_string, as the bool or match query it stands for,
and through `_count`. The scan cuts every text into words by itself (letters, digits and the joining rules that matter
for English text are Unicode's; see `words`), so it shares no code with the server.
"""
import argparse
import json
import re
import sys

import opensearchpy
import tqdm
import unicode_words


def parse(text):
    """The query's parts: (must, must not, should, phrases), each a list of words."""
    phrases = [phrase.split() for phrase in re.findall(r'"([^"]+)"', text)]
    rest = re.sub(r'[+-]?"[^"]+"', " ", text).split()
    must = [word[1:] for word in rest if word.startswith("+")]
    must_not = [word[1:] for word in rest if word.startswith("-")]
    should = [word for word in rest if word[0] not in "+-"]
    return must, must_not, should, phrases


def scan(corpus, docs, queries):
    """How many texts match each query, found by reading all of them."""
    wanted = {word for parts in queries for group in parts[:3] for word in group}
    wanted |= {word for parts in queries for phrase in parts[3] for word in phrase}
    places = {word: {} for word in wanted}
    total = 0
    with open(corpus, encoding="utf-8") as lines:
        for number, line in enumerate(tqdm.tqdm(lines, desc="scanning", unit=" texts")):
            if docs and number >= docs:
                break
            total += 1
            for position, word in enumerate(unicode_words.words(json.loads(line)["text"])):
                if word in places:
                    places[word].setdefault(number, []).append(position)
    counts = []
    for must, must_not, should, phrases in queries:
        groups = [set(places[word]) for word in must]
        for phrase in phrases:
            documents = set.intersection(*(set(places[word]) for word in phrase))
            groups.append(
                {
                    document
                    for document in documents
                    if any(
                        all(start + offset in places[word][document] for offset, word in enumerate(phrase))
                        for start in places[phrase[0]][document]
                    )
                }
            )
        if groups:
            found = set.intersection(*groups)
        else:
            found = set().union(*(places[word] for word in should))
        for word in must_not:
            found = found - set(places[word])
        counts.append(len(found))
    return total, counts


def as_bool(must, must_not, should, phrases):
    def term(word):
        return {"match": {"text": word}}

    return {
        "bool": {
            "must": [term(word) for word in must] + [{"match_phrase": {"text": " ".join(phrase)}} for phrase in phrases],
            "must_not": [term(word) for word in must_not],
            "should": [term(word) for word in should],
        }
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:9200")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--index", default="corpus")
    parser.add_argument("--docs", type=int, default=0)
    parser.add_argument("--most", type=int, default=0, help="only the first N queries")
    args = parser.parse_args()

    with open(args.queries, encoding="utf-8") as lines:
        texts = [json.loads(line)["query"] for line in lines]
    texts = texts[: args.most] if args.most else texts
    parts = [parse(text) for text in texts]
    total, counts = scan(args.corpus, args.docs, parts)

    client = opensearchpy.OpenSearch([args.url], timeout=120)
    found = client.count(index=args.index)["count"]
    if found != total:
        raise SystemExit(f"the index holds {found} documents, the corpus {total}")
    wrong = asked = 0
    for text, query, wanted in zip(tqdm.tqdm(texts, desc="asking", unit=" queries"), parts, counts):
        bodies = [{"query_string": {"query": text, "default_field": "text"}}, as_bool(*query)]
        answers = []
        for body in bodies:
            search = {"query": body, "size": 0, "track_total_hits": True}
            answers.append(client.search(index=args.index, body=search)["hits"]["total"]["value"])
            answers.append(client.count(index=args.index, body={"query": body})["count"])
        asked += 1
        if any(answer != wanted for answer in answers):
            wrong += 1
            print(f"{text}: the scan finds {wanted}, the server {answers}")
    print(f"{asked} queries over {total} documents, each asked 4 ways: {asked - wrong} equal the scan, {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
