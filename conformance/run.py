#!/usr/bin/env python3
"""Plays OpenSearch's own tests against the server and compares with the pass-list.

    run.py --kit DIR --binary FILE             every suite; exit 1 if a test of passing.txt no longer passes
    run.py --kit DIR --binary FILE --update    also adds the newly passing tests to passing.txt
    run.py --kit DIR --cluster FILE            the same against a cluster of 3 masters, 1 coordination and 2 data nodes,
                                               which FILE (quidditch-cluster) starts; its list is passing-cluster.txt

DIR holds the conformance kit (run_yaml_tests.py, run_stories.py, run_scenarii.py). The server is started on a free
port of the loopback interface with a data directory of its own, once per suite, and stopped at the end. passing.txt
may only grow: a test that passes now and then is kept out of it by listing it in flaky.txt with the reason.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools" / "python"))
from quidditch_server import Cluster, Server  # noqa: E402

SUITES = {
    "yaml": "run_yaml_tests.py",
    "stories": "run_stories.py",
    "scenarii": "run_scenarii.py",
}
SETTINGS = {
    "yaml": ["node.attr.testattr=test"],
    "stories": ["cluster.name=docker-cluster"],
    "scenarii": [],
}


def read_list(path):
    if not path.exists():
        return set()
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def under_test(suite, args, folder):
    data = folder / f"{suite}-data"
    if args.cluster:
        settings = dict(setting.split("=", 1) for setting in SETTINGS[suite])
        name = settings.pop("cluster.name", "quidditch")
        return Cluster(args.cluster, data, [f"{key}={value}" for key, value in settings.items()], name=name)
    return Server(args.binary, data, settings=SETTINGS[suite] + [f"path.repo={folder / 'repo'}"])


def run_suite(suite, args, folder):
    report = folder / f"{suite}.json"
    with under_test(suite, args, folder) as server:
        command = [sys.executable, str(args.kit / SUITES[suite]), "--url", server.url, "--json", str(report), "-q"]
        for pattern in args.filter:
            command += ["--filter", pattern]
        code = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
        server.assert_alive(f"during {suite}")
    if code not in (0, 1) or not report.exists():
        sys.exit(f"{SUITES[suite]} ended with {code}")
    return json.loads(report.read_text(encoding="utf-8"))["tests"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kit", type=pathlib.Path, required=True)
    parser.add_argument("--binary", type=pathlib.Path)
    parser.add_argument("--cluster", type=pathlib.Path)
    parser.add_argument("--suite", action="append", choices=SUITES, help="only this suite; may be repeated")
    parser.add_argument("--filter", action="append", default=[], help="only files that match; may be repeated")
    parser.add_argument("--update", action="store_true", help="add newly passing tests to passing.txt")
    parser.add_argument("--report", type=pathlib.Path, help="write every failure here, one JSON object a line")
    args = parser.parse_args()
    if (args.binary is None) == (args.cluster is None):
        parser.error("one of --binary and --cluster is needed")
    list_file = HERE / ("passing-cluster.txt" if args.cluster else "passing.txt")

    tests = []
    with tempfile.TemporaryDirectory(prefix="quidditch-conformance-") as folder:
        folder = pathlib.Path(folder)
        (folder / "repo").mkdir()
        for suite in args.suite or SUITES:
            print(f"conformance: {suite} …", flush=True)
            tests += [dict(test, suite=suite) for test in run_suite(suite, args, folder)]

    tiers = collections.defaultdict(collections.Counter)
    passed, ran = set(), set()
    for test in tests:
        name = f"{test['suite']}: {test['file']} :: {test['test']}"
        tiers[test["tier"]][test["status"]] += 1
        ran.add(name)
        if test["status"] == "passed":
            passed.add(name)
    if args.report:
        with open(args.report, "w", encoding="utf-8") as out:
            for test in tests:
                if test["status"] in ("failed", "blocked"):
                    out.write(json.dumps(test) + "\n")
    for tier in sorted(tiers):
        counts = tiers[tier]
        judged = counts["passed"] + counts["failed"] + counts["blocked"]
        share = 100 * counts["passed"] / judged if judged else 100.0
        print(f"conformance: {tier}: {counts['passed']} of {judged} passed ({share:.1f} %), {counts['skipped']} skipped")

    listed = read_list(list_file)
    flaky = {line.split("  #")[0] for line in read_list(HERE / "flaky.txt")}
    lost = sorted((listed & ran) - passed)
    gone = [] if args.filter or args.suite else sorted(listed - ran)
    new = sorted(passed - listed - flaky)
    if args.update and new:
        list_file.write_text("\n".join(sorted(listed | set(new))) + "\n", encoding="utf-8")
    print(f"conformance: {len(new)} newly passing{' (added)' if args.update else ''}, {len(lost)} lost of {len(listed)} listed")
    for name in lost:
        print(f"  no longer passes: {name}")
    for name in gone:
        print(f"  in {list_file.name}, but the kit has no such test: {name}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
