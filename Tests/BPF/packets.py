"""IPv4 packets as bytes: built, and read back."""

import socket
import struct
from dataclasses import dataclass

DF, MF = 0x4000, 0x2000
ICMP, IPIP, TCP, UDP = 1, 4, 6, 17


def checksum(data, start=0):
    data += b"\0" * (len(data) % 2)
    total = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(source, destination, protocol, payload=b"", *, tos=0, identity=0, flags=DF, ttl=64, options=b"", version=4,
       header_words=None, length=None, check=None):
    """What isn't given is as it should be."""
    words = 5 + len(options) // 4 if header_words is None else header_words
    size = 20 + len(options) + len(payload) if length is None else length
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | words, tos, size, identity, flags, ttl, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(destination)) + options
    right = checksum(head)
    return head[:10] + struct.pack("!H", right if check is None else check) + head[12:] + payload


def pseudo(source, destination, protocol, size):
    return sum(struct.unpack("!4H", socket.inet_aton(source) + socket.inet_aton(destination))) + protocol + size


def udp(source, destination, payload=b"", ports=(1111, 2222), **header):
    size = 8 + len(payload)
    head = struct.pack("!HHHH", *ports, size, 0)
    right = checksum(head + payload, pseudo(source, destination, UDP, size)) or 0xFFFF
    return ip(source, destination, UDP, head[:6] + struct.pack("!H", right) + payload, **header)


def icmp(source, destination, kind, code, rest=b"\0\0\0\0", body=b"", **header):
    head = struct.pack("!BBH", kind, code, 0) + rest + body
    return ip(source, destination, ICMP, head[:2] + struct.pack("!H", checksum(head)) + head[4:], **header)


@dataclass(frozen=True)
class Packet:
    version: int
    header_bytes: int
    tos: int
    length: int
    identity: int
    flags: int
    ttl: int
    protocol: int
    source: str
    destination: str
    checksum_is_right: bool
    payload: bytes


def read(data):
    first, tos, length, identity, flags, ttl, protocol, _, source, destination = struct.unpack_from(
        "!BBHHHBBH4s4s", data)
    header = (first & 15) * 4
    return Packet(first >> 4, header, tos, length, identity, flags, ttl, protocol, socket.inet_ntoa(source),
                  socket.inet_ntoa(destination), checksum(data[:header]) == 0, data[header:length])


def transport_checksum_is_right(packet):
    """Of a TCP or UDP packet that was read."""
    return checksum(packet.payload,
                    pseudo(packet.source, packet.destination, packet.protocol, len(packet.payload))) == 0
