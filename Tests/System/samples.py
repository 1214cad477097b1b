"""Reading streams of samples: one in full, or many by one thread."""

import json
import select
import socket
import threading
import time
import zlib


def connect(daemon, query="", compressed=False):
    """A socket on which a stream begins; nothing of the answer was read."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(str(daemon.socket))
    accept = "Accept-Encoding: gzip\r\n" if compressed else ""
    client.sendall(f"GET /v1/stats/stream{query} HTTP/1.0\r\n{accept}\r\n".encode())
    return client


class Blocks:
    """Cuts what comes, after the answer's head, into blocks."""

    def __init__(self, compressed=False):
        self.inflate = zlib.decompressobj(16 + zlib.MAX_WBITS) if compressed else None
        self.rest = b""
        self.head = b""
        self.has_head = False

    def feed(self, piece):
        """The blocks that are whole now."""
        if not self.has_head:
            self.head += piece
            head, end, piece = self.head.partition(b"\r\n\r\n")
            if not end:
                return []
            assert head.startswith(b"HTTP/1.1 200") or head.startswith(b"HTTP/1.0 200"), head
            self.has_head = True
            self.head = head
        if self.inflate:
            piece = self.inflate.decompress(piece)
        *blocks, self.rest = (self.rest + piece).split(b"\n\n")
        return blocks


class SampleStream:
    """One stream, read when somebody asks."""

    def __init__(self, daemon, query="", compressed=True):
        self.socket = connect(daemon, query, compressed)
        self.socket.setblocking(False)
        self.blocks = Blocks(compressed)
        self.numbers = []

    def newest(self):
        """The samples that have come since the last time."""
        samples = []
        while True:
            try:
                piece = self.socket.recv(1 << 18)
            except BlockingIOError:
                return samples
            assert piece, "the stream ended"
            for block in self.blocks.feed(piece):
                fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if ": " in line)
                if "data" not in fields:
                    continue
                assert fields["event"] == "sample"
                self.numbers.append(int(fields["id"]))
                assert self.numbers == sorted(set(self.numbers))
                samples.append(json.loads(fields["data"]))

    def close(self):
        self.socket.close()


class ManyStreams(threading.Thread):
    """Reads many streams and counts the samples of each, without looking into them."""

    def __init__(self, daemon, count, compressed=True):
        super().__init__(daemon=True)
        self.sockets = {}
        self.poll = select.epoll()
        for _ in range(count):
            client = connect(daemon, compressed=compressed)
            client.setblocking(False)
            self.sockets[client.fileno()] = client
            self.poll.register(client, select.EPOLLIN)
        self.blocks = {number: Blocks(compressed) for number in self.sockets}
        # By socket: the numbers of the samples that came.
        self.seen = {number: [] for number in self.sockets}
        self.bytes = 0
        self.fault = None
        self.stopping = threading.Event()
        self.inflated = {}

    def run(self):
        try:
            while not self.stopping.is_set():
                for number, _ in self.poll.poll(0.2):
                    piece = self.sockets[number].recv(1 << 18)
                    assert piece, f"a stream ended after {self.seen[number][-3:]}"
                    self.bytes += len(piece)
                    self.take(number, piece)
        except Exception as fault:  # told in the test's own thread
            self.fault = fault

    def take(self, number, piece):
        for block in self.blocks[number].feed(piece):
            if block.startswith(b"id: "):
                self.seen[number].append(int(block[4 : block.index(b"\n")]))

    def finish(self):
        self.stopping.set()
        self.join(30)
        assert not self.is_alive() and not self.fault, self.fault
        for client in self.sockets.values():
            client.close()
        self.poll.close()


class Pollers(threading.Thread):
    """So many dashboards on connections of their own: each asks again a second after its answer."""

    def __init__(self, daemon, count):
        super().__init__(daemon=True)
        self.clients = [daemon.client() for _ in range(count)]
        self.tags = [None] * count
        self.answers = [0] * count
        self.fault = None
        self.stopping = threading.Event()

    def run(self):
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                for number, client in enumerate(self.clients):
                    known = {"if_none_match": self.tags[number]} if self.tags[number] else {}
                    answer = client.get("/v1/stats", accept_encoding="gzip", **known)
                    assert answer.status in (200, 304), answer
                    self.tags[number] = answer.headers["etag"]
                    self.answers[number] += 1
                self.stopping.wait(max(0, 1 - (time.monotonic() - began)))
        except Exception as fault:  # told in the test's own thread
            self.fault = fault

    def finish(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive() and not self.fault, self.fault
        for client in self.clients:
            client.close()
