#!/usr/bin/env python3
"""Runs the tour of README.md against a fresh server: what the page shows is what the server says.

    tour.py --binary FILE             exit 1 if an answer differs
    tour.py --binary FILE --update    writes the answers into README.md

A block of `sh` is run as it stands (its localhost:9200 becomes the server's address); the `text` or `json` block behind
it is what it printed. Times, uuids and sizes differ from run to run and are not compared.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from quidditch_server import Server  # noqa: E402

README = HERE.parent.parent / "README.md"
BLOCKS = re.compile(r"```sh\n(?P<command>.*?)```\n(?:```(?P<kind>json|text)\n(?P<answer>.*?)```\n)?", re.S)
VOLATILE = [
    (re.compile(r'"took" ?: ?\d+'), '"took": 0'),
    (re.compile(r"\b[A-Za-z0-9_-]{22}\b"), "UUID"),
    (re.compile(r"\b\d+(\.\d+)?(b|kb|mb)\b"), "SIZE"),
]


def steady(text):
    for pattern, replacement in VOLATILE:
        text = pattern.sub(replacement, text)
    return re.sub(r"[ \t]+", " ", text).strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    page = README.read_text(encoding="utf-8")
    before, tour, after = re.split(r"<!-- /?tour -->\n", page)
    differing = steps = 0
    with tempfile.TemporaryDirectory(prefix="quidditch-tour-") as folder:
        with Server(args.binary, pathlib.Path(folder) / "data") as server:

            def run(block):
                nonlocal differing, steps
                steps += 1
                command = block["command"].replace("localhost:9200", server.url.removeprefix("http://"))
                said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=folder).stdout.strip()
                if steady(said) != steady(block["answer"] or ""):
                    differing += 1
                    if not args.update:
                        print(f"--- {block['command'].strip()}\nREADME:\n{block['answer']}\nserver:\n{said}\n")
                return f"```sh\n{block['command']}```\n```{block['kind'] or 'json'}\n{said}\n```\n"

            fresh = BLOCKS.sub(run, tour)
    if args.update:
        README.write_text(f"{before}<!-- tour -->\n{fresh}<!-- /tour -->\n{after}", encoding="utf-8")
    print(f"tour: {steps} steps, {differing} {'updated' if args.update else 'differ'}")
    return 1 if differing and not args.update else 0


if __name__ == "__main__":
    sys.exit(main())
