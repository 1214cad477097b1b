"""The outer header, byte for byte, and what isn't let into the tunnel."""

import contextlib
import itertools
import socket
import struct

import pytest
from lab import A, B, Lab, PacketSocket
from packets import DF, IPIP, MF, ip, read, udp
from programs import PMTUDISC, UP

ECN = {"not-ECT": 0, "ECT(1)": 1, "ECT(0)": 2, "CE": 3}


@pytest.fixture(scope="module")
def wire():
    """Gives send(inner), which says what came out of A on the underlay for it."""
    with contextlib.closing(Lab()) as lab:
        tunnel = PacketSocket(lab.a, "tun0")
        underlay = PacketSocket(lab.b, "underlay0")
        lab.a.ping(B, 1)
        marker = udp("10.1.2.3", "10.4.5.6", b"the end")

        def send(inner, **configuration):
            settled = {"out": lab.end_a.index("underlay0"), "tos": 1, "ttl": 0, "flags": PMTUDISC | UP, "fwmark": 0}
            lab.end_a.configure("tun0", **(settled | configuration))
            tunnel.send(inner)
            lab.end_a.configure("tun0", **settled)
            tunnel.send(marker)
            return [p for p in underlay.wait_for(lambda p: p[20:] == marker) if p[9] == IPIP]

        send.lab = lab
        yield send


def drops(send, before):
    """The drops that were counted since."""
    after = send.lab.end_a.count("tun0")
    names = {name for name in after if not name.endswith(("_packets", "_bytes"))}
    return {name: after[name] - before.get(name, 0) for name in names if after[name] != before.get(name, 0)}


@pytest.mark.parametrize("pmtudisc", [True, False])
@pytest.mark.parametrize("ttl", [0, 1, 64, 255])
@pytest.mark.parametrize("tos", [1, 0, 0x10, 0xB8, 0xFC])
def test_outer_header(wire, ttl, tos, pmtudisc):
    for ecn, inner_df, inner_ttl, dscp in itertools.product(ECN.values(), (0, DF), (1, 77), (0, 0x48)):
        inner = udp("10.1.2.3", "10.4.5.6", b"payload", tos=dscp | ecn, flags=inner_df, ttl=inner_ttl, identity=77)
        (packet,) = wire(inner, ttl=ttl, tos=tos, flags=UP | (PMTUDISC if pmtudisc else 0))
        outer = read(packet)
        df = DF if pmtudisc else inner_df
        # RFC 6040, normal mode: the inner ECN field is copied, congestion experienced too.
        expected_tos = (dscp if tos == 1 else tos & 0xFC) | ecn
        identity = outer.identity if not df else 0
        assert packet == ip(
            A, B, IPIP, inner, ttl=ttl or inner_ttl, tos=expected_tos, flags=df, identity=identity
        ), outer


def test_ids_differ_where_packets_may_be_fragmented(wire):
    inner = udp("10.1.2.3", "10.4.5.6", b"payload", flags=0)
    ids = [read(packet).identity for _ in range(300) for packet in wire(inner, flags=UP)]
    assert len(set(ids)) == 300


def test_source_of_a_tunnel_with_local_any(wire):
    (packet,) = wire(udp("10.1.2.3", "10.4.5.6"), local="0.0.0.0", source="172.16.16.99")
    wire.lab.end_a.configure("tun0", local=A, source="")
    assert (read(packet).source, read(packet).destination) == ("172.16.16.99", B)


def test_options_and_fragments_inside_are_carried_as_they_are(wire):
    for inner in (
        udp("10.1.2.3", "10.4.5.6", b"payload", options=b"\x94\x04\0\0"),
        ip("10.1.2.3", "10.4.5.6", 17, b"x" * 64, flags=MF),
        ip("10.1.2.3", "10.4.5.6", 17, b"x" * 64, flags=8),
        ip("10.1.2.3", "10.4.5.6", 253, b""),
        udp("10.1.2.3", "10.4.5.6", b"payload") + b"bytes after the end",
    ):
        (packet,) = wire(inner)
        assert packet[20:] == inner
        assert read(packet).length == len(packet)


@pytest.mark.parametrize("length", range(1, 61))
def test_every_short_length(wire, length):
    """An empty packet isn't taken by a device that has no link layer."""
    inner = udp("10.1.2.3", "10.4.5.6", b"x" * 80)[:length]
    before = wire.lab.end_a.count("tun0")
    assert wire(inner) == []
    assert drops(wire, before) == {"tx_inner_header": 1}


@pytest.mark.parametrize("length", range(20, 61))
def test_every_short_length_that_is_whole(wire, length):
    inner = ip("10.1.2.3", "10.4.5.6", 253, b"x" * (length - 20))
    before = wire.lab.end_a.count("tun0")
    (packet,) = wire(inner)
    assert packet[20:] == inner
    assert drops(wire, before) == {}


