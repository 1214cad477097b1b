"""Packets through tunnels between two hosts."""

from conftest import until

A = {"name": "tun_a", "remote": "172.16.1.62", "local": "172.16.16.22", "addresses": ["192.168.1.1/24"]}
B = {"name": "tun_b", "remote": "172.16.16.22", "local": "172.16.1.62", "addresses": ["192.168.1.254/24"]}


def counters(daemon, name):
    stats = daemon.get(f"/v1/tunnels/{name}/stats").json
    return [stats[way][unit] for way in ("rx", "tx") for unit in ("packets", "bytes")]


def test_pings_go_both_ways_and_are_counted_to_the_byte(hosts):
    a, b = hosts
    daemon_a, daemon_b = a.daemon(), b.daemon()
    assert daemon_a.create(**A)["status"]["state"] == "up"
    assert daemon_b.create(**B)["status"]["state"] == "up"
    assert a.pings("192.168.1.254", count=3)
    assert b.pings("192.168.1.1", count=2)
    # An echo of 56 bytes has 8 of ICMP and 20 of IP; the outer header isn't the tunnel's.
    assert until(lambda: counters(daemon_a, "tun_a") == [5, 420, 5, 420]), counters(daemon_a, "tun_a")
    assert until(lambda: counters(daemon_b, "tun_b") == [5, 420, 5, 420]), counters(daemon_b, "tun_b")


def test_another_remote_keeps_the_link_and_its_counters(hosts):
    a, b = hosts
    daemon, far = a.daemon(), b.daemon()
    before = daemon.create(**A)["status"]["ifindex"]
    far.create(**B)
    assert a.pings("192.168.1.254", count=2)
    for remote in ("172.16.1.63", "172.16.1.62"):
        answer = daemon.request("PATCH", "/v1/tunnels/tun_a", {"remote": remote})
        assert answer.status == 200, answer
        link = a.link("tun_a")
        assert link["linkinfo"]["info_data"]["remote"] == remote
        assert link["ifindex"] == before
        assert link["stats64"]["tx"]["packets"] == 2
    assert a.pings("192.168.1.254")


def test_the_tunnel_carries_on_without_the_daemon(hosts):
    a, b = hosts
    daemon = a.daemon()
    daemon.create(**A)
    b.daemon().create(**B)
    assert daemon.stop() == 0
    assert a.pings("192.168.1.254")
    index = a.link("tun_a")["ifindex"]
    daemon.start()
    assert daemon.tunnel("tun_a")["status"]["state"] == "up"
    assert a.link("tun_a")["ifindex"] == index
