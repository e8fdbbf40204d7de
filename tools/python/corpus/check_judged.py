#!/usr/bin/env python3
"""Compares rankings and scores with those of Lucene 10.5 on collections with relevance judgements.

    check_judged.py --url URL --judged DIR [--depth 1000]

DIR holds a folder per collection: corpus.jsonl {id, title, text}, queries.jsonl {id, text}, and Lucene's runs
lucene_<analyzer>_1.2_0.75.run.xz. For each analyzer the collection is indexed (title, a space, text, trimmed) and each
query asked as a `match`. Equal means: the same ids in the same order, and scores equal to the last digit of an f32.
"""
import argparse
import collections
import json
import lzma
import pathlib
import struct
import sys

import opensearchpy
import opensearchpy.helpers
import tqdm


def as_f32(number):
    return struct.unpack("<f", struct.pack("<f", float(number)))[0]


def read_run(path):
    run = collections.defaultdict(list)
    with lzma.open(path, "rt") as lines:
        for line in lines:
            query, _, document, _, score, _ = line.split()
            run[query].append((document, as_f32(score)))
    return run


def index(client, name, collection, analyzer):
    client.indices.delete(index=name, ignore_unavailable=True)
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "analysis": {"analyzer": {"plain": {"type": "standard"}}}}
    field = {"type": "text", "analyzer": "english" if analyzer == "english" else "plain"}
    client.indices.create(index=name, body={"settings": settings, "mappings": {"properties": {"body": field}}})
    with open(collection / "corpus.jsonl", encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    actions = (
        {"_index": name, "_id": doc["id"], "_source": {"body": f"{doc['title']} {doc['text']}".strip()}} for doc in documents
    )
    opensearchpy.helpers.bulk(client, actions, chunk_size=2000)
    client.indices.forcemerge(index=name, max_num_segments=1)
    client.indices.refresh(index=name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:9200")
    parser.add_argument("--judged", type=pathlib.Path, required=True)
    parser.add_argument("--depth", type=int, default=1000)
    args = parser.parse_args()
    client = opensearchpy.OpenSearch([args.url], timeout=120)
    wrong = asked = compared = 0
    for collection in sorted(folder for folder in args.judged.iterdir() if folder.is_dir()):
        with open(collection / "queries.jsonl", encoding="utf-8") as lines:
            queries = {query["id"]: query["text"] for query in map(json.loads, lines)}
        for path in sorted(collection.glob("lucene_*_1.2_0.75.run.xz")):
            analyzer = path.name.split("_")[1]
            run = read_run(path)
            name = f"judged-{collection.name}-{analyzer}"
            index(client, name, collection, analyzer)
            differ = 0
            for query, wanted in tqdm.tqdm(run.items(), desc=name, unit=" queries"):
                body = {"query": {"match": {"body": queries[query]}}, "size": args.depth, "_source": False}
                hits = client.search(index=name, body=body)["hits"]["hits"]
                found = [(hit["_id"], as_f32(hit["_score"])) for hit in hits]
                asked += 1
                compared += len(wanted[: args.depth])
                if found != wanted[: args.depth]:
                    differ += 1
                    first = next((n for n, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1]), None)
                    if differ <= 3:
                        detail = f"rank {first + 1}: {found[first]} for {wanted[first]}" if first is not None else ""
                        tqdm.tqdm.write(f"{name} query {query}: {len(found)} hits for {len(wanted)}; {detail}")
            wrong += differ
            print(f"{name}: {len(run) - differ} of {len(run)} rankings equal Lucene's")
            client.indices.delete(index=name)
    print(f"{asked} queries, {compared} hits compared: {asked - wrong} rankings equal, scores included; {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
