"""Path MTU discovery: by ICMP from the underlay, and by ICMP to those who send into the tunnel."""

import contextlib
import errno
import socket
import struct
import time

import pytest
from lab import A, B, INNER_A, INNER_B, Host, Lab, PacketSocket, raw_socket, received, tcp_transfer, until
from packets import DF, ICMP, IPIP, MF, icmp, ip, read, udp
from programs import UP, DataPlane, is_ipip_here

FRAGMENTATION_NEEDED = (3, 4)


def frag_needed(mtu, quote, source="172.16.0.1", destination=A, **fault):
    return icmp(source, destination, *FRAGMENTATION_NEEDED, struct.pack("!HH", 0, mtu), quote, **fault)


@pytest.fixture(scope="module")
def a():
    """Gives learn(packets), what A's tunnel knows of its path after these came by the cable."""
    with contextlib.closing(Lab()) as lab:
        lab.a.ping(B, 1)
        lab.a.ip("address add 172.16.16.23/16 dev underlay0")
        cable, underlay = PacketSocket(lab.b, "underlay0"), PacketSocket(lab.a, "underlay0")
        witness = raw_socket(lab.a, ICMP)

        def learn(*packets, keep=False):
            index = lab.end_a.index("tun0")
            if not keep:
                lab.end_a.states[index,] = 0, 0, 0
            received(witness)
            for packet in packets:
                cable.send(packet, underlay.address)
            # Each goes on to the stack, learnt from or not, unless that finds it malformed.
            learn.reached = until(lambda: received(witness), what="ICMP at the stack") if packets else []
            return lab.end_a.path_mtu("tun0")

        learn.lab = lab
        yield learn


def quote(mtu_field=1500, source=A, destination=B, protocol=IPIP, **header):
    """The beginning of an outer packet, as routers quote it."""
    inner = udp(INNER_A, INNER_B, bytes(mtu_field - 48))
    return ip(source, destination, protocol, inner, **header)[:548]


@pytest.mark.parametrize("mtu, learnt", [(1400, 1400), (552, 552), (551, 552), (68, 552), (0, 552), (1499, 1499),
                                         (1500, 1500), (1501, 0), (65535, 0)])  # fmt: skip
def test_learns(a, mtu, learnt):
    message = frag_needed(mtu, quote())
    assert a(message) == learnt
    assert a.reached == [message]


@pytest.mark.parametrize("size", [28, 29, 31, 64, 65, 127, 128, 500, 548, 1000, 1472])
def test_learns_from_quotes_of_every_length(a, size):
    """RFC 792 asks for the header and eight bytes, RFC 1812 for more; some quote all."""
    whole = ip(A, B, IPIP, udp(INNER_A, INNER_B, bytes(range(256)) * 6))
    assert a(frag_needed(1400, whole[:size])) == 1400


def test_learns_with_options_in_the_headers(a):
    assert a(frag_needed(1400, quote(options=b"\x01" * 8))) == 1400
    assert a(frag_needed(1400, quote(), options=b"\x01" * 12)) == 1400


def test_keeps_the_lowest(a):
    assert a(*(frag_needed(mtu, quote()) for mtu in (1400, 1300, 1450))) == 1300
    assert a(frag_needed(1350, quote()), keep=True) == 1300


def test_lasts_ten_minutes(a):
    before = time.monotonic_ns()
    a(frag_needed(1400, quote()))
    expires, *_ = a.lab.end_a.states[a.lab.end_a.index("tun0"),][0]
    assert before < expires - 600 * 10**9 < time.monotonic_ns()


@pytest.mark.parametrize(
    "message",
    [
        frag_needed(1400, quote(destination="172.16.1.63")),
        frag_needed(1400, quote(source="172.16.1.63")),
        frag_needed(1400, quote(protocol=47)),
        frag_needed(1400, quote(source=B, destination=A)),
        icmp("172.16.0.1", A, 3, 1, struct.pack("!HH", 0, 1400), quote()),
        icmp("172.16.0.1", A, 12, 4, struct.pack("!HH", 0, 1400), quote()),
        frag_needed(1400, quote()[:19]),
        frag_needed(1400, quote(), destination="172.16.16.23"),
    ],
    ids=["other remote", "other local", "GRE", "swapped", "other code", "other type", "short", "not to local"],
)  # fmt: skip
def test_learns_nothing_from_what_isnt_about_a_tunnel(a, message):
    assert a(message) == 0


def spoil(packet, offset):
    return packet[:offset] + bytes([packet[offset] ^ 1]) + packet[offset + 1 :]


