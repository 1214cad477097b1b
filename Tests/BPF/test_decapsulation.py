"""What is taken off the underlay, what is dropped by which name, and what isn't touched."""

import contextlib
import itertools
import socket
import struct

import pytest
from lab import A, B, Lab, PacketSocket, raw_socket, received
from packets import DF, IPIP, MF, ip, read, udp
from programs import PMTUDISC, UP, run

INNER = udp("10.1.2.3", "10.4.5.6", b"payload")
MARKER = udp("10.1.2.3", "10.4.5.6", b"the end")


class Receiver:
    """B, which gets from A's cable whatever a test makes up."""

    def __init__(self, lab):
        self.lab, self.plane = lab, lab.end_b
        lab.a.ping(B, 1)
        self.cable = PacketSocket(lab.a, "underlay0")
        self.tunnel = PacketSocket(lab.b, "tun0")
        self.witness = raw_socket(lab.b, IPIP)
        self.mac = PacketSocket(lab.b, "underlay0").address
        lab.b.write("/proc/sys/net/ipv4/conf/all/rp_filter", "0")

    def send(self, *packets, to=None):
        """What came out of the tunnel, what reached the stack with its outer header, and what was counted as dropped."""
        before = self.plane.count("tun0")
        for packet in packets:
            self.cable.send(packet, to or self.mac)
        self.cable.send(ip(A, B, IPIP, MARKER), self.mac)
        delivered = self.tunnel.wait_for(lambda packet: packet == MARKER)
        after = self.plane.count("tun0")
        changes = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
        assert changes.pop("rx_packets") == len(delivered) + 1
        assert changes.pop("rx_bytes") >= len(MARKER)
        return delivered, received(self.witness), changes


@pytest.fixture(scope="module")
def b():
    with contextlib.closing(Lab()) as lab:
        yield Receiver(lab)


def test_ordinary(b):
    assert b.send(ip(A, B, IPIP, INNER)) == ([INNER], [], {})


NOT_ECT, ECT1, ECT0, CE = range(4)
# RFC 6040, figure 4: rows are the inner field, columns the outer; None is a drop.
RFC_6040 = {
    NOT_ECT: {NOT_ECT: NOT_ECT, ECT0: NOT_ECT, ECT1: NOT_ECT, CE: None},
    ECT0: {NOT_ECT: ECT0, ECT0: ECT0, ECT1: ECT1, CE: CE},
    ECT1: {NOT_ECT: ECT1, ECT0: ECT1, ECT1: ECT1, CE: CE},
    CE: {NOT_ECT: CE, ECT0: CE, ECT1: CE, CE: CE},
}


@pytest.mark.parametrize("inner_ecn, outer_ecn", list(itertools.product(range(4), range(4))))
def test_ecn(b, inner_ecn, outer_ecn):
    result = RFC_6040[inner_ecn][outer_ecn]
    for inner_dscp, outer_dscp, odd in itertools.product((0, 0xB8), (0, 0x48), (b"", b"odd")):
        def inner(ecn):
            return udp("10.1.2.3", "10.4.5.6", b"payload" + odd, tos=inner_dscp | ecn, identity=0xFFF0 + ecn)

        inner_packet = inner(inner_ecn)
        delivered, _, drops = b.send(ip(A, B, IPIP, inner_packet, tos=outer_dscp | outer_ecn))
        if result is None:
            assert (delivered, drops) == ([], {"rx_ecn": 1})
        else:
            assert drops == {}
            (packet,) = map(read, delivered)
            assert packet.tos == inner_dscp | result
            assert packet.checksum_is_right
            assert delivered[0][12:] == inner_packet[12:]


@pytest.mark.parametrize("words", range(0, 11))
def test_outer_options(b, words):
    options = (b"\x07\x27\x04" + bytes(36) + b"\0")[: words * 4] if words == 10 else b"\x01" * (words * 4)
    assert b.send(ip(A, B, IPIP, INNER, options=options)) == ([INNER], [], {})
    wrong = ip(A, B, IPIP, INNER, options=options, check=0x1234)
    assert b.send(wrong) == ([], [], {"rx_outer_header": 1})


