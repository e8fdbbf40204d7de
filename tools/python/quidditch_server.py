"""Starts a quidditch server, or a whole cluster, for a script, on free loopback ports, and stops it again."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading


class Server:
    """A running server. `url` is its address; use it as a context manager.

    binary: the quidditch executable; data: its data directory, made if missing;
    settings: more `key=value` settings; log: where its output goes (default: a file in the data directory's parent).
    """

    def __init__(self, binary, data, settings=(), env=None, http_addr="127.0.0.1:0"):
        self.binary, self.data = pathlib.Path(binary), pathlib.Path(data)
        self.settings, self.env, self.http_addr = list(settings), dict(env or {}), http_addr
        self.process = self.url = None
        self.lines = []

    def start(self):
        command = [str(self.binary), "--data-dir", str(self.data), "--http-addr", self.http_addr]
        for setting in self.settings:
            command += ["-E", setting]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **self.env}
        )
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            found = re.search(r"http://[0-9.]+:\d+", line)
            if found and "ready" in line:
                self.url = found.group()
                break
        if not self.url:
            sys.exit("the server did not start:\n" + "\n".join(self.lines[-20:]))
        threading.Thread(target=self._drain, daemon=True).start()
        return self

    def _drain(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            del self.lines[:-2000]

    def assert_alive(self, when):
        if self.process.poll() is not None:
            sys.exit(f"the server died {when} (exit {self.process.returncode}):\n" + "\n".join(self.lines[-40:]))

    def kill(self):
        """Ends the process at once (SIGKILL); what it gave to the kernel stays."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Asks for an orderly end (SIGTERM) and returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Cluster:
    """A running cluster of local processes. `url` is its first coordination node's; use it as a context manager.

    tool: the quidditch-cluster executable, with the programs of the nodes beside it; data: the cluster's folder;
    settings: `key=value` for every node.
    """

    def __init__(self, tool, data, settings=(), name="quidditch", masters=3, coordination=1, data_nodes=2):
        self.tool, self.data = pathlib.Path(tool), pathlib.Path(data)
        self.settings = [setting.split("=", 1) for setting in settings]
        self.counts = {"master": masters, "coordination": coordination, "data": data_nodes}
        self.shape = ["--name", name, "--masters", str(masters), "--coordination", str(coordination)]
        self.shape += ["--data", f"hot={data_nodes}"]
        self.url = None

    def run(self, command, *more):
        line = [str(self.tool), command, "--dir", str(self.data), *more]
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(line)} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def status(self):
        return json.loads(self.run("status", "--json"))

    def __enter__(self):
        for role, count in self.counts.items():
            for number in range(1, count + 1):
                folder = self.data / f"{role}-{number}"
                folder.mkdir(parents=True, exist_ok=True)
                lines = [f"{key}: {json.dumps(value)}\n" for key, value in self.settings]
                (folder / "settings.yaml").write_text("".join(lines), encoding="utf-8")
        self.run("up", "--direct", *self.shape)
        serving = [node for node in self.status()["nodes"] if node["http"]]
        self.url = f"http://{serving[0]['http']}"
        return self

    def assert_alive(self, when):
        ended = [node["name"] for node in self.status()["nodes"] if node["state"] != "running"]
        if ended:
            sys.exit(f"nodes ended {when}: {', '.join(ended)}; their logs are in {self.data}")

    def __exit__(self, *_):
        self.run("down")
