#!/usr/bin/env python3
"""Compares the ten best hits of BM25 queries, ids and scores, with an implementation of its own.

    check_scores.py --url URL --corpus corpus.jsonl --queries queries.txt [--index corpus] [--docs N] [--most N]

Word lists (`a b`) and single words of the query file are asked as a `match` on the field `text`. The index must have
one shard and no deletes. The scores are worked out here from the definition: idf and average length over the whole
corpus, lengths rounded to Lucene's one byte, single precision in the formula, double precision in the sum.
"""
import argparse
import collections
import json
import math
import sys

import numpy
import opensearchpy
import tqdm
import unicode_words

K1, B = numpy.float32(1.2), numpy.float32(0.75)


def rounded_length(length):
    """A length as its byte gives it back: exact below 40, then four significant bits."""
    if length < 24:
        return length
    rest = length - 24
    shift = max(rest.bit_length() - 4, 0)
    return 24 + ((rest >> shift) << shift)


def read(corpus, docs, wanted):
    ids, lengths, postings = [], [], collections.defaultdict(list)
    with open(corpus, encoding="utf-8") as lines:
        for number, line in enumerate(tqdm.tqdm(lines, desc="reading", unit=" texts")):
            if docs and number >= docs:
                break
            document = json.loads(line)
            counts = collections.Counter(unicode_words.words(document["text"]))
            ids.append(document["id"])
            lengths.append(sum(counts.values()))
            for word in counts.keys() & wanted:
                postings[word].append((number, counts[word]))
    return ids, numpy.array(lengths), {word: numpy.array(rows) for word, rows in postings.items()}


def scores(words, lengths, postings):
    one, with_field = numpy.float32(1), int((lengths > 0).sum())
    average = numpy.float32(lengths.sum() / with_field)
    norms = numpy.array([rounded_length(int(length)) for length in lengths], dtype=numpy.float32)
    inverse = one / (K1 * ((one - B) + B * norms / average))
    total = numpy.zeros(len(lengths))
    for word in words:
        rows = postings.get(word)
        if rows is None:
            continue
        documents, freqs = rows[:, 0], rows[:, 1].astype(numpy.float32)
        idf = numpy.float32(math.log(1 + (with_field - len(rows) + 0.5) / (len(rows) + 0.5)))
        total[documents] += (idf - idf / (one + freqs * inverse[documents])).astype(numpy.float64)
    return total.astype(numpy.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:9200")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--index", default="corpus")
    parser.add_argument("--docs", type=int, default=0)
    parser.add_argument("--most", type=int, default=300)
    args = parser.parse_args()

    with open(args.queries, encoding="utf-8") as lines:
        texts = [json.loads(line)["query"] for line in lines]
    texts = [text for text in texts if not any(sign in text for sign in '+-"')][: args.most]
    queries = [list(unicode_words.words(text)) for text in texts]
    ids, lengths, postings = read(args.corpus, args.docs, {word for words in queries for word in words})

    client = opensearchpy.OpenSearch([args.url], timeout=120)
    wrong = 0
    for text, words in zip(tqdm.tqdm(texts, desc="asking", unit=" queries"), queries):
        score = scores(words, lengths, postings)
        best = numpy.sort(score)[::-1][:10]
        wanted = [float(value) for value in best if value > 0]
        hits = client.search(index=args.index, body={"query": {"match": {"text": text}}, "size": 10})["hits"]["hits"]
        found = [float(numpy.float32(hit["_score"])) for hit in hits]
        by_id = {hit["_id"]: float(numpy.float32(hit["_score"])) for hit in hits}
        holds = all(float(score[number]) == by_id[ids[number]] for number in numpy.flatnonzero(score >= best[-1]) if ids[number] in by_id)
        if found != wanted or not holds or len(by_id) != len(wanted):
            wrong += 1
            print(f"{text}: expected {wanted[:3]}…, found {found[:3]}…")
    print(f"{len(texts)} queries over {len(ids)} documents: {len(texts) - wrong} top tens equal, scores included; {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
