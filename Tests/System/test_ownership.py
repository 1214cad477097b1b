"""What is ours is kept true; what isn't, is never touched."""

import signal

from conftest import until


def test_delete_leaves_nothing(host, daemon):
    before = host.state()
    daemon.create("tun_a", "172.16.1.62", local="172.16.16.22", addresses=["192.168.1.1/24"],
                  routes=[{"to": "10.20.0.0/16", "metric": 100}])
    assert [route["dev"] for route in host.ip("route", "show", "10.20.0.0/16")] == ["tun_a"]
    assert daemon.request("DELETE", "/v1/tunnels/tun_a").status == 204
    assert host.state() == before
    assert daemon.get("/v1/tunnels/tun_a").status == 404


def test_what_others_made_stays(host, daemon):
    host.run("ip", "link", "add", "theirs", "type", "ipip", "remote", "172.16.1.99", "local", "172.16.16.22")
    host.run("ip", "route", "add", "10.99.0.0/16", "dev", "underlay0")
    before = host.state()
    daemon.create("tun_a", "172.16.1.62", addresses=["192.168.1.1/24"])
    assert daemon.request("DELETE", "/v1/tunnels/tun_a").status == 204
    assert daemon.stop() == 0
    daemon.start()
    assert host.state() == before
    assert host.link("tunl0") is not None


def test_a_link_in_the_way_is_named(host, daemon):
    host.run("ip", "link", "add", "theirs", "type", "ipip", "remote", "172.16.1.62", "local", "172.16.16.22")
    answer = daemon.request("POST", "/v1/tunnels",
                            {"name": "tun_a", "remote": "172.16.1.62", "local": "172.16.16.22"})
    assert answer.status == 409, answer
    assert "theirs" in answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert daemon.get("/v1/tunnels/tun_a").status == 404
    assert host.link("tun_a") is None


def test_changes_by_hand_are_put_right(host, daemon):
    daemon.create("tun_a", "172.16.1.62", local="172.16.16.22", addresses=["192.168.1.1/24"])
    host.run("ip", "address", "del", "192.168.1.1/24", "dev", "tun_a")
    assert until(lambda: host.addresses("tun_a") == ["192.168.1.1/24"])
    host.run("ip", "link", "del", "tun_a")
    assert until(lambda: host.link("tun_a") and host.addresses("tun_a") == ["192.168.1.1/24"])
    assert until(lambda: daemon.tunnel("tun_a")["status"]["state"] == "up")


def test_after_a_kill_the_kernel_is_made_equal_to_the_database(host, daemon):
    daemon.create("tun_a", "172.16.1.62", addresses=["192.168.1.1/24"])
    daemon.create("tun_b", "172.16.1.63", addresses=["192.168.2.1/24"])
    daemon.stop(signal.SIGKILL)
    host.run("ip", "link", "del", "tun_a")
    host.run("ip", "address", "add", "192.168.9.9/32", "dev", "tun_b")
    daemon.start()
    assert until(lambda: host.link("tun_a") and host.addresses("tun_a") == ["192.168.1.1/24"])
    assert until(lambda: host.addresses("tun_b") == ["192.168.2.1/24"])


def test_no_link_local_address_comes_with_a_tunnel(host, daemon):
    daemon.create("tun_a", "172.16.1.62", addresses=["192.168.1.1/24"])
    assert [a["family"] for a in host.link("tun_a")["addr_info"]] == ["inet"]
