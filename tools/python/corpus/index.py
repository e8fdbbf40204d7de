#!/usr/bin/env python3
"""Indexes a corpus of JSON lines through opensearch-py, with a progress bar.

    index.py --url http://127.0.0.1:9200 --corpus corpus.jsonl [--index corpus] [--docs N] [--shards N]

Each line is an object with `id`, `title` and `text`. Anything in the index is replaced.
"""
import argparse
import json
import os
import time

import opensearchpy
import opensearchpy.helpers
import tqdm


def actions(args, bar):
    with open(args.corpus, "rb") as lines:
        for number, line in enumerate(lines):
            if args.docs and number >= args.docs:
                return
            document = json.loads(line)
            bar.update(len(line))
            yield {"_index": args.index, "_id": document.pop("id"), "_source": document}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:9200")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--index", default="corpus")
    parser.add_argument("--docs", type=int, default=0, help="only the first N lines")
    parser.add_argument("--shards", type=int, default=1)
    args = parser.parse_args()

    client = opensearchpy.OpenSearch([args.url], timeout=120)
    client.indices.delete(index=args.index, ignore_unavailable=True)
    client.indices.create(
        index=args.index,
        body={
            "settings": {"number_of_shards": args.shards, "number_of_replicas": 0},
            "mappings": {"properties": {"title": {"type": "text"}, "text": {"type": "text"}}},
        },
    )
    started, done = time.monotonic(), 0
    with tqdm.tqdm(total=os.path.getsize(args.corpus), unit="B", unit_scale=True, desc="indexing") as bar:
        results = opensearchpy.helpers.parallel_bulk(client, actions(args, bar), thread_count=2, chunk_size=1000)
        for ok, item in results:
            if not ok:
                raise SystemExit(f"refused: {item}")
            done += 1
    client.indices.refresh(index=args.index)
    count = client.count(index=args.index)["count"]
    seconds = time.monotonic() - started
    print(f"{done} documents acknowledged, {count} found, {seconds:.0f} s")
    if count != done:
        raise SystemExit("the counts differ")


if __name__ == "__main__":
    main()
