"""The tunnel of the walk-through: its two ends, what they count, and a stream of numbered packets through it."""

import socket
import struct
import threading
import time
from contextlib import closing

A, B = "172.16.16.22", "172.16.1.62"
INNER_A, INNER_B = "192.168.1.1", "192.168.1.254"
TUN_A = {"name": "tun_a", "local": A, "remote": B, "addresses": [f"{INNER_A}/24"]}
TUN_B = {"name": "tun_b", "local": B, "remote": A, "addresses": [f"{INNER_B}/24"]}


def packets(daemon, name):
    """rx packets, rx bytes, tx packets, tx bytes."""
    stats = daemon.get(f"/v1/tunnels/{name}/stats?fresh=true").json
    return stats["rx"]["packets"], stats["rx"]["bytes"], stats["tx"]["packets"], stats["tx"]["bytes"]


class Stream:
    """Numbered datagrams from one host to another, some thousand a second, while the block runs."""

    def __init__(self, sender, receiver, to, size=100):
        with sender.inside():
            self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with receiver.inside():
            self.into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receive_buffer_by_force = 33
        self.into.setsockopt(socket.SOL_SOCKET, receive_buffer_by_force, 1 << 26)
        self.into.bind((to, 0))
        self.out.connect(self.into.getsockname())
        self.size = size
        self.sent = 0
        self.fault = None
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while not self.done.is_set():
                # Bursts that fit any queue: what is lost is lost by the tunnel.
                for _ in range(20):
                    self.out.send(struct.pack("!Q", self.sent) + bytes(self.size - 8))
                    self.sent += 1
                time.sleep(0.002)
        except Exception as fault:  # told in the test's own thread
            self.fault = fault

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join(10)
        self.out.close()

    def received(self):
        """The numbers that came, in their order."""
        numbers = []
        with closing(self.into):
            self.into.settimeout(0.5)
            try:
                while True:
                    numbers.append(struct.unpack_from("!Q", self.into.recv(2048))[0])
            except TimeoutError:
                return numbers