@pytest.mark.parametrize(
    "fault, reason",
    [
        (dict(check=0), "rx_outer_header"),
        (dict(header_words=4), "rx_outer_header"),
        (dict(header_words=0), "rx_outer_header"),
        (dict(length=0), "rx_outer_header"),
        (dict(length=19), "rx_outer_header"),
        (dict(length=20 + len(INNER) + 1), "rx_outer_header"),
        (dict(length=65535), "rx_outer_header"),
        (dict(length=20), "rx_inner_header"),
        (dict(length=39), "rx_inner_header"),
        (dict(length=20 + len(INNER) - 1), "rx_inner_header"),
        (dict(flags=MF), "rx_fragment"),
        (dict(flags=MF | 1), "rx_fragment"),
        (dict(flags=1), "rx_fragment"),
        (dict(flags=DF | MF), "rx_fragment"),
    ],
)
def test_bad_outer_headers(b, fault, reason):
    assert b.send(ip(A, B, IPIP, INNER, **fault)) == ([], [], {reason: 1})


def test_a_header_longer_than_its_packet(b):
    """Its length is said to be 60; the words after 20 are the inner packet's, so the sum is that of both."""
    packet = bytearray(ip(A, B, IPIP, INNER, header_words=15))
    assert b.send(bytes(packet)) == ([], [], {"rx_outer_header": 1})


@pytest.mark.parametrize(
    "inner, reason",
    [
        (ip("10.1.2.3", "10.4.5.6", 17, b"x" * 20, version=6), "rx_not_ipv4"),
        (ip("10.1.2.3", "10.4.5.6", 17, b"x" * 20, version=5), "rx_not_ipv4"),
        (b"\x60" + bytes(39), "rx_not_ipv4"),
        (bytes(40), "rx_not_ipv4"),
        (ip("10.1.2.3", "10.4.5.6", 17, b"x" * 20, header_words=4), "rx_inner_header"),
        (ip("10.1.2.3", "10.4.5.6", 17, b"x" * 20, header_words=11), "rx_inner_header"),
        (ip("10.1.2.3", "10.4.5.6", 17, b"x" * 20, length=19), "rx_inner_header"),
        (ip("10.1.2.3", "10.4.5.6", 17, b"x" * 20, length=41), "rx_inner_header"),
        (ip("10.1.2.3", "10.4.5.6", 17, b"x" * 20, length=0), "rx_inner_header"),
        (ip("10.1.2.3", "10.4.5.6", 17, b"x" * 20, length=65535), "rx_inner_header"),
    ],
)
def test_bad_inner_headers(b, inner, reason):
    assert b.send(ip(A, B, IPIP, inner)) == ([], [], {reason: 1})


@pytest.mark.parametrize("length", range(0, 61))
def test_every_length_of_the_inner_packet(b, length):
    whole = ip("10.1.2.3", "10.4.5.6", 253, b"x" * max(0, length - 20))
    assert b.send(ip(A, B, IPIP, whole[:length])) == (
        ([whole], [], {}) if length >= 20 else ([], [], {"rx_inner_header": 1})
    )


@pytest.mark.parametrize("length", range(0, 61))
def test_every_length_of_the_outer_packet(b, length):
    """What is too short to be known as a tunnel's is the stack's, which drops it."""
    cut = ip(A, B, IPIP, udp("10.1.2.3", "10.4.5.6", b"x" * 80))[:length]
    assert b.send(*[cut] if length else []) == ([], [], {"rx_outer_header": 1} if length >= 20 else {})


def test_padding_of_the_link_isnt_part_of_the_packet(b):
    short = ip("10.1.2.3", "10.4.5.6", 253, b"")
    before = b.plane.count("tun0").get("rx_bytes", 0)
    delivered, _, drops = b.send(ip(A, B, IPIP, short) + bytes(6))
    assert (len(delivered), delivered[0][:20], drops) == (1, short, {})
    assert b.plane.count("tun0")["rx_bytes"] - before == 20 + len(MARKER)
    # An inner packet that reaches into the padding isn't whole.
    long = ip("10.1.2.3", "10.4.5.6", 253, b"x" * 6)
    assert b.send(ip(A, B, IPIP, long, length=40)) == ([], [], {"rx_inner_header": 1})


