"""The eBPF data plane as the kernel has it: programs by their number, and the maps that they use. And a program of
somebody else's, which counts the packets that it sees."""

import ctypes
import os
import platform
import socket
import struct

libc = ctypes.CDLL(None, use_errno=True)
BPF_CALL = {"x86_64": 321, "aarch64": 280}[platform.machine()]
MAP_CREATE, LOOKUP, NEXT_KEY, LOAD = 0, 1, 4, 5
PROGRAM_BY_ID, MAP_BY_ID, INFORMATION = 13, 14, 15
ARRAY, SCHED_CLS = 2, 3

# struct tun_config in tunnel.h.
CONFIG = struct.Struct("=4s4s4sIIIIBBBx")


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, max(len(attributes), 128))
    result = libc.syscall(BPF_CALL, command, buffer, len(buffer))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command}): {os.strerror(ctypes.get_errno())}")
    return result


def information(number, size=256):
    found = ctypes.create_string_buffer(size)
    bpf(INFORMATION, struct.pack("=IIQ", number, size, ctypes.addressof(found)))
    return found


def exists(kind, identity):
    """Whether the kernel still has this program or map."""
    try:
        os.close(bpf(kind, struct.pack("=I", identity)))
    except FileNotFoundError:
        return False
    return True


def map_ids(program):
    """Of the maps that a program uses."""
    number = bpf(PROGRAM_BY_ID, struct.pack("=I", program))
    try:
        ids = (ctypes.c_uint32 * 64)()
        # struct bpf_prog_info: nr_map_ids and map_ids follow the first 52 bytes.
        found = ctypes.create_string_buffer(256)
        struct.pack_into("=IQ", found, 52, len(ids), ctypes.addressof(ids))
        bpf(INFORMATION, struct.pack("=IIQ", number, len(found), ctypes.addressof(found)))
        return list(ids[: struct.unpack_from("=I", found, 52)[0]])
    finally:
        os.close(number)


def read_map(program, name):
    """The entries of a program's map as bytes: key → value."""
    for identity in map_ids(program):
        number = bpf(MAP_BY_ID, struct.pack("=I", identity))
        try:
            _, _, key_size, value_size, _, _, found = struct.unpack_from("=6I16s", information(number))
            if found.rstrip(b"\0").decode() == name:
                return entries(number, key_size, value_size)
        finally:
            os.close(number)
    return {}


def entries(number, key_size, value_size):
    key, value = ctypes.create_string_buffer(key_size), ctypes.create_string_buffer(value_size)
    following, found = ctypes.create_string_buffer(key_size), {}
    start = 0
    while True:
        where = struct.pack("=IxxxxQQQ", number, start, ctypes.addressof(following), 0)
        try:
            bpf(NEXT_KEY, where)
        except FileNotFoundError:
            return found
        key.raw, start = following.raw, ctypes.addressof(key)
        try:
            bpf(LOOKUP, struct.pack("=IxxxxQQQ", number, start, ctypes.addressof(value), 0))
            found[key.raw] = value.raw
        except FileNotFoundError:
            pass  # gone meanwhile


def configurations(program):
    """What the programs know of each tunnel, in the form of netlink.Link.tunnel: ifindex → tuple."""
    found = {}
    for key, value in read_map(program, "tun_config_1").items():
        local, remote, _, underlay, _, fwmark, _, ttl, tos, flags = CONFIG.unpack(value)
        ends = socket.inet_ntoa(local), socket.inet_ntoa(remote)
        found[struct.unpack("=I", key)[0]] = (*ends, ttl, tos, flags & 1, underlay, fwmark, 4)
    return found


class PacketCounter:
    """A program that counts each packet it is asked about and lets others decide (TC_ACT_UNSPEC)."""

    def __init__(self):
        self.map = bpf(MAP_CREATE, struct.pack("=5I", ARRAY, 4, 8, 1, 0))
        code = b"".join(
            struct.pack("=BBhi", *instruction)
            for instruction in [
                (0x62, 10, -4, 0),  # *(u32 *)(r10 - 4) = 0
                (0xBF, 0xA2, 0, 0),  # r2 = r10
                (0x07, 2, 0, -4),  # r2 += -4
                (0x18, 0x11, 0, self.map),  # r1 = map
                (0, 0, 0, 0),
                (0x85, 0, 0, 1),  # r0 = bpf_map_lookup_elem(r1, r2)
                (0x15, 0, 2, 0),  # if r0 == 0 skip 2
                (0xB7, 1, 0, 1),  # r1 = 1
                (0xDB, 0x10, 0, 0),  # lock *(u64 *)r0 += r1
                (0xB7, 0, 0, -1),  # r0 = -1
                (0x95, 0, 0, 0),  # return r0
            ]
        )
        code, license = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"MIT")
        words = struct.pack("=IIQQ", SCHED_CLS, len(code) // 8, ctypes.addressof(code), ctypes.addressof(license))
        self.program = bpf(LOAD, words)

    def close(self):
        os.close(self.program)
        os.close(self.map)

    @property
    def seen(self):
        return struct.unpack("=Q", entries(self.map, 4, 8)[bytes(4)])[0]
