"""A host: a network namespace without a name, which ends when nothing uses it any more."""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import time

from netlink import Kernel

HAS_IPIP = (
    subprocess.run(
        ["unshare", "-n", "ip", "link", "add", "probe", "type", "ipip", "remote", "127.0.0.2"],
        capture_output=True,
    ).returncode
    == 0
)
NEW_NETWORK = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def until(condition, seconds=10.0, what="the condition"):
    """Waits for a true value and returns it; an error says what was last seen."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Host:
    def __init__(self):
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            check(libc.unshare(NEW_NETWORK))
            self.namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            self.kernel = Kernel()
        finally:
            check(libc.setns(own, NEW_NETWORK))
            os.close(own)

    def close(self):
        self.kernel.close()
        os.close(self.namespace)

    @contextlib.contextmanager
    def inside(self):
        """What this thread makes in the block, sockets and processes, belongs to this host."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            check(libc.setns(self.namespace, NEW_NETWORK))
            yield self
        finally:
            check(libc.setns(own, NEW_NETWORK))
            os.close(own)

    def ip(self, *commands):
        """Each as one would type it after `ip`; all by one process."""
        self.batch("ip", commands)

    def tc(self, *commands):
        self.batch("tc", commands)

    def batch(self, program, commands):
        with self.inside():
            done = subprocess.run(
                [program, "-batch", "-"], input="\n".join(commands), text=True, capture_output=True, timeout=60
            )
        assert done.returncode == 0, f"{program} {commands}: {done.stderr}"

    def add_somebodys_tunnel(self, name, remote, more=""):
        """A link of the kind that tunnels have here, made by somebody else."""
        if HAS_IPIP:
            self.ip(f"link add {name} type ipip local 172.16.16.22 remote {remote} {more}")
        else:
            self.ip(f"tuntap add dev {name} mode tun")

    def write(self, path, value):
        """To a file of this host's own, such as /proc/sys/net/…."""
        with self.inside(), open(path, "w") as file:
            file.write(value)

    @property
    def path(self):
        """Names the namespace to `ip`, as in `netns …`."""
        return f"/proc/{os.getpid()}/fd/{self.namespace}"

    def join(self, other, local, remote, link="underlay0"):
        """A cable between two hosts."""
        self.ip(
            f"link add {link} type veth peer name {link} netns {other.path}",
            "link set lo up",
            f"address add {local} dev {link}",
            f"link set {link} up",
        )
        other.ip("link set lo up", f"address add {remote} dev {link}", f"link set {link} up")

    def pinger(self):
        return Pinger(self)

    def ping(self, to, count=3):
        """How many echoes came back."""
        with contextlib.closing(self.pinger()) as pinger:
            return sum(pinger.echo(to) for _ in range(count))

    def capture(self, link):
        return Capture(self, link)

    @contextlib.contextmanager
    def watch(self):
        """Gives a function that counts the kernel's notices of changed links, addresses, routes, qdiscs and filters."""
        link, traffic_control, address, route = 1 << 0, 1 << 3, 1 << 4, 1 << 6
        with self.inside():
            monitor = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            monitor.bind((0, link | traffic_control | address | route))
        monitor.setblocking(False)

        def count():
            seen = 0
            while True:
                try:
                    monitor.recv(1 << 16)
                except BlockingIOError:
                    return seen
                seen += 1

        with contextlib.closing(monitor):
            yield count


class Pinger:
    """Sends ICMP echo requests and counts what comes back."""

    identifiers = iter(range(1000, 60000))

    def __init__(self, host):
        with host.inside():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.identifier = next(Pinger.identifiers)
        self.sent = 0
        self.answered = set()

    def close(self):
        self.socket.close()

    def send(self, to):
        self.sent += 1
        header = struct.pack("!BBHHH", 8, 0, 0, self.identifier, self.sent)
        body = header + bytes(56)
        checksum = sum(struct.unpack("!32H", body))
        checksum = ~((checksum & 0xFFFF) + (checksum >> 16)) & 0xFFFF
        self.socket.sendto(body[:2] + struct.pack("!H", checksum) + body[4:], (to, 0))
        return self.sent

    def receive(self, seconds):
        """Takes one packet; false when none came."""
        self.socket.settimeout(seconds)
        try:
            packet = self.socket.recv(2048)
        except (TimeoutError, BlockingIOError):
            return False
        kind, _, _, identifier, sequence = struct.unpack_from("!BBHHH", packet, (packet[0] & 15) * 4)
        if (kind, identifier) == (0, self.identifier):
            self.answered.add(sequence)
        return True

    def echo(self, to, seconds=2.0):
        sequence = self.send(to)
        deadline = time.monotonic() + seconds
        while sequence not in self.answered and time.monotonic() < deadline:
            self.receive(max(0.001, deadline - time.monotonic()))
        return sequence in self.answered


class Capture:
    """Reads the packets on a link, as tcpdump does."""

    def __init__(self, host, link):
        every_protocol = 3
        with host.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
            self.socket.bind((link, every_protocol))
        self.socket.setblocking(False)

    def close(self):
        self.socket.close()

    def packets(self):
        """Those that came in or went out so far."""
        packets = []
        while True:
            try:
                packets.append(self.socket.recv(65536))
            except BlockingIOError:
                return packets

    def ipip_packets(self):
        """The IPIP packets so far. An ARP packet may have that protocol's number where IPv4 has it: in a MAC address."""
        return [packet for packet in self.packets() if packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_IPIP]

    def ipip(self):
        """Their ends: (outer source, outer destination, inner source, inner destination)."""
        ends = []
        for packet in self.ipip_packets():
            inner = packet[(packet[0] & 15) * 4 :]
            addresses = (packet[12:16], packet[16:20], inner[12:16], inner[16:20])
            ends.append(tuple(map(socket.inet_ntoa, addresses)))
        return ends
