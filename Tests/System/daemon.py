"""The daemon under test, and how the tests talk to it."""

import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

from host import until

TUNNELD = os.environ.get("TUNNELD", ".build/debug/tunneld")
MERGE_PATCH = "application/merge-patch+json"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=20):
        super().__init__("tunneld", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class TCPConnection(http.client.HTTPConnection):
    """From the host itself."""

    def __init__(self, host, port, timeout=20):
        super().__init__("127.0.0.1", port, timeout=timeout)
        self.inside = host.inside

    def connect(self):
        with self.inside():
            super().connect()


class Answer:
    def __init__(self, method, path, response):
        self.asked = f"{method} {path}"
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.asked}: {self.status} {self.body[:2000].decode(errors='replace')}"


class Client:
    """A kept-open connection."""

    def __init__(self, connection):
        self.connection = connection
        # Sent with each request.
        self.headers = {}

    def close(self):
        self.connection.close()

    def request(self, method, path, body=None, **headers):
        """A body that isn't bytes is sent as JSON; `if_match="…"` is the header If-Match."""
        headers = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            kind = MERGE_PATCH if method == "PATCH" else "application/json"
            headers = {"content-type": kind} | headers
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request(method, path, body, headers)
        return Answer(method, path, self.connection.getresponse())

    def get(self, path, **headers):
        return self.request("GET", path, **headers)

    def post(self, body, **headers):
        return self.request("POST", "/v1/tunnels", body, **headers)

    def put(self, name, body, **headers):
        return self.request("PUT", f"/v1/tunnels/{name}", body, **headers)

    def patch(self, name, body, **headers):
        return self.request("PATCH", f"/v1/tunnels/{name}", body, **headers)

    def delete(self, name, **headers):
        return self.request("DELETE", f"/v1/tunnels/{name}", **headers)

    def create(self, **definition):
        answer = self.post(definition)
        assert answer.status == 201, answer
        return answer.json

    def tunnel(self, name):
        answer = self.get(f"/v1/tunnels/{name}")
        assert answer.status == 200, answer
        return answer.json

    def tunnels(self, limit=500):
        """All, by name, page by page."""
        found, cursor = [], ""
        while cursor is not None:
            query = f"?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
            answer = self.get("/v1/tunnels" + query)
            assert answer.status == 200, answer
            found += answer.json["items"]
            cursor = answer.json["next_cursor"]
        names = [tunnel["name"] for tunnel in found]
        assert names == sorted(set(names)), "a page repeats a tunnel, or isn't in order"
        return {tunnel["name"]: tunnel for tunnel in found}


class Daemon(Client):
    """`tunneld serve` on a host, with a directory of its own, and a connection to it."""

    running = []
    # The option --data-plane that each gets (None for none), and what that comes to.
    choice = None
    kind = "kernel"
    link_kinds = {"kernel": "ipip", "bpf": "tun"}

    def __init__(
        self, host, directory=None, tcp=False, prefix=(), options=(), environment=None, data_plane=None
    ):
        self.host = host
        self.is_own = directory is None
        self.directory = Path(directory or tempfile.mkdtemp(prefix="tunneld-"))
        self.database = self.directory / "tunneld.db"
        self.socket = self.directory / "tunneld.sock"
        self.log_file = self.directory / "log"
        self.output_file = self.directory / "output"
        listen = ["--listen", f"unix:{self.socket}"] + (["--listen", "127.0.0.1:8080"] if tcp else [])
        options = options or ["--database", self.database, *listen, "--log-format", "json"]
        data_plane = data_plane or Daemon.choice
        options += ["--data-plane", data_plane] if data_plane else []
        self.command = [*prefix, TUNNELD, "serve", *options]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TUNNELD")}
        self.environment = kept | (environment or {})
        self.process = None
        super().__init__(UnixConnection(self.socket))

    def spawn(self):
        with self.host.inside(), open(self.log_file, "ab") as log, open(self.output_file, "wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env=self.environment,
            )
        Daemon.running.append(self)
        return self

    def start(self):
        """Returns when it is ready."""
        self.spawn()
        until(self.is_ready, 30, f"ready\n{self.tail()}")
        return self

    def is_ready(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}\n{self.tail()}"
        try:
            return self.get("/readyz").status == 200
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return False

    def client(self):
        """Another connection over the unix socket."""
        return Client(UnixConnection(self.socket))

    def tcp_client(self, token=None):
        """A connection over TCP; each request carries the token."""
        client = Client(TCPConnection(self.host, 8080))
        if token:
            client.headers = {"authorization": f"Bearer {token}"}
        return client

    def end(self, number):
        """Sends a signal and returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(30)
        finally:
            if self in Daemon.running:
                Daemon.running.remove(self)
            self.close()

    def stop(self):
        return self.end(signal.SIGTERM)

    def kill(self):
        return self.end(signal.SIGKILL)

    @contextmanager
    def paused(self):
        """Sees what happens meanwhile all at once, as one that was busy does."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def restart(self):
        assert self.stop() == 0, self.tail()
        return self.start()

    def failed_start(self):
        """Starts what can't start; returns what it said."""
        self.spawn()
        try:
            status = self.process.wait(30)
        finally:
            self.kill()
        assert status not in (0, None) and status > 0, f"exit status {status}: {self.tail()}"
        return self.tail()

    def discard(self):
        if self.process is not None:
            self.kill()
        if self.is_own:
            shutil.rmtree(self.directory)

    def tail(self, lines=40):
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def logged(self, *words):
        """The lines of the log that hold all these words."""
        lines = self.log_file.read_text(errors="replace").splitlines()
        return [line for line in lines if all(word in line for word in words)]

    def run(self, *words, **environment):
        """Another command of the binary, on this database."""
        with self.host.inside():
            return subprocess.run(
                [TUNNELD, *words],
                text=True,
                capture_output=True,
                timeout=60,
                env=self.environment | {"TUNNELD_DATABASE": str(self.database)} | environment,
            )

    def rows(self, sql="SELECT name, revision FROM tunnel ORDER BY name"):
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as database:
            return database.execute(sql).fetchall()


def problem(answer, status, slug):
    """Checks an error's form and returns its members."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json", answer
    members = answer.json
    assert members["type"] == f"/problems/{slug}", answer
    assert members["status"] == status, answer
    assert members["title"] and members["detail"], answer
    return members


def metric(daemon, name):
    """The values of all samples of this name in /metrics, as of now."""
    lines = daemon.get("/metrics?fresh=true").body.decode().splitlines()
    values = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
    assert values, f"there is no {name}"
    return values