@pytest.mark.parametrize(
    "source, destination",
    [("172.16.1.63", B), ("172.16.9.9", B), ("10.0.0.1", B)],
)
def test_strangers_reach_the_stack_untouched(b, source, destination):
    packet = ip(source, destination, IPIP, INNER, tos=3, ttl=5, identity=7)
    assert b.send(packet) == ([], [packet], {})


def test_many_strangers(b):
    """None reaches the tunnel; none is counted."""
    strangers = [ip(f"172.16.{2 + n // 250}.{1 + n % 250}", B, IPIP, INNER) for n in range(1000)]
    for _ in range(10):
        delivered, _, drops = b.send(*strangers)
        assert (delivered, drops) == ([], {})


def test_other_destinations_are_not_taken(b):
    """Of an address that B hasn't, and of one that it has but no tunnel."""
    b.lab.b.ip("address add 172.16.1.70/16 dev underlay0")
    mine = ip(A, "172.16.1.70", IPIP, INNER)
    assert b.send(ip(A, "172.16.1.71", IPIP, INNER)) == ([], [], {})
    assert b.send(mine) == ([], [mine], {})
    b.lab.b.ip("address delete 172.16.1.70/16 dev underlay0")


def test_other_protocols_and_hosts_are_not_taken(b):
    assert b.send(ip(A, B, 47, INNER)) == ([], [], {})
    assert b.send(ip(A, B, 41, INNER)) == ([], [], {})
    # For another MAC address, as a promiscuous link gets it.
    b.lab.b.ip("link set underlay0 promisc on")
    assert b.send(ip(A, B, IPIP, INNER), to=b"\x02\0\0\0\0\x99") == ([], [], {})
    b.lab.b.ip("link set underlay0 promisc off")


def tagged(b, identity, packet):
    with b.lab.a.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        frame = b.mac + b"\x02\0\0\0\0\x01" + struct.pack("!HHH", 0x8100, identity, 0x0800) + packet
        sender.sendto(frame, ("underlay0", 0x8100))


def test_a_vlan_is_a_link_of_its_own(b):
    """Only what has no VLAN's number, or the number 0, is this link's."""
    before = b.plane.count("tun0").get("rx_packets", 0)
    tagged(b, 10, ip(A, B, IPIP, INNER))
    tagged(b, 0, ip(A, B, IPIP, INNER))
    b.cable.send(ip(A, B, IPIP, MARKER), b.mac)
    assert b.tunnel.wait_for(lambda packet: packet == MARKER) == [INNER]
    assert b.plane.count("tun0")["rx_packets"] == before + 2


def test_down(b):
    b.plane.configure("tun0", flags=PMTUDISC)
    before = b.plane.count("tun0")
    b.cable.send(ip(A, B, IPIP, INNER), b.mac)
    b.plane.configure("tun0", flags=PMTUDISC | UP)
    assert b.send() == ([], [], {})
    assert b.plane.count("tun0")["rx_down"] == before.get("rx_down", 0) + 1


@pytest.fixture
def endpoints(b):
    """Makes entries of tun_endpoint instead of the usual one; a second TUN device shows who is preferred."""
    plane, usual = b.plane, (socket.inet_aton(B), socket.inet_aton(A), 0)
    value = plane.endpoints[usual][0]
    del plane.endpoints[usual]
    made = []

    def put(local, underlay, link="tun0"):
        key = (socket.inet_aton(local), socket.inet_aton(A), underlay)
        plane.endpoints[key] = (plane.index(link),)
        made.append(key)

    yield put
    for key in made:
        with contextlib.suppress(OSError):
            del plane.endpoints[key]
    plane.endpoints[usual] = value