@pytest.mark.parametrize(
    "fault, reason",
    [
        (dict(version=6), "tx_not_ipv4"),
        (dict(version=0), "tx_not_ipv4"),
        (dict(header_words=4), "tx_inner_header"),
        (dict(header_words=0), "tx_inner_header"),
        (dict(header_words=15), "tx_inner_header"),
        (dict(length=19), "tx_inner_header"),
        (dict(length=0), "tx_inner_header"),
        (dict(length=65535), "tx_inner_header"),
    ],
)
def test_bad_inner_headers(wire, fault, reason):
    before = wire.lab.end_a.count("tun0")
    assert wire(ip("10.1.2.3", "10.4.5.6", 253, b"x" * 20, **fault)) == []
    assert drops(wire, before) == {reason: 1}


def test_ipv6_is_not_carried(wire):
    before = wire.lab.end_a.count("tun0")
    with contextlib.closing(PacketSocket(wire.lab.a, "tun0")) as tunnel:
        tunnel.send(b"\x60" + bytes(39), protocol=0x86DD)
    wire(udp("10.1.2.3", "10.4.5.6"))
    assert drops(wire, before) == {"tx_not_ipv4": 1}


@pytest.mark.parametrize("where, reason", [("nowhere", "tx_no_route"), ("itself", "tx_loop")])
def test_no_way_out(wire, where, reason):
    before = wire.lab.end_a.count("tun0")
    out = {"nowhere": 0, "itself": wire.lab.end_a.index("tun0")}[where]
    assert wire(udp("10.1.2.3", "10.4.5.6"), out=out) == []
    assert drops(wire, before) == {reason: 1}


def test_a_tunnel_without_configuration_sends_nothing(wire):
    plane, index = wire.lab.end_a, wire.lab.end_a.index("tun0")
    del plane.configs[index,]
    tunnel = PacketSocket(wire.lab.a, "tun0")
    tunnel.send(udp("10.1.2.3", "10.4.5.6", b"must not be seen"))
    tunnel.close()
    plane.configure("tun0")
    assert wire(udp("10.1.2.3", "10.4.5.6", b"after"))[0].endswith(b"after")


def test_without_a_state_what_needs_an_id_is_not_sent(wire):
    plane, index = wire.lab.end_a, wire.lab.end_a.index("tun0")
    state, before = plane.states[index,][0], plane.count("tun0")
    del plane.states[index,]
    assert wire(udp("10.1.2.3", "10.4.5.6", flags=0), flags=UP) == []
    assert drops(wire, before) == {"tx_failed": 1}
    plane.states[index,] = state


def test_the_mark_chooses_the_route(wire):
    """A table that only the mark leads to has a neighbour of its own for the remote."""
    a, plane = wire.lab.a, wire.lab.end_a
    a.ip(
        "rule add fwmark 77 table 7 priority 7",
        f"route add {B} via 172.16.9.9 dev underlay0 table 7",
        "neighbour add 172.16.9.9 lladdr 02:00:00:00:09:09 dev underlay0",
    )
    with wire.lab.b.inside():
        frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)
        frames.bind(("underlay0", 3))
    frames.settimeout(5)
    tunnel = PacketSocket(a, "tun0")
    with contextlib.closing(frames), contextlib.closing(tunnel):
        for mark, there in ((77, True), (0, False)):
            plane.configure("tun0", fwmark=mark)
            inner = udp("10.1.2.3", "10.4.5.6", struct.pack("!I", mark))
            tunnel.send(inner)
            while True:
                frame = frames.recv(2000)
                if frame[14 + 20 :] == inner:
                    break
            assert (frame[:6] == bytes.fromhex("020000000909")) == there
    a.ip("rule delete priority 7")


def test_counters_are_those_of_inner_packets(lab):
    tunnel, underlay = PacketSocket(lab.a, "tun0"), PacketSocket(lab.b, "underlay0")
    lab.a.ping(B, 1)
    sizes = [28, 29, 100, 1000, 1480]
    for size in sizes:
        tunnel.send(udp("10.1.2.3", "10.4.5.6", b"x" * (size - 28)))
    tunnel.send(udp("10.1.2.3", "10.4.5.6", b"the end"))
    underlay.wait_for(lambda p: p.endswith(b"the end"))
    assert lab.end_a.count("tun0") == {"tx_packets": 6, "tx_bytes": sum(sizes) + 35}
    assert lab.end_b.count("tun0") == {"rx_packets": 6, "rx_bytes": sum(sizes) + 35}
