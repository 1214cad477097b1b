"""Reading server-sent events."""

import json
import socket
import subprocess
import threading


class Stream:
    """What a client keeps of a stream: whole blocks alone, so that it may be cut off anywhere."""

    def __init__(self):
        self.rest = b""
        self.last_id = None
        self.ids = []
        self.events = []

    def feed(self, piece):
        *blocks, self.rest = (self.rest + piece).split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if ": " in line)
            self.last_id = fields.get("id", self.last_id)
            if "data" not in fields:
                continue
            event = json.loads(fields["data"])
            assert str(event["id"]) == fields["id"] and event["type"] == fields["event"], block
            self.ids.append(event["id"])
            self.events.append(event)

    def cut(self):
        """What was left of a block is lost with the connection."""
        self.rest = b""


class Curl:
    """`curl -N` on the daemon's events."""

    def __init__(self, daemon, stream, query=""):
        self.stream = stream
        resume = ["-H", f"Last-Event-ID: {stream.last_id}"] if stream.last_id is not None else []
        stream.cut()
        self.process = subprocess.Popen(
            ["curl", "-sN", "-H", "Accept: text/event-stream", *resume, "--unix-socket", daemon.socket]
            + [f"http://localhost/v1/events{query}"],
            stdout=subprocess.PIPE,
        )

    def read(self):
        """Takes in what there is, and waits for it; False at the end."""
        piece = self.process.stdout.read1(1 << 16)
        self.stream.feed(piece)
        return bool(piece)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def connected(daemon, query="", receive_buffer=None):
    """A socket on which a stream begins; nothing of the answer was read."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect(str(daemon.socket))
    request = f"GET /v1/events{query} HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n"
    client.sendall(request.encode())
    return client


def read_events(client, stream, until_id):
    """Reads on until the event with that id has come."""
    while not stream.ids or stream.ids[-1] < until_id:
        piece = client.recv(1 << 16)
        assert piece, f"the stream ended after {stream.last_id}"
        stream.feed(piece)


class Changes(threading.Thread):
    """Changes one tunnel over and over: each is an event."""

    def __init__(self, daemon, number, count=None):
        super().__init__(daemon=True)
        self.client = daemon.client()
        self.name = f"t{number}"
        self.count = count
        self.done = 0
        self.fault = None
        self.stopping = threading.Event()
        self.client.create(name=self.name, remote=f"172.17.0.{number + 1}", labels={"half": str(number % 2)})

    def run(self):
        try:
            while not self.stopping.is_set() and self.done != self.count:
                answer = self.client.patch(self.name, {"comment": str(self.done)})
                assert answer.status == 200, answer
                self.done += 1
        except Exception as fault:  # told in the test's own thread
            self.fault = fault
        self.client.close()

    def finish(self):
        self.join(60)
        assert not self.is_alive() and not self.fault, self.fault


def change(daemon, each, clients=8):
    """So many changes of each of some tunnels, together."""
    changes = [Changes(daemon, number, each) for number in range(clients)]
    for thread in changes:
        thread.start()
    for thread in changes:
        thread.finish()


def change_set(daemon, count, comment):
    """As many events by one request."""
    tunnels = [
        {"name": f"s{n}", "remote": f"172.18.{n // 250}.{n % 250 + 1}", "comment": comment, "labels": {"half": str(n % 2)}}
        for n in range(count)
    ]
    answer = daemon.request("POST", "/v1/apply", {"tunnels": tunnels})
    assert answer.status == 200, answer


def stored_ids(daemon, condition="TRUE"):
    return [id for (id,) in daemon.rows(f"SELECT id FROM event WHERE {condition} ORDER BY id")]