@pytest.mark.parametrize("offset", [22, 27, 40, 100, 575])
def test_learns_nothing_from_a_wrong_checksum(a, offset):
    assert a(spoil(frag_needed(1400, quote()), offset)) == 0


def test_learns_nothing_from_malformed_headers(a):
    """The stack doesn't see these either; a good message after them shows that they came."""
    good = frag_needed(1450, quote())
    body = frag_needed(1400, quote())[20:]
    for fault in (dict(check=1), dict(flags=MF), dict(length=27), dict(length=47), dict(header_words=4)):
        assert a(ip("172.16.0.1", A, ICMP, body, **fault), good) == 1450, fault


class Sender:
    """Sends into A's tunnel as a program on A would, whose path is narrow, and sees what comes back from it."""

    def __init__(self, lab):
        self.lab = lab
        lab.a.ping(B, 1)
        self.tunnel = PacketSocket(lab.a, "tun0")
        self.underlay = PacketSocket(lab.b, "underlay0")

    def __call__(self, inner, path_mtu=1400):
        """The ICMP answers, and the counted drops."""
        marker = udp("10.1.2.3", "10.4.5.6", b"the end")
        plane, index = self.lab.end_a, self.lab.end_a.index("tun0")
        plane.states[index,] = (1 << 62, path_mtu, 0) if path_mtu else (0, 0, 0)
        plane.configure("tun0", learnt=int(path_mtu > 0))
        before = plane.count("tun0").get("tx_too_big", 0)
        self.tunnel.send(inner)
        self.tunnel.send(marker)
        self.through = self.underlay.wait_for(lambda packet: packet[20:] == marker)
        return self.tunnel.seen(), plane.count("tun0").get("tx_too_big", 0) - before


@pytest.fixture(scope="module")
def sender():
    with contextlib.closing(Lab()) as lab:
        yield Sender(lab)


@pytest.mark.parametrize("path_mtu, size", [(1400, 1381), (1400, 1480), (552, 533), (552, 540), (552, 548), (552, 1480)])
def test_answer_to_what_is_too_big(sender, path_mtu, size):
    inner = udp("10.1.2.3", "10.4.5.6", (bytes(range(256)) * 6)[: size - 28])
    (answer,), dropped = sender(inner, path_mtu)
    expected = icmp("10.4.5.6", "10.1.2.3", *FRAGMENTATION_NEEDED, struct.pack("!HH", 0, path_mtu - 20), inner[:548],
                    tos=0xC0)  # fmt: skip
    assert answer == expected
    assert dropped == 1
    assert sender.through == []


@pytest.mark.parametrize("path_mtu, size", [(1400, 1380), (552, 532), (1400, 100), (0, 1480)])
def test_what_fits_passes(sender, path_mtu, size):
    inner = udp("10.1.2.3", "10.4.5.6", bytes(size - 28))
    assert sender(inner, path_mtu) == ([], 0)
    assert [packet[20:] for packet in sender.through] == [inner]


def test_expired(sender):
    plane, index = sender.lab.end_a, sender.lab.end_a.index("tun0")
    inner = udp("10.1.2.3", "10.4.5.6", bytes(1400))
    assert len(sender(inner)[0]) == 1
    plane.states[index,] = 1, 1400, 0
    sender.tunnel.send(inner)
    sender.underlay.wait_for(lambda packet: packet[20:] == inner)


def test_the_underlays_own_mtu_counts(sender):
    sender.lab.end_a.configure("tun0", path_mtu=1300)
    (answer,), _ = sender(udp("10.1.2.3", "10.4.5.6", bytes(1253)), 0)
    assert struct.unpack_from("!H", answer, 26) == (1280,)
    sender.lab.end_a.configure("tun0", path_mtu=1500)


TOO_BIG = bytes(1400)


@pytest.mark.parametrize(
    "inner",
    [
        udp("10.1.2.3", "224.0.0.1", TOO_BIG),
        udp("10.1.2.3", "255.255.255.255", TOO_BIG),
        udp("224.0.0.1", "10.4.5.6", TOO_BIG),
        udp("0.0.0.0", "10.4.5.6", TOO_BIG),
        udp("127.0.0.1", "10.4.5.6", TOO_BIG),
        ip("10.1.2.3", "10.4.5.6", 17, TOO_BIG, flags=DF | 100),
        *(icmp("10.1.2.3", "10.4.5.6", kind, 0, body=TOO_BIG) for kind in (3, 4, 5, 11, 12)),
    ],
)
def test_never_answered(sender, inner):
    """RFC 1122, 3.2.2."""
    assert sender(inner) == ([], 1)
    assert sender.through == []