def test_local_any_takes_the_hosts_own_addresses(b, endpoints):
    endpoints("0.0.0.0", 0)
    b.plane.addresses[(socket.inet_aton(B),)] = (1,)
    b.lab.b.ip("address add 172.16.1.70/16 dev underlay0")
    b.plane.addresses[(socket.inet_aton("172.16.1.70"),)] = (1,)
    assert b.send(ip(A, B, IPIP, INNER), ip(A, "172.16.1.70", IPIP, INNER)) == ([INNER, INNER], [], {})
    # On its way to somebody else.
    assert b.send(ip(A, "172.16.1.71", IPIP, INNER)) == ([], [], {})
    b.lab.b.ip("address delete 172.16.1.70/16 dev underlay0")
    for address in (B, "172.16.1.70"):
        del b.plane.addresses[(socket.inet_aton(address),)]


def test_the_order_of_preference(b, endpoints):
    """As the kernel's ip_tunnel_lookup: the link that was asked for goes before the local address."""
    link = b.plane.index("underlay0")
    b.plane.addresses[(socket.inet_aton(B),)] = (1,)
    b.plane.make_tun("other0")
    b.lab.b.ip("link set other0 up")
    b.plane.counters[b.plane.index("other0"),] = b.plane.counters[b.plane.index("tun0"),][0]
    b.plane.states[b.plane.index("other0"),] = 0, 0, 0
    b.plane.configs[b.plane.index("other0"),] = b.plane.configs[b.plane.index("tun0"),][0]
    order = [(B, link), ("0.0.0.0", link), (B, 0), ("0.0.0.0", 0)]
    endpoints(*order[-1], "tun0")
    for better, worse in reversed(list(itertools.pairwise(order))):
        endpoints(*worse, "other0")
        endpoints(*better, "tun0")
        assert b.send(ip(A, B, IPIP, INNER)) == ([INNER], [], {}), (better, worse)
    endpoints(B, link + 1000, "other0")
    assert b.send(ip(A, B, IPIP, INNER)) == ([INNER], [], {})
    del b.plane.addresses[(socket.inet_aton(B),)]


@pytest.mark.parametrize("local, is_bound, hints", [(B, False, (1, 1)), ("0.0.0.0", False, (1, 0)), (B, True, (0, 1))])
def test_what_needs_no_look_up_is_left_out(b, endpoints, local, is_bound, hints):
    """The hints (none_bound, none_any) hide nothing of the kinds that there are, and all of the others."""
    link = b.plane.index("underlay0")
    b.plane.addresses[(socket.inet_aton(B),)] = (1,)
    endpoints(local, link if is_bound else 0)
    is_hidden = hints != (1, 1)
    header_bytes, made, *none = b.plane.underlays[link,][0]
    b.plane.underlays[link,] = header_bytes, made, *hints
    assert b.send(ip(A, B, IPIP, INNER)) == ([INNER], [], {})
    b.plane.underlays[link,] = header_bytes, made, 1, 1
    if is_hidden:
        b.cable.send(ip(A, B, IPIP, INNER), b.mac)
    b.plane.underlays[link,] = header_bytes, made, *none
    assert b.send() == ([], [ip(A, B, IPIP, INNER)] if is_hidden else [], {})
    del b.plane.addresses[(socket.inet_aton(B),)]


def test_tunnel_of_another_link_takes_nothing(b, endpoints):
    endpoints(B, b.plane.index("lo"))
    b.cable.send(ip(A, B, IPIP, INNER), b.mac)
    endpoints(B, 0)
    assert b.send() == ([], [ip(A, B, IPIP, INNER)], {})


def test_other_filters_go_on(b):
    """One after ours takes away the strangers, and only them."""
    stranger = ip("172.16.1.63", B, IPIP, INNER)
    everything = "1,6 0 0 4294967295"
    with b.lab.b.inside():
        run("tc", "filter", "add", "dev", "underlay0", "ingress", "protocol", "ip", "prio", "2",
            "bpf", "bytecode", everything, "action", "mirred", "egress", "redirect", "dev", "lo")  # fmt: skip
    assert b.send(stranger, ip(A, B, IPIP, INNER)) == ([INNER], [], {})
    with b.lab.b.inside():
        run("tc", "filter", "delete", "dev", "underlay0", "ingress", "prio", "2")
    assert b.send(stranger, ip(A, B, IPIP, INNER)) == ([INNER], [stranger], {})
