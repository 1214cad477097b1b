"""What the parts of the benchmark share: the daemon under test, the baselines in C, and their output."""

import functools
import http.client
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".build/bench"
ROUNDS = 3


def output(*command):
    """What a command prints; its complaint and the end of this run when it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))[:300]}: {done.stderr or done.stdout}")
    return done.stdout


def values(*command):
    """The `key value` lines that a baseline prints."""
    return {key: float(value) for key, value in (line.split() for line in output(*command).splitlines())}


def requests_per_second(port, path, token):
    report = output("wrk", "-t", 2, "-c", 64, "-d", "5s", "-H", f"Authorization: Bearer {token}",
                    f"http://127.0.0.1:{port}{path}")
    if "Non-2xx" in report or "Socket errors" in report:
        sys.exit(report)
    return next(float(line.split()[1]) for line in report.splitlines() if line.startswith("Requests/sec"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    """A tunneld with a database of its own, listening on a free port."""

    def __init__(self, tunneld, folder):
        self.tunneld, self.database = tunneld, Path(folder) / "tunneld.db"
        self.log = Path(folder) / "tunneld.log"
        self.port = free_port()
        self.process = None

    def start(self):
        """Starts it and returns the seconds that it took to be ready."""
        begun = time.perf_counter()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.tunneld, "serve", "--database", self.database, "--listen", f"127.0.0.1:{self.port}",
                 "--log-level", "warning"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while time.perf_counter() - begun < 60:
            if self.process.poll() is not None:
                break
            if self.ready():
                return time.perf_counter() - begun
            time.sleep(0.001)
        sys.exit(f"tunneld doesn't get ready:\n{self.log.read_text()[-2000:]}")

    def ready(self):
        return self.answers("/readyz")

    def answers(self, path, header=""):
        """Whether a request gets 200."""
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}Connection: close\r\n\r\n"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(request.encode())
                return connection.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        if self.process.wait(timeout=30) != 0:
            sys.exit(f"tunneld's exit status is {self.process.returncode}:\n{self.log.read_text()[-2000:]}")

    @functools.cache
    def token(self):
        """A token that the daemon knows of already: it may take a second to notice a new one."""
        token = output(self.tunneld, "token", "create", "--scope", "write", "--database", self.database).strip()
        for _ in range(100):
            if self.answers("/v1/version", f"Authorization: Bearer {token}\r\n"):
                return token
            time.sleep(0.1)
        return sys.exit("tunneld refuses its token")

    def metric(self, name):
        """A metric without labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/metrics?fresh=true", headers={"Authorization": f"Bearer {self.token()}"})
        for line in connection.getresponse().read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        return sys.exit(f"no metric {name}")

    def resident_mebibytes(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return sys.exit("no VmRSS in /proc")


@contextmanager
def running(tunneld, folder):
    daemon = Daemon(tunneld, folder)
    daemon.start()
    try:
        yield daemon
    finally:
        if daemon.process.poll() is None:
            daemon.stop()


@contextmanager
def plain_httpd(threads, page, headers=()):
    """The baseline server; gives its port."""
    port = free_port()
    server = subprocess.Popen([BIN / "httpd", str(port), str(threads), page, *headers], stdin=subprocess.PIPE)
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.01)
        yield port
    finally:
        server.stdin.close()
        server.wait(timeout=10)