@pytest.mark.parametrize("kind", [0, 8, 13])
def test_other_icmp_is_answered(sender, kind):
    assert len(sender(icmp("10.1.2.3", "10.4.5.6", kind, 0, body=TOO_BIG))[0]) == 1


def test_without_df_this_host_is_told_too(sender):
    """So its own routing makes fragments that fit, as it does with the kernel's ipip."""
    sender.lab.end_a.configure("tun0", flags=UP)
    answers, dropped = sender(udp("10.1.2.3", "10.4.5.6", TOO_BIG, flags=0))
    assert (len(answers), dropped) == (1, 1)
    assert sender.through == []


class RoutedLab:
    """A and B with a router between them that has a narrow link to B."""

    def __init__(self, narrow=1400, kinds=("bpf", "bpf")):
        self.a, self.router, self.b = Host(), Host(), Host()
        self.a.join(self.router, "172.16.16.22/24", "172.16.16.1/24")
        self.router.join(self.b, "172.16.1.1/24", "172.16.1.62/24", link="underlay1")
        self.router.write("/proc/sys/net/ipv4/ip_forward", "1")
        self.router.ip(f"link set underlay1 mtu {narrow}")
        self.b.ip(f"link set underlay1 mtu {narrow}", "route add default via 172.16.1.1")
        self.a.ip("route add default via 172.16.16.1")
        self.planes = {}
        for host, kind, link, local, remote, inner, mtu in (
            (self.a, kinds[0], "underlay0", A, B, INNER_A, 1480), (self.b, kinds[1], "underlay1", B, A, INNER_B, narrow - 20),
        ):
            if kind == "ipip":
                host.ip(f"link add tun0 type ipip local {local} remote {remote}", "link set tun0 up")
            else:
                plane = self.planes[host] = DataPlane(host)
                plane.add_underlay(link)
                plane.add_tunnel("tun0", local, remote, link, mtu, path_mtu=mtu + 20)
            host.ip(f"address add {inner}/24 dev tun0")
        self.a.ping(INNER_B, 1)

    def close(self):
        for plane in self.planes.values():
            plane.close()
        for host in (self.a, self.router, self.b):
            host.close()


ROUTED = [("bpf", "bpf"), *([("bpf", "ipip")] if is_ipip_here() else [])]


@pytest.mark.parametrize("kinds", ROUTED, ids="-".join)
def test_udp_sender_learns(kinds):
    with contextlib.closing(RoutedLab(kinds=kinds)) as lab:
        with lab.a.inside():
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER = IP_PMTUDISC_DO
        client.connect((INNER_B, 9))
        with client:
            client.send(bytes(1452))
            until(lambda: lab.planes[lab.a].path_mtu("tun0") == 1400, what="the router's ICMP")

            def refused():
                try:
                    client.send(bytes(1452))
                except OSError as error:
                    return error.errno == errno.EMSGSIZE
                return False

            until(refused, what="EMSGSIZE")
            assert client.getsockopt(socket.IPPROTO_IP, 14) == 1380  # IP_MTU
            # What the ICMP message left for the next call to report.
            client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            client.send(bytes(1352))


def test_udp_without_df_is_cut_by_the_sender():
    with contextlib.closing(RoutedLab()) as lab:
        with lab.a.inside():
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with lab.b.inside():
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind((INNER_B, 7777))
        client.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_PMTUDISC_DONT
        server.setblocking(False)
        with client, server:
            def arrives():
                client.sendto(bytes(1452), (INNER_B, 7777))
                with contextlib.suppress(BlockingIOError):
                    return len(server.recv(4000)) == 1452

            until(arrives, what="a datagram in fragments")


@pytest.mark.parametrize("narrow", [1400, 576])
@pytest.mark.parametrize("kinds", ROUTED, ids="-".join)
def test_tcp_through_a_narrow_hop(kinds, narrow):
    with contextlib.closing(RoutedLab(narrow, kinds)) as lab:
        # The other end's own MTU would otherwise announce a segment size that fits.
        lab.b.ip("link set tun0 mtu 1480")
        size = 5_000_000
        assert tcp_transfer(lab.a, lab.b, INNER_B, size) == size
        plane = lab.planes[lab.a]
        assert plane.path_mtu("tun0") == narrow
        assert plane.count("tun0")["tx_too_big"] > 0
