"""Traffic of hosts behind the ends, with and without segmentation offload at each place where it may be undone."""

import contextlib
import itertools
import socket
import struct

import pytest
from lab import A, B, INNER_A, INNER_B, Host, Lab, PacketSocket, set_offload, tcp_transfer, until
from packets import IPIP, TCP, UDP, read, transport_checksum_is_right
from programs import DataPlane, is_ipip_here

ENDS = [("bpf", "bpf"), *([("bpf", "ipip"), ("ipip", "bpf")] if is_ipip_here() else [])]
C, D = "10.1.0.2", "10.2.0.2"
SIZE = 3_000_000


class ForwardingLab(Lab):
    """C behind A, D behind B: C - A ===== B - D."""

    def __init__(self, kinds=("bpf", "bpf")):
        super().__init__(kinds)
        self.c, self.d = Host(), Host()
        for host, net, peer, behind in ((self.a, 1, INNER_B, self.c), (self.b, 2, INNER_A, self.d)):
            host.join(behind, f"10.{net}.0.1/24", f"10.{net}.0.2/24", link="lan0")
            behind.ip(f"route add default via 10.{net}.0.1")
            host.ip(f"route add 10.{3 - net}.0.0/24 via {peer}")
            host.write("/proc/sys/net/ipv4/ip_forward", "1")
        # Otherwise the path's MTU would be learnt in the middle of the transfer.
        self.c.ip("link set lan0 mtu 1480")
        self.d.ip("link set lan0 mtu 1480")

    def close(self):
        super().close()
        self.c.close()
        self.d.close()


class Sniffer:
    """Sees each packet of a link, and keeps what is wrong with any of them."""

    def __init__(self, host, link, limit):
        self.socket, self.limit = PacketSocket(host, link, 1 << 28), limit
        self.packets, self.wrong = 0, []

    def check(self, is_outer=False):
        for data in self.socket.seen():
            packet = read(data)
            if is_outer:
                if packet.protocol != IPIP:
                    continue
                if packet.length != len(data) or packet.length > self.limit or not packet.checksum_is_right:
                    self.wrong.append(packet)
                packet = read(data[packet.header_bytes :])
            if packet.protocol not in (TCP, UDP):
                continue
            self.packets += 1
            if not (
                len(data) <= self.limit and packet.checksum_is_right and transport_checksum_is_right(packet)
            ):
                self.wrong.append(packet)
        self.socket.close()
        assert not self.wrong, f"{len(self.wrong)} of {self.packets}, as {self.wrong[0]}"
        return self.packets


@pytest.mark.parametrize("kinds", ENDS, ids="-".join)
def test_tcp_between_hosts_behind(kinds):
    with contextlib.closing(ForwardingLab(kinds)) as lab:
        assert lab.c.ping(D) == 3
        assert tcp_transfer(lab.c, lab.d, D, SIZE) == SIZE
        assert tcp_transfer(lab.d, lab.c, C, SIZE) == SIZE


@pytest.mark.parametrize("kinds", ENDS, ids="-".join)
@pytest.mark.parametrize("place", ["sender", "underlay", "after the tunnel", "all"])
def test_packets_on_the_wire_are_right(kinds, place):
    """Offloads are switched off at the place, so that there each segment and checksum is made, and looked at."""
    with contextlib.closing(ForwardingLab(kinds)) as lab:
        places = {"sender": (lab.c, "lan0"), "underlay": (lab.a, "underlay0"), "after the tunnel": (lab.b, "lan0")}
        for host, link in places.values() if place == "all" else [places[place]]:
            set_offload(host, link, on=False, what=("tso", "gso", "tx"))
        outer = Sniffer(lab.b, "underlay0", 1500)
        inner = Sniffer(lab.d, "lan0", 1480)
        assert tcp_transfer(lab.c, lab.d, D, SIZE) == SIZE
        if place in ("underlay", "all"):
            assert outer.check(is_outer=True) > SIZE // 1460
        if place in ("after the tunnel", "all"):
            assert inner.check() > SIZE // 1460


