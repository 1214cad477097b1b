"""What isn't a tunnel's doesn't get into it, and what is and is wrong is dropped under a name."""

import socket
import struct
from contextlib import closing

import pytest
from conftest import joined_hosts, started_daemon
from daemon import Daemon
from ends import INNER_A, INNER_B, TUN_A, TUN_B, A, B, packets
from host import until
from packets import DF, MF, icmp, ip, udp

pytestmark = pytest.mark.packets

STRANGER, ELSEWHERE = "172.16.9.9", "172.16.16.23"


class Wire:
    """B's end of the cable: what is put on it here has no tunnel's programs behind it."""

    def __init__(self, host, to):
        with host.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.to = ("underlay0", 0x0800, 0, 0, to)

    def send(self, packet):
        self.socket.sendto(packet, self.to)

    def close(self):
        self.socket.close()


@pytest.fixture(scope="module")
def daemons():
    with joined_hosts() as (a, b), started_daemon(a) as on_a, started_daemon(b) as on_b:
        yield on_a, on_b


@pytest.fixture
def both_ends(daemons):
    """With tunnels that have counted nothing yet."""
    on_a, on_b = daemons
    on_a.create(**TUN_A)
    on_b.create(**TUN_B)
    yield daemons
    assert on_a.delete("tun_a").status == on_b.delete("tun_b").status == 204


@pytest.fixture
def wire(both_ends):
    on_a, on_b = both_ends
    # So that nothing else is on its way later.
    assert on_a.host.ping(INNER_B, 1) == 1
    with on_a.host.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as end:
        end.bind(("underlay0", 0x0800))
        to = end.getsockname()[4]
    with closing(Wire(on_b.host, to)) as wire:
        yield wire


def arrived(host):
    return host.kernel.counters("underlay0")[0]


def inside(host):
    """Sees what comes out of the tunnel."""
    return host.capture("tun_a")


PING = icmp(INNER_B, INNER_A, 8, 0)


@pytest.mark.parametrize(
    "source, destination", [(STRANGER, A), (B, ELSEWHERE), (STRANGER, ELSEWHERE)], ids=str
)
def test_a_hundred_thousand_packets_of_others_reach_no_tunnel(both_ends, wire, source, destination):
    """Protocol 4, and all right but for an address."""
    on_a, _ = both_ends
    on_a.host.ip(f"address replace {ELSEWHERE}/16 dev underlay0")
    count = 100_000 if Daemon.kind == "bpf" else 20_000
    before, there = packets(on_a, "tun_a"), arrived(on_a.host)
    packet = ip(source, destination, 4, PING)
    with closing(inside(on_a.host)) as capture:
        for _ in range(count):
            wire.send(packet)
        until(lambda: arrived(on_a.host) >= there + count, 10, "all have arrived at the host")
        assert capture.packets() == []
    assert packets(on_a, "tun_a") == before
    assert errors(on_a) == (0, 0, 0, 0)
    assert on_a.host.ping(INNER_B, 2) == 2


def stats_of(daemon):
    return daemon.get("/v1/tunnels/tun_a/stats?fresh=true").json


def drops(daemon):
    return stats_of(daemon)["drops"]


def errors(daemon):
    """rx errors, rx dropped, tx errors, tx dropped."""
    stats = stats_of(daemon)
    return tuple(stats[way][what] for way in ("rx", "tx") for what in ("errors", "dropped"))


@pytest.mark.data_plane("bpf")
def test_inner_packets_of_each_length_from_0_to_60(both_ends, wire):
    """A packet that is cut off is none; one that says it is shorter than what came is taken as it says."""
    on_a, _ = both_ends
    whole = udp(INNER_B, INNER_A, bytes(32))
    assert len(whole) == 60
    before = packets(on_a, "tun_a")
    for length in range(61):
        wire.send(ip(B, A, 4, whole[:length]))
    until(lambda: drops(on_a) == {"rx_inner_header": 60}, 5, "each but the last is dropped")
    # No socket takes it, and that is answered.
    assert packets(on_a, "tun_a")[:2] == (before[0] + 1, before[1] + 60)
    assert errors(on_a) == (60, 0, 0, 0)


@pytest.mark.data_plane("bpf")
def test_outer_packets_of_each_length_from_0_to_60(both_ends, wire):
    """Cut off on the wire: less than a header is nobody's, more is the tunnel's and wrong."""
    on_a, _ = both_ends
    whole = ip(B, A, 4, icmp(INNER_B, INNER_A, 0, 0, body=bytes(12)))
    assert len(whole) == 60
    before = packets(on_a, "tun_a")
    for length in range(61):
        wire.send(whole[:length])
    until(lambda: drops(on_a) == {"rx_outer_header": 40}, 5, "those of 20 to 59 are dropped")
    assert packets(on_a, "tun_a") == (before[0] + 1, before[1] + 40, *before[2:])


