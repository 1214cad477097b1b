"""Two hosts joined by a cable, a tunnel between them, and means to send and see single packets."""

import contextlib
import ctypes
import errno
import fcntl
import select
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "System"))

from host import Host, until  # noqa: E402
from programs import DataPlane  # noqa: E402

A, B = "172.16.16.22", "172.16.1.62"
INNER_A, INNER_B = "192.168.1.1", "192.168.1.254"
ETHERNET_IP = 0x0800


class PacketSocket:
    """Sends and sees packets on a link, without its link-layer header."""

    def __init__(self, host, link, size=1 << 22):
        with host.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            self.socket.setsockopt(socket.SOL_SOCKET, 33, size)  # SO_RCVBUFFORCE
            # Every protocol, since only such a socket sees packets before the programs do.
            self.socket.bind((link, 3))
            self.link, self.address = link, self.socket.getsockname()[4]
        self.socket.setblocking(False)

    def close(self):
        self.socket.close()

    def send(self, packet, to=b"\xff" * 6, protocol=ETHERNET_IP):
        """To nobody's address in particular; what a program drops is an error of sending on a TUN device."""
        try:
            self.socket.sendto(packet, (self.link, protocol, 0, 0, to))
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise

    def seen(self):
        """What came since the last time; not what this host sent."""
        packets = []
        while True:
            try:
                packet, address = self.socket.recvfrom(1 << 17)
            except BlockingIOError:
                return packets
            if address[1] == ETHERNET_IP and address[2] != socket.PACKET_OUTGOING:
                packets.append(packet)

    def wait_for(self, condition, seconds=5.0):
        """Everything up to the packet of which the condition is true, without it."""
        packets = []

        def came():
            for packet in self.seen():
                if condition(packet):
                    return True
                packets.append(packet)
            return False

        until(came, seconds, f"a packet on {self.link} after {[p.hex() for p in packets[-3:]]}")
        return packets


def raw_socket(host, protocol):
    with host.inside():
        witness = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    witness.setblocking(False)
    return witness


def received(witness):
    packets = []
    with contextlib.suppress(BlockingIOError):
        while True:
            packets.append(witness.recv(65536))
    return packets


def tcp_transfer(sender, receiver, address, size, port=5201, chunk=1 << 16, seconds=100):
    """Sends size bytes over TCP and returns how many came whole and in order."""
    deadline = time.monotonic() + seconds
    with receiver.inside():
        listener = socket.create_server((address, port))
    with sender.inside():
        client = socket.socket()
    pattern = bytes(range(256)) * (chunk // 256 + 1)
    with listener, client:
        client.settimeout(20)
        client.connect((address, port))
        server, _ = listener.accept()
        with server:
            server.setblocking(False)
            client.setblocking(False)
            sent = got = 0
            while got < size:
                assert time.monotonic() < deadline, f"TCP is slow: {got} bytes of {size}"
                readable, writable, _ = select.select([server], [client] if sent < size else [], [], 20)
                assert readable or writable, f"TCP stands still after {got} bytes of {size}"
                if writable:
                    start = sent % 256
                    sent += client.send(pattern[start : start + min(chunk, size - sent)])
                if readable:
                    data = server.recv(1 << 18)
                    assert data, f"TCP ended after {got} bytes of {size}"
                    start = got % 256
                    assert data == (pattern * (len(data) // chunk + 2))[start : start + len(data)], "other bytes"
                    got += len(data)
            return got


def set_offload(host, link, *, on, what):
    """As ethtool -K does."""
    commands = {"tso": 0x1F, "tx": 0x17, "gso": 0x24}  # ETHTOOL_STSO, ETHTOOL_STXCSUM, ETHTOOL_SGSO
    with host.inside(), socket.socket() as control:
        for name in what:
            value = ctypes.create_string_buffer(struct.pack("=II", commands[name], int(on)))
            fcntl.ioctl(control, 0x8946, struct.pack("16sQ16x", link.encode(), ctypes.addressof(value)))


class Lab:
    """A and B, as the walk-through has them. Each end is "bpf" or "ipip"."""

    def __init__(self, kinds=("bpf", "bpf"), **options):
        self.a, self.b = Host(), Host()
        self.a.join(self.b, f"{A}/16", f"{B}/16")
        self.planes = []
        self.end_a = self.make_end(self.a, kinds[0], A, B, **options)
        self.end_b = self.make_end(self.b, kinds[1], B, A, **options)
        self.a.ip(f"address add {INNER_A}/24 dev tun0")
        self.b.ip(f"address add {INNER_B}/24 dev tun0")

    def make_end(self, host, kind, local, remote, **options):
        if kind == "ipip":
            host.ip(f"link add tun0 type ipip local {local} remote {remote}", "link set tun0 up")
            return None
        plane = DataPlane(host)
        self.planes.append(plane)
        plane.add_underlay()
        plane.add_tunnel("tun0", local, remote, **options)
        return plane

    def close(self):
        for plane in self.planes:
            plane.close()
        self.a.close()
        self.b.close()
