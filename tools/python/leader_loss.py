#!/usr/bin/env python3
"""How long a cluster is without a leader when its leading master is killed.

    leader_loss.py --cluster target/release/quidditch-cluster [--rounds 10]

A cluster of three masters, one coordination and one data node runs on loopback. Each round kills the master that leads
(SIGKILL), waits for another one to say that it leads, and for a change of the cluster state to be acknowledged, then starts the
killed one again. Exit 1 if a new leader took longer than --limit seconds.
"""
import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request

from quidditch_server import Cluster

# Between two looks, in seconds.
PAUSE = 0.02
GIVE_UP = 60


def ask(method, url, body=None, timeout=1):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=timeout) as response:
        return response.read().decode()


def leads(node):
    try:
        metrics = ask("GET", f"http://{node['metrics']}/metrics")
    except (urllib.error.URLError, OSError):
        return False
    lines = [line.split() for line in metrics.splitlines() if not line.startswith("#")]
    return any("is_leader" in line[0] and float(line[-1]) == 1 for line in lines if line)


def masters(cluster):
    return [node for node in cluster.status()["nodes"] if node["role"] == "master"]


def wait(what, done):
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > GIVE_UP:
            sys.exit(f"waited {GIVE_UP} s in vain: {what}")
        time.sleep(PAUSE)
    return time.monotonic() - began


def change(cluster, number):
    """Whether a change of the cluster state was acknowledged."""
    try:
        body = {"persistent": {"cluster.max_shards_per_node": 1000 + number}}
        return json.loads(ask("PUT", f"{cluster.url}/_cluster/settings", body, timeout=30))["acknowledged"]
    except (urllib.error.URLError, OSError):
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--limit", type=float, default=3.0, help="seconds until another master leads")
    args = parser.parse_args()
    leaders, changes = [], []
    with tempfile.TemporaryDirectory() as folder:
        with Cluster(args.cluster, pathlib.Path(folder) / "cluster", data_nodes=1) as cluster:
            for number in range(args.rounds):
                nodes = masters(cluster)
                wait("a leader", lambda: any(leads(node) for node in nodes))
                leader = next(node for node in nodes if leads(node))
                others = [node for node in nodes if node["name"] != leader["name"]]
                began = time.monotonic()
                cluster.run("kill", leader["name"])
                wait("another leader", lambda: any(leads(node) for node in others))
                leaders.append(time.monotonic() - began)
                wait("a change", lambda: change(cluster, number))
                changes.append(time.monotonic() - began)
                print(f"{leader['name']} killed: a leader after {leaders[-1]:.2f} s, a change after {changes[-1]:.2f} s", flush=True)
                cluster.run("start", leader["name"])
    for name, times in [("another leader", leaders), ("a change", changes)]:
        print(f"{name:<15} median {statistics.median(times):.2f} s, max {max(times):.2f} s")
    sys.exit(max(leaders) > args.limit)


if __name__ == "__main__":
    main()
