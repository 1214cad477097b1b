"""What the system tests stand on: network namespaces as hosts, and a daemon on each.

They run on a kernel with ipip and as its root: scripts/test starts them under scripts/uml-run.
"""

import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

TUNNELD = os.environ.get("TUNNELD", str(Path(__file__).resolve().parents[2] / ".build/debug/tunneld"))
numbers = itertools.count(1)


def pytest_configure(config):
    config.addinivalue_line("markers", "without_ipip: needs a kernel that lacks ipip (scripts/uml-run --no-module ipip)")


def run(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if check and done.returncode != 0:
        pytest.fail(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}", pytrace=False)
    return done


def until(condition, seconds=10):
    """Waits for a condition; its last value, true or not."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {self.text}"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    """A tunneld on a host; requests go over its unix socket, which is reachable from every namespace."""

    def __init__(self, host, folder, options):
        self.host, self.options = host, options
        self.database, self.socket, self.log = folder / "tunneld.db", folder / "tunneld.sock", folder / "tunneld.log"
        self.process = None

    def start(self):
        command = ["ip", "netns", "exec", self.host.namespace, TUNNELD, "serve", "--database", str(self.database),
                   "--listen", f"unix:{self.socket}", "--listen", "127.0.0.1:8080", *self.options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if not until(self.is_ready, 30):
            pytest.fail(f"not ready: exit status {self.process.poll()}\n{self.log.read_text()}", pytrace=False)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            return False
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def stop(self, number=signal.SIGTERM):
        """Ends the daemon and returns its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def request(self, method, path, body=None, headers=()):
        headers = dict(headers)
        if body is not None and not isinstance(body, (str, bytes)):
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            headers, body = {"Content-Type": kind, **headers}, json.dumps(body)
        connection = UnixConnection(str(self.socket))
        try:
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def create(self, name, remote, **fields):
        answer = self.request("POST", "/v1/tunnels", {"name": name, "remote": remote, **fields})
        assert answer.status == 201, answer
        return answer.json

    def tunnel(self, name):
        answer = self.get(f"/v1/tunnels/{name}")
        assert answer.status == 200, answer
        return answer.json


class Host:
    """A network namespace with an address on a shared underlay."""

    def __init__(self, folder):
        self.namespace, self.folder, self.daemons = f"host{next(numbers)}", folder, []
        run("ip", "netns", "add", self.namespace)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command, check=True):
        return run("ip", "netns", "exec", self.namespace, *command, check=check)

    def ip(self, *words):
        """The JSON that `ip -j` prints."""
        text = self.run("ip", "-j", *words).stdout
        return json.loads(text) if text.strip() else []

    def link(self, name):
        """The link of that name with all its details, or None."""
        found = self.run("ip", "-j", "-d", "-s", "address", "show", "dev", name, check=False)
        return next((link for link in json.loads(found.stdout or "[]") if link), None)

    def addresses(self, name):
        return [f"{a['local']}/{a['prefixlen']}" for a in self.link(name)["addr_info"] if a["family"] == "inet"]

    def state(self):
        """Links, IPv4 addresses and routes, but not tunl0, which the kernel makes when ipip is loaded."""
        links = sorted(link["ifname"] for link in self.ip("link") if link["ifname"] != "tunl0")
        return links, self.ip("-4", "address"), self.ip("-4", "route", "show", "table", "all")

    def pings(self, address, count=3):
        return self.run("ping", "-q", "-c", str(count), "-i", "0.1", "-W", "2", address, check=False).returncode == 0

    def daemon(self, *options):
        folder = self.folder / f"{self.namespace}-{len(self.daemons)}"
        folder.mkdir()
        daemon = Daemon(self, folder, options)
        self.daemons.append(daemon)
        return daemon.start()

    def close(self):
        for daemon in self.daemons:
            if daemon.process and daemon.process.poll() is None:
                daemon.process.kill()
                daemon.process.wait(timeout=10)
        run("ip", "netns", "delete", self.namespace)


@pytest.fixture
def hosts(tmp_path):
    """Two hosts, 172.16.16.22 and 172.16.1.62, that reach each other."""
    a, b = Host(tmp_path), Host(tmp_path)
    run("ip", "link", "add", "underlay0", "netns", a.namespace, "type", "veth",
        "peer", "name", "underlay0", "netns", b.namespace)
    for host, address in ((a, "172.16.16.22/16"), (b, "172.16.1.62/16")):
        host.run("ip", "address", "add", address, "dev", "underlay0")
        host.run("ip", "link", "set", "underlay0", "up")
    yield a, b
    a.close()
    b.close()


@pytest.fixture
def host(hosts):
    return hosts[0]


@pytest.fixture
def daemon(host):
    return host.daemon()