def outer(payload=PING, **changes):
    return ip(B, A, 4, payload, **changes)


WRONG = {
    "outer checksum": (outer(check=0x1234), "rx_outer_header"),
    "outer length beyond the packet": (outer(length=200), "rx_outer_header"),
    "outer length less than its header": (outer(length=19), "rx_outer_header"),
    "outer header of 4 words": (outer(header_words=4), "rx_outer_header"),
    "outer header longer than the packet": (ip(B, A, 4, header_words=15), "rx_outer_header"),
    "first fragment": (outer(flags=MF), "rx_fragment"),
    "middle fragment": (outer(flags=MF | 8), "rx_fragment"),
    "last fragment": (outer(flags=8), "rx_fragment"),
    "inner version 6": (outer(bytes([0x60]) + bytes(39)), "rx_not_ipv4"),
    "inner version 0": (outer(bytes(40)), "rx_not_ipv4"),
    "inner header of 4 words": (outer(ip(INNER_B, INNER_A, 17, bytes(8), header_words=4)), "rx_inner_header"),
    "inner length beyond the packet": (outer(ip(INNER_B, INNER_A, 17, bytes(8), length=29)), "rx_inner_header"),
    "inner length less than its header": (
        outer(ip(INNER_B, INNER_A, 17, bytes(8), length=19)),
        "rx_inner_header",
    ),
    "inner header beyond its length": (
        outer(ip(INNER_B, INNER_A, 17, bytes(20), header_words=15, length=40)),
        "rx_inner_header",
    ),
    "congestion that the inner packet can't bear": (outer(tos=3), "rx_ecn"),
}


@pytest.mark.data_plane("bpf")
@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_dropped_under_a_name(both_ends, wire, case):
    on_a, _ = both_ends
    packet, reason = WRONG[case]
    before = packets(on_a, "tun_a")
    with closing(inside(on_a.host)) as capture:
        for _ in range(3):
            wire.send(packet)
        until(lambda: drops(on_a) == {reason: 3}, 5, f"3 are dropped as {reason}")
        assert capture.packets() == []
    assert packets(on_a, "tun_a") == before
    assert errors(on_a) == ((0, 3, 0, 0) if reason == "rx_fragment" else (3, 0, 0, 0))
    assert on_a.host.ping(INNER_B, 1) == 1


RIGHT = {
    "as it should be": outer(),
    "options in the outer header": outer(options=b"\x94\x04\0\0"),
    "the most options there can be": outer(options=bytes([1] * 40)),
    "options in the inner header": outer(icmp(INNER_B, INNER_A, 8, 0, options=b"\x94\x04\0\0")),
    "an inner fragment": outer(ip(INNER_B, INNER_A, 17, bytes(64), flags=MF)),
    "bytes behind the outer packet": outer() + bytes(18),
    "may be fragmented": outer(flags=0),
    "the smallest inner packet": outer(ip(INNER_B, INNER_A, 253)),
    "the largest inner packet": outer(ip(INNER_B, INNER_A, 253, bytes(1460))),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_is_unusual_and_right_is_taken(both_ends, wire, case):
    on_a, _ = both_ends
    before = packets(on_a, "tun_a")
    with closing(inside(on_a.host)) as capture:
        wire.send(RIGHT[case])
        until(lambda: packets(on_a, "tun_a")[0] == before[0] + 1, 5, "it is counted")
        inner = RIGHT[case][(RIGHT[case][0] & 15) * 4 :]
        inner = inner[: struct.unpack_from("!H", inner, 2)[0]]
        # The stack cuts off what is behind it.
        assert capture.packets()[0].startswith(inner)
    assert packets(on_a, "tun_a")[1] == before[1] + len(inner)
    assert errors(on_a) == (0, 0, 0, 0)


def test_other_protocols_between_the_same_hosts_go_on_as_before(both_ends, wire):
    """Of the tunnel's remote and to its local address, but not IPIP."""
    on_a, on_b = both_ends
    before = packets(on_a, "tun_a")
    assert on_a.host.ping(B, 3) == 3 and on_b.host.ping(A, 3) == 3
    with on_a.host.inside():
        witness = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
    with witness:
        witness.settimeout(5)
        wire.send(ip(B, A, 253, b"hello", flags=DF))
        assert witness.recv(100).endswith(b"hello")
    assert packets(on_a, "tun_a") == before


def test_protocol_4_of_strangers_is_left_to_the_host(both_ends, wire):
    """Somebody else may want it."""
    on_a, _ = both_ends
    with on_a.host.inside():
        witness = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IPIP)
    with witness:
        witness.settimeout(5)
        packet = ip(STRANGER, A, 4, PING)
        wire.send(packet)
        assert witness.recv(2000) == packet
