"""Reads links, addresses, routes and filters over rtnetlink: `ip` needs a tenth of a second each time."""

import os
import socket
import struct
from dataclasses import dataclass, replace

import maps

GETLINK, GETADDR, GETROUTE = 18, 22, 26
GETQDISC, NEWFILTER, GETFILTER = 38, 44, 46
CREATE = 0x605
INGRESS, EGRESS = 0xFFFFFFF2, 0xFFFFFFF3
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
    # Local, remote, ttl, tos, pmtudisc, underlay, fwmark, protocol: of an ipip link its own, of a TUN device what the
    # programs know of it. Else empty.
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


@dataclass(frozen=True, order=True)
class Filter:
    index: int
    parent: int
    priority: int
    protocol: int
    handle: int
    kind: str
    name: str
    # The program's number; 0 for one that isn't a program.
    program: int


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


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


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
        if any(link.kind == "tun" for link in links.values()):
            known = self.configurations()
            for link in links.values():
                if link.kind == "tun":
                    links[link.name] = replace(link, tunnel=known.get(link.index, ()))
        return links

    def configurations(self):
        """What the eBPF data plane's programs know of each tunnel: ifindex → Link.tunnel."""
        program = self.our_program()
        return maps.configurations(program) if program else {}

    def our_program(self):
        """The number of a program of the eBPF data plane at work here; 0 for none."""
        for index in self.clsacts():
            for filter in self.filters_on(index):
                if filter.name.split(":")[0] in ("tunneld_egress", "tunneld_ingress"):
                    return filter.program
        return 0


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

    def clsacts(self):
        """The links that have a place for filters, by index."""
        found = set()
        for body in self.dump(GETQDISC, bytes(20)):
            index = struct.unpack_from("=4xi", body)[0]
            if text(attributes(body[20:]).get(1)) in ("clsact", "ingress"):
                found.add(index)
        return sorted(found)

    def filters_on(self, index):
        found = []
        for parent in (INGRESS, EGRESS):
            for body in self.dump(GETFILTER, struct.pack("=4xiIII", index, 0, parent, 0)):
                handle, information = struct.unpack_from("=8xI4xI", body)
                outer = attributes(body[20:])
                options = attributes(outer.get(2, b"")) if text(outer.get(1)) == "bpf" else {}
                protocol = socket.ntohs(information & 0xFFFF)
                more = text(outer.get(1)), text(options.get(7)), number(options.get(11))
                # A dump names each priority too, with handle 0.
                if handle:
                    found.append(Filter(index, parent, information >> 16, protocol, handle, *more))
        return sorted(found)

    def filters(self):
        return [filter for index in self.clsacts() for filter in self.filters_on(index)]

    def add_filter(self, link, parent, program, name="somebodys", priority=0):
        """As tc filter add … bpf direct-action; with priority 0 the kernel chooses."""
        every_protocol, direct_action = socket.htons(3), 1
        options = attribute(6, struct.pack("=I", program)) + attribute(7, name.encode() + b"\0")
        options += attribute(8, struct.pack("=I", direct_action))
        index = self.links()[link].index
        body = struct.pack("=4xiIII", index, 0, parent, priority << 16 | every_protocol)
        body += attribute(1, b"bpf\0") + attribute(2, options)
        self.sequence += 1
        self.socket.send(struct.pack("=IHHII", 16 + len(body), NEWFILTER, CREATE, self.sequence, 0) + body)
        while True:
            data = self.socket.recv(1 << 16)
            _, kind, _, sequence, _ = struct.unpack_from("=IHHII", data)
            if sequence == self.sequence and kind == ERROR:
                error = -struct.unpack_from("=i", data, 16)[0]
                assert error == 0, f"add a filter to {link}: {os.strerror(error)}"
                return

    def state(self):
        """Everything that a tunnel could change and leave behind."""
        tables = self.links().values(), self.addresses(), self.routes(), self.filters()
        return *map(sorted, tables), self.clsacts()
