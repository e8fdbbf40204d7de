#!/usr/bin/env python3
"""Clients that we did not write, unmodified, against a real server: opensearch-py and elasticsearch-py 7.10.1.

    run.py --binary FILE

Each check is a function below; it prints its name and what it saw. The exit status is 1 if any fails.
"""
import argparse
import pathlib
import sys
import tempfile
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
# elasticsearch-py 7.10.1 asks for names that NumPy 2 no longer has; without NumPy it simply leaves its types out.
sys.modules.update({"numpy": None, "pandas": None})
import elasticsearch  # noqa: E402
import elasticsearch.helpers  # noqa: E402
import opensearchpy  # noqa: E402
import opensearchpy.helpers  # noqa: E402
from quidditch_server import Server  # noqa: E402

DOCUMENTS = 5_000


def hats(index, count=DOCUMENTS):
    """Actions for the bulk helpers: `count` hats, every third one red."""
    for number in range(count):
        yield {
            "_index": index,
            "_id": str(number),
            "_source": {
                "name": f"hat number {number}",
                "colour": ("red", "green", "blue")[number % 3],
                "price": number % 100,
                "sold": f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}",
            },
        }


def expect(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: expected {wanted!r}, found {found!r}")


def check_info(client, helpers, index):
    info = client.info()
    expect(info["version"]["number"].count("."), 2, "parts of version.number")
    expect(client.ping(), True, "ping")
    return info["version"]["number"]


def check_bulk(client, helpers, index):
    done, errors = helpers.bulk(client, hats(index), chunk_size=500, refresh=True)
    expect((done, errors), (DOCUMENTS, []), "bulk")
    expect(client.count(index=index)["count"], DOCUMENTS, "count")
    return f"{done} documents"


def check_streaming_bulk_reports_each_item(client, helpers, index):
    helpers.bulk(client, hats(index, 10), refresh=True)
    actions = [
        {"_op_type": "create", "_index": index, "_id": "3", "_source": {}},
        {"_op_type": "create", "_index": index, "_id": "new", "_source": {"price": 3}},
        {"_op_type": "update", "_index": index, "_id": "4", "doc": {"price": 77}},
        {"_op_type": "delete", "_index": index, "_id": "5"},
        {"_op_type": "delete", "_index": index, "_id": "missing"},
        {"_op_type": "index", "_index": index, "_id": "6", "_source": {"price": "not a number"}},
    ]
    statuses = []
    for ok, item in helpers.streaming_bulk(client, actions, raise_on_error=False, raise_on_exception=False):
        (operation, result), = item.items()
        statuses.append((operation, result["status"], ok))
    expect(
        statuses,
        [
            ("create", 409, False),
            ("create", 201, True),
            ("update", 200, True),
            ("delete", 200, True),
            ("delete", 404, False),
            ("index", 400, False),
        ],
        "items",
    )
    expect(client.get(index=index, id="4")["_source"]["price"], 77, "the updated price, read in real time")
    return f"{len(statuses)} items, each with its own status"


def check_parallel_bulk(client, helpers, index):
    results = list(helpers.parallel_bulk(client, hats(index), thread_count=4, chunk_size=200))
    expect(sum(ok for ok, _ in results), DOCUMENTS, "parallel_bulk")
    client.indices.refresh(index=index)
    expect(client.count(index=index)["count"], DOCUMENTS, "count")
    return f"{len(results)} documents over 4 threads"


def check_scan(client, helpers, index):
    helpers.bulk(client, hats(index), refresh=True)
    query = {"query": {"term": {"colour.keyword": "red"}}}
    ids = {hit["_id"] for hit in helpers.scan(client, query=query, index=index, size=100, scroll="1m")}
    expect(ids, {str(n) for n in range(0, DOCUMENTS, 3)}, "ids of a scan")
    ordered = [h["sort"][0] for h in helpers.scan(client, query={"sort": ["price"]}, index=index, size=333, preserve_order=True)]
    expect(ordered, sorted(ordered), "a scan in order of price")
    return f"{len(ids)} red hats, {len(ordered)} hats in order"


def check_reindex(client, helpers, index):
    helpers.bulk(client, hats(index), refresh=True)
    target = index + "-copy"
    client.indices.create(index=target, body={"settings": {"number_of_shards": 3, "number_of_replicas": 0}})
    helpers.reindex(client, index, target, query={"query": {"range": {"price": {"lt": 10}}}}, chunk_size=50)
    client.indices.refresh(index=target)
    wanted = sum(1 for n in range(DOCUMENTS) if n % 100 < 10)
    expect(client.count(index=target)["count"], wanted, "documents in the copy")
    expect(client.get(index=target, id="109")["_source"]["name"], "hat number 109", "a copied document")
    return f"{wanted} documents into 3 shards"


def check_search(client, helpers, index):
    helpers.bulk(client, hats(index), refresh=True)
    body = {
        "query": {"bool": {"must": [{"match": {"name": "hat"}}], "filter": [{"term": {"colour.keyword": "blue"}}]}},
        "sort": [{"price": "desc"}, {"sold": "asc"}],
        "size": 5,
        "track_total_hits": True,
        "aggs": {
            "months": {
                "date_histogram": {"field": "sold", "calendar_interval": "month"},
                "aggs": {"dear": {"max": {"field": "price"}}},
            },
            "average": {"avg": {"field": "price"}},
        },
    }
    answer = client.search(index=index, body=body)
    blue = [n for n in range(DOCUMENTS) if n % 3 == 2]
    expect(answer["hits"]["total"], {"value": len(blue), "relation": "eq"}, "total")
    expect([hit["sort"][0] for hit in answer["hits"]["hits"]], [99] * 5, "prices of the first five")
    months = answer["aggregations"]["months"]["buckets"]
    expect(sum(month["doc_count"] for month in months), len(blue), "documents in all months")
    average = sum(n % 100 for n in blue) / len(blue)
    if abs(answer["aggregations"]["average"]["value"] - average) > 1e-9:
        raise AssertionError(f"average {answer['aggregations']['average']['value']}, expected {average}")
    return f"{len(blue)} blue hats in {len(months)} months"


def check_errors_reach_the_client(client, helpers, index, errors):
    client.indices.create(index=index)
    for error, status, call in (
        (errors.NotFoundError, 404, lambda: client.get(index=index, id="none")),
        (errors.RequestError, 400, lambda: client.indices.create(index=index)),
        (errors.RequestError, 400, lambda: client.search(index=index, body={"query": {"nope": {}}})),
        (errors.NotFoundError, 404, lambda: client.search(index="nowhere")),
    ):
        try:
            call()
        except error as caught:
            expect(caught.status_code, status, "status")
        else:
            raise AssertionError(f"no {error.__name__}")
    client.index(index=index, id="1", body={"a": 1})
    try:
        client.index(index=index, id="1", body={"a": 1}, op_type="create")
    except errors.ConflictError as caught:
        expect(caught.error, "version_conflict_engine_exception", "error type")
    else:
        raise AssertionError("no ConflictError")
    return "404, 400 and 409 become the client's own exceptions"


def check_administration(client, helpers, index):
    client.indices.put_index_template(
        name="hats-template",
        body={
            "index_patterns": [index + "-*"],
            "template": {
                "settings": {"number_of_shards": 2, "number_of_replicas": 0},
                "mappings": {"properties": {"colour": {"type": "keyword"}}},
                "aliases": {index + "-all": {}},
            },
        },
    )
    client.index(index=index + "-1", body={"colour": "red"}, refresh=True)
    client.index(index=index + "-2", body={"colour": "red"}, refresh=True)
    expect(client.count(index=index + "-all")["count"], 2, "documents through the alias of the template")
    mapping = client.indices.get_mapping(index=index + "-1")[index + "-1"]["mappings"]
    expect(mapping["properties"]["colour"], {"type": "keyword"}, "mapping from the template")
    health = client.cluster.health(index=index + "-1", wait_for_status="green")
    expect(health["status"], "green", "health")
    client.indices.update_aliases(body={"actions": [{"remove": {"index": index + "-1", "alias": index + "-all"}}]})
    expect(client.count(index=index + "-all")["count"], 1, "documents after an index left the alias")
    rows = client.cat.indices(index=index + "-*", format="json", h="index,docs.count", s="index")
    expect(rows, [{"index": f"{index}-{n}", "docs.count": "1"} for n in (1, 2)], "_cat/indices")
    client.indices.delete_index_template(name="hats-template")
    client.indices.delete(index=index + "-1,"+ index + "-2")
    return "template, alias, health, _cat"


CHECKS = [
    check_info,
    check_bulk,
    check_streaming_bulk_reports_each_item,
    check_parallel_bulk,
    check_scan,
    check_reindex,
    check_search,
    check_administration,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="", help="only checks whose name contains this")
    args = parser.parse_args()
    failed = passed = 0
    with tempfile.TemporaryDirectory(prefix="quidditch-clients-") as folder:
        with Server(args.binary, pathlib.Path(folder) / "data") as server:
            clients = [
                ("opensearch-py", opensearchpy.OpenSearch([server.url], timeout=60), opensearchpy.helpers, opensearchpy.exceptions),
                ("elasticsearch-py", elasticsearch.Elasticsearch([server.url], timeout=60), elasticsearch.helpers, elasticsearch.exceptions),
            ]
            for name, client, helpers, errors in clients:
                checks = [(check.__name__, check, ()) for check in CHECKS]
                checks.append(("check_errors_reach_the_client", check_errors_reach_the_client, (errors,)))
                for number, (title, check, more) in enumerate(checks):
                    if args.only not in title:
                        continue
                    if name == "elasticsearch-py" and check is check_administration and not hasattr(client.indices, "put_index_template"):
                        continue
                    index = f"{name.split('-')[0]}-{number}"
                    try:
                        saw = check(client, helpers, index, *more)
                        passed += 1
                        print(f"ok      {name}: {title[6:].replace('_', ' ')}: {saw}", flush=True)
                    except Exception:  # a check may fail in any way; the others still run
                        failed += 1
                        print(f"FAILED  {name}: {title}", flush=True)
                        traceback.print_exc(limit=3)
            server.assert_alive("during the clients' checks")
    print(f"clients: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