@pytest.mark.parametrize("offload", [True, False])
def test_a_large_packet_counts_as_what_it_is_on_the_wire(offload):
    """A counts before segmentation, B after it."""
    with contextlib.closing(ForwardingLab()) as lab:
        set_offload(lab.a, "underlay0", on=offload, what=("tso", "gso"))
        set_offload(lab.b, "underlay0", on=offload, what=("tso", "gso"))
        before = [plane.count("tun0") for plane in lab.planes]
        inner = Sniffer(lab.d, "lan0", 1480)
        set_offload(lab.b, "lan0", on=False, what=("tso", "gso", "tx"))
        assert tcp_transfer(lab.c, lab.d, D, SIZE) == SIZE
        assert before == [{}, {}]

        def agree():
            a, b = (plane.count("tun0") for plane in lab.planes)
            return (a["tx_packets"], a["tx_bytes"], a["rx_packets"], a["rx_bytes"]) == (
                b["rx_packets"], b["rx_bytes"], b["tx_packets"], b["tx_bytes"])  # fmt: skip

        until(agree, what=[plane.count("tun0") for plane in lab.planes])
        count = lab.end_b.count("tun0")
        assert inner.check() == count["rx_packets"]
        assert set(count) == {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes"}


@pytest.mark.parametrize("offload", [True, False])
def test_udp_segmentation(offload):
    with contextlib.closing(Lab()) as lab:
        set_offload(lab.a, "underlay0", on=offload, what=("tso", "gso", "tx"))
        with lab.a.inside():
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with lab.b.inside():
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind((INNER_B, 7777))
        outer = Sniffer(lab.b, "underlay0", 1500)
        with client, server:
            server.settimeout(5)
            client.setsockopt(socket.SOL_UDP, 103, 1000)  # UDP_SEGMENT
            data = struct.pack("!5500H", *range(5500))
            client.sendto(data, (INNER_B, 7777))
            assert b"".join(server.recv(2000) for _ in range(11)) == data
        counts = lab.end_a.count("tun0"), lab.end_b.count("tun0")
        assert counts[0] == {"tx_packets": 11, "tx_bytes": 11 * 1028}
        assert counts[1] == {"rx_packets": 11, "rx_bytes": 11 * 1028}
        if not offload:
            assert outer.check(is_outer=True) == 11


class HubLab:
    """A and B, each with a tunnel to a hub, and from there to each other."""

    def __init__(self):
        self.a, self.hub, self.b = Host(), Host(), Host()
        self.planes = {host: DataPlane(host) for host in (self.a, self.hub, self.b)}
        self.hub.write("/proc/sys/net/ipv4/ip_forward", "1")
        for net, end in enumerate((self.a, self.b), 1):
            link = f"underlay{net}"
            self.hub.join(end, f"172.16.{net}.1/24", f"172.16.{net}.2/24", link=link)
            for host, local, remote in ((self.hub, 1, 2), (end, 2, 1)):
                self.planes[host].add_underlay(link)
                self.planes[host].add_tunnel(f"tun{net}", f"172.16.{net}.{local}", f"172.16.{net}.{remote}", link)
                host.ip(f"address add 192.168.{net}.{local}/24 dev tun{net}")
            end.ip(f"route add 192.168.{3 - net}.0/24 via 192.168.{net}.1")
            end.ping(f"172.16.{net}.1", 1)

    def close(self):
        for plane in self.planes.values():
            plane.close()
        for host in (self.a, self.hub, self.b):
            host.close()


@pytest.mark.parametrize("offload", [True, False])
def test_from_one_tunnel_into_another(offload):
    """What came out of a tunnel is still marked as encapsulated, as nothing takes the mark off."""
    with contextlib.closing(HubLab()) as lab:
        set_offload(lab.hub, "underlay2", on=offload, what=("tso", "gso", "tx"))
        set_offload(lab.hub, "underlay1", on=offload, what=("tso", "gso", "tx"))
        assert lab.a.ping("192.168.2.2") == 3
        outer = Sniffer(lab.b, "underlay2", 1500)
        assert tcp_transfer(lab.a, lab.b, "192.168.2.2", SIZE) == SIZE
        assert tcp_transfer(lab.b, lab.a, "192.168.1.2", SIZE) == SIZE
        if not offload:
            assert outer.check(is_outer=True) > SIZE // 1460
        count = lab.planes[lab.hub].count("tun2")
        assert set(count) == {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes"}


def test_from_one_tunnel_into_a_narrower_one():
    """Large packets can't be answered there, single ones can; so the transfer gets through."""
    with contextlib.closing(HubLab()) as lab:
        lab.planes[lab.hub].configure("tun2", path_mtu=1400)
        assert tcp_transfer(lab.a, lab.b, "192.168.2.2", SIZE) == SIZE
        assert lab.planes[lab.hub].count("tun2")["tx_too_big"] > 0


@pytest.mark.parametrize("offload", [True, False])
def test_a_tunnel_inside_a_tunnel(offload):
    with contextlib.closing(Lab()) as lab:
        for plane, local, remote in ((lab.end_a, INNER_A, INNER_B), (lab.end_b, INNER_B, INNER_A)):
            plane.add_underlay("tun0", header_bytes=0)
            plane.add_tunnel("tun1", local, remote, "tun0", 1460, path_mtu=1480)
        lab.a.ip("address add 192.168.3.1/24 dev tun1")
        lab.b.ip("address add 192.168.3.2/24 dev tun1")
        set_offload(lab.a, "underlay0", on=offload, what=("tso", "gso", "tx"))
        assert lab.a.ping("192.168.3.2") == 3
        outer = PacketSocket(lab.b, "underlay0", 1 << 28)
        assert tcp_transfer(lab.a, lab.b, "192.168.3.2", SIZE) == SIZE
        for packet in map(read, outer.seen()) if not offload else ():
            nested = read(packet.payload)
            innermost = read(nested.payload)
            assert (packet.protocol, nested.protocol, innermost.protocol) in ((IPIP, IPIP, TCP), (IPIP, IPIP, 1))
            assert packet.length <= 1500 and packet.checksum_is_right and nested.checksum_is_right
            assert innermost.checksum_is_right
            assert innermost.protocol != TCP or transport_checksum_is_right(innermost)
        for link in ("tun0", "tun1"):
            a, b = lab.end_a.count(link), lab.end_b.count(link)
            assert (a["tx_packets"], a["tx_bytes"]) == (b["rx_packets"], b["rx_bytes"]), link


def test_vxlan_inside_a_tunnel():
    """Single packets pass; large ones, which would have to be cut inside both headers, are dropped by name."""
    with contextlib.closing(Lab()) as lab:
        for host, local, remote, address in ((lab.a, INNER_A, INNER_B, 1), (lab.b, INNER_B, INNER_A, 2)):
            host.ip(
                f"link add vxlan0 type vxlan id 7 local {local} remote {remote} dstport 4789 dev tun0",
                f"address add 192.168.4.{address}/24 dev vxlan0",
                "link set vxlan0 mtu 1430 up",
            )
        assert lab.a.ping("192.168.4.2") == 3
        with contextlib.suppress(AssertionError), lab.a.inside():
            client = socket.socket()
        with lab.b.inside():
            listener = socket.create_server(("192.168.4.2", 5201))
        with listener, client:
            client.connect(("192.168.4.2", 5201))
            client.setblocking(False)
            client.send(bytes(100_000))
            until(lambda: lab.end_a.count("tun0").get("tx_nested"), what="a large packet")
        # As an administrator would do it.
        set_offload(lab.a, "vxlan0", on=False, what=("tso", "gso"))
        assert tcp_transfer(lab.a, lab.b, "192.168.4.2", SIZE, port=5202) == SIZE
