"""Loads the programs into a host, attaches them and fills their maps, as the daemon does."""

import ctypes
import fcntl
import os
import platform
import socket
import struct
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OBJECT = Path(os.environ.get("TUNNEL_BPF_OBJECT", ROOT / "Sources/BPFDataPlane/Programs/tunnel.bpf.o"))

PMTUDISC, UP = 1, 2
TOS_INHERIT = 1

COUNTERS = (
    "rx_packets rx_bytes tx_packets tx_bytes "
    "rx_outer_header rx_fragment rx_not_ipv4 rx_inner_header rx_ecn rx_down rx_failed "
    "tx_not_ipv4 tx_inner_header tx_too_big tx_no_route tx_loop tx_nested tx_failed"
).split()

libc = ctypes.CDLL(None, use_errno=True)
BPF_CALL = {"x86_64": 321, "aarch64": 280}[platform.machine()]
LOOKUP, UPDATE, DELETE, OBJECT_GET = 1, 2, 3, 7


def bpf(command, attributes):
    result = libc.syscall(BPF_CALL, command, attributes, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command}): {os.strerror(ctypes.get_errno())}")
    return result


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr or done.stdout}"
    return done.stdout


class Map:
    def __init__(self, path, key, value):
        name = ctypes.create_string_buffer(str(path).encode())
        self.number = bpf(OBJECT_GET, struct.pack("=QII", ctypes.addressof(name), 0, 0))
        self.key, self.value = struct.Struct("=" + key), struct.Struct("=" + value)
        self.slots = 1

    def element(self, command, key, value=None):
        key = ctypes.create_string_buffer(self.key.pack(*key), self.key.size)
        place = ctypes.addressof(value) if value else 0
        bpf(command, struct.pack("=IxxxxQQQ", self.number, ctypes.addressof(key), place, 0))

    def __setitem__(self, key, value):
        packed = self.value.pack(*value) * self.slots
        self.element(UPDATE, key, ctypes.create_string_buffer(packed, len(packed)))

    def __getitem__(self, key):
        value = ctypes.create_string_buffer(self.value.size * self.slots)
        self.element(LOOKUP, key, value)
        return list(self.value.iter_unpack(value.raw))

    def __delitem__(self, key):
        self.element(DELETE, key)


def possible_cpus():
    last = Path("/sys/devices/system/cpu/possible").read_text().strip().split("-")[-1]
    return int(last) + 1


@dataclass(frozen=True)
class Tunnel:
    """The definition, with the defaults of the API, and what the daemon finds out."""

    local: str
    remote: str
    out: int
    source: str = ""
    underlay: int = 0
    fwmark: int = 0
    path_mtu: int = 1500
    ttl: int = 0
    tos: int = TOS_INHERIT
    flags: int = PMTUDISC | UP
    learnt: int = 0


def is_ipip_here():
    """Whether this kernel has the other data plane."""
    done = subprocess.run(["unshare", "-n", "ip", "link", "add", "probe", "type", "ipip", "remote", "127.0.0.2"],
                          capture_output=True)
    return done.returncode == 0


class DataPlane:
    """One namespace's programs and maps."""

    def __init__(self, host):
        self.host = host
        self.directory = Path(tempfile.mkdtemp(prefix="tunnel-bpf-", dir="/run"))
        run("mount", "-t", "bpf", "bpf", self.directory)
        maps = self.directory / "maps"
        run("bpftool", "prog", "loadall", OBJECT, self.directory / "programs", "pinmaps", maps)
        self.configs = Map(maps / "tun_config_1", "I", "4s4s4sIIIIBBBB")
        self.endpoints = Map(maps / "tun_endpoint_1", "4s4sI", "I")
        self.states = Map(maps / "tun_state_1", "I", "QII")
        self.counters = Map(maps / "tun_counter_1", "I", f"{len(COUNTERS)}Q")
        self.counters.slots = possible_cpus()
        self.addresses = Map(maps / "host_address_1", "4s", "B")
        self.underlays = Map(maps / "underlay_1", "I", "BBBB")
        self.tunnels = {}

    def close(self):
        for held in (self.configs, self.endpoints, self.states, self.counters, self.addresses, self.underlays):
            os.close(held.number)
        run("umount", self.directory)
        self.directory.rmdir()

    def index(self, link):
        with self.host.inside():
            return socket.if_nametoindex(link)

    def attach(self, link, hook):
        with self.host.inside():
            run("tc", "qdisc", "replace", "dev", link, "clsact")
            run("tc", "filter", "add", "dev", link, hook, "protocol", "all", "prio", "1", "handle", "1",
                "bpf", "direct-action", "object-pinned", self.directory / "programs" / f"tunneld_{hook}")

    def add_underlay(self, link="underlay0", header_bytes=14):
        self.attach(link, "ingress")
        self.underlays[self.index(link),] = header_bytes, 1, 0, 0

    def add_tunnel(self, link, local, remote, out="underlay0", mtu=1480, **options):
        self.make_tun(link)
        index = self.index(link)
        self.host.ip(f"link set {link} mtu {mtu} up")
        self.counters[index,] = (0,) * len(COUNTERS)
        self.states[index,] = 0, 0, 0
        self.configure(link, Tunnel(local, remote, out and self.index(out), **options))
        tunnel = self.tunnels[link]
        self.endpoints[socket.inet_aton(local), socket.inet_aton(remote), tunnel.underlay] = (index,)
        self.attach(link, "egress")
        return index

    def make_tun(self, link):
        tun, no_packet_information, keep, offload = 1, 0x1000, 0x400454CB, 0x400454D0
        checksum, tcp4, tcp6 = 1, 2, 4
        with self.host.inside(), open("/dev/net/tun", "r+b", buffering=0) as device:
            fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", link.encode(), tun | no_packet_information))
            fcntl.ioctl(device, offload, checksum | tcp4 | tcp6)
            fcntl.ioctl(device, keep, 1)
        self.host.write(f"/proc/sys/net/ipv6/conf/{link}/disable_ipv6", "1")

    def configure(self, link, tunnel=None, **changes):
        tunnel = replace(tunnel or self.tunnels[link], **changes)
        self.tunnels[link] = tunnel
        self.configs[self.index(link),] = (
            socket.inet_aton(tunnel.local), socket.inet_aton(tunnel.remote),
            socket.inet_aton(tunnel.source or tunnel.local), tunnel.underlay, tunnel.out, tunnel.fwmark,
            tunnel.path_mtu, tunnel.ttl, tunnel.tos, tunnel.flags, tunnel.learnt,
        )  # fmt: skip

    def count(self, link):
        """The counters that aren't 0."""
        sums = map(sum, zip(*self.counters[self.index(link),]))
        return {name: number for name, number in zip(COUNTERS, sums) if number}

    def path_mtu(self, link):
        """What was learnt, 0 for nothing."""
        return self.states[self.index(link),][0][1]
