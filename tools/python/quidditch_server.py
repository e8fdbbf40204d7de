"""Starts a quidditch server for a script, on a free loopback port, and stops it again."""
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
        """Ends the process at once, as a power cut would (SIGKILL)."""
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
