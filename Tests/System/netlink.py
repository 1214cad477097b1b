"""Reads links, addresses and routes over rtnetlink: `ip` needs a tenth of a second each time."""

import socket
import struct
from dataclasses import dataclass

GETLINK, GETADDR, GETROUTE = 18, 22, 26
ERROR, DONE = 2, 3
REQUEST_DUMP, DUMP_INTERRUPTED = 0x301, 0x10


@dataclass(frozen=True, order=True)
class Link:
    index: int
    name: str
    kind: str
    is_up: bool
    mtu: int
    group: int
    alias: str
    # Of an ipip link: local, remote, ttl, tos, pmtudisc, underlay, fwmark, protocol; else empty.
    tunnel: tuple


@dataclass(frozen=True, order=True)
class Address:
    index: int
    local: str
    peer: str
    length: int


@dataclass(frozen=True, order=True)
class Route:
    to: str
    index: int
    metric: int
    table: int
    protocol: int


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def number(data):
    return int.from_bytes(data or b"\0", "little")


def address(data):
    return socket.inet_ntoa(data or bytes(4))


def text(data):
    return (data or b"").rstrip(b"\0").decode()


class Kernel:
    """The namespace of the thread that makes it."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.bind((0, 0))
        self.socket.settimeout(10)
        self.sequence = 0

    def close(self):
        self.socket.close()

    def dump(self, kind, header):
        while True:
            messages, interrupted = self.dump_once(kind, header)
            if not interrupted:
                return messages

    def dump_once(self, kind, header):
        self.sequence += 1
        self.socket.send(
            struct.pack("=IHHII", 16 + len(header), kind, REQUEST_DUMP, self.sequence, 0) + header
        )
        messages, interrupted = [], False
        while True:
            data = self.socket.recv(1 << 18)
            while data:
                length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data)
                body, data = data[16:length], data[(length + 3) & ~3 :]
                if sequence != self.sequence:
                    continue
                interrupted |= bool(flags & DUMP_INTERRUPTED)
                if kind == DONE:
                    return messages, interrupted
                if kind == ERROR:
                    raise OSError(-struct.unpack_from("=i", body)[0], "dump refused")
                messages.append(body)

    def links(self):
        """By name."""
        links = {}
        for body in self.dump(GETLINK, bytes(16)):
            _, _, index, flags, _ = struct.unpack_from("=BxHiII", body)
            found = attributes(body[16:])
            info = attributes(found.get(18, b""))
            kind = text(info.get(1))
            data = attributes(info.get(2, b"")) if kind == "ipip" else {}
            tunnel = kind == "ipip" and (
                address(data.get(2)),
                address(data.get(3)),
                *(number(data.get(field)) for field in (4, 5, 10, 1, 20, 9)),
            )
            link = Link(
                index=index,
                name=text(found[3]),
                kind=kind,
                is_up=bool(flags & 1),
                mtu=number(found.get(4)),
                group=number(found.get(27)),
                alias=text(found.get(20)),
                tunnel=tunnel or (),
            )
            links[link.name] = link
        return links

    def counters(self, name):
        """rx packets, tx packets, rx bytes, tx bytes of one link."""
        for body in self.dump(GETLINK, bytes(16)):
            found = attributes(body[16:])
            if text(found[3]) == name:
                return struct.unpack_from("=4Q", found[23])
        return None

    def addresses(self):
        addresses = set()
        for body in self.dump(GETADDR, struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, 0)):
            _, length, _, _, index = struct.unpack_from("=BBBBI", body)
            found = attributes(body[8:])
            local = found.get(2, found.get(1))
            addresses.add(Address(index, address(local), address(found.get(1)), length))
        return addresses

    def routes(self):
        """Of all tables, the local one too."""
        routes = set()
        for body in self.dump(GETROUTE, struct.pack("=BBBBBBBBI", socket.AF_INET, *[0] * 8)):
            _, length, _, _, table, protocol = struct.unpack_from("=BBBBBB", body)
            found = attributes(body[12:])
            to = f"{address(found.get(1))}/{length}"
            table = number(found.get(15)) or table
            routes.add(Route(to, number(found.get(4)), number(found.get(6)), table, protocol))
        return routes

    def state(self):
        """Everything that a tunnel could change and leave behind."""
        return sorted(self.links().values()), sorted(self.addresses()), sorted(self.routes())
