"""Packets between two hosts, at a rate that is bounded."""

import contextlib
import socket
import threading


class Traffic:
    """While the block runs, each end sends `rate` datagrams a second to the other."""

    def __init__(self, host_a, address_a, host_b, address_b, rate=100, size=500):
        self.rate, self.size = rate, size
        self.done = threading.Event()
        self.faults = []
        self.sockets = [self.socket(host_a, address_a), self.socket(host_b, address_b)]
        self.threads = [threading.Thread(target=self.run, args=pair) for pair in (self.sockets, self.sockets[::-1])]

    @staticmethod
    def socket(host, address):
        with host.inside():
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind((address, 0))
        return made

    def run(self, sender, receiver):
        while not self.done.wait(1 / self.rate):
            # A tunnel that a test takes down refuses, and comes back.
            with contextlib.suppress(OSError):
                sender.sendto(bytes(self.size), receiver.getsockname())
            with contextlib.suppress(BlockingIOError):
                receiver.recv(self.size, socket.MSG_DONTWAIT)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join(10)
        for each in self.sockets:
            each.close()
