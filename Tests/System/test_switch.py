"""A host goes from one data plane to the other: the tunnels stay, of the former one nothing does."""

from contextlib import closing

import pytest
from conftest import started_daemon
from ends import INNER_B, TUN_A, TUN_B, packets
from host import until

pytestmark = [pytest.mark.ipip, pytest.mark.packets, pytest.mark.data_plane("bpf")]

COUNT = 5
EXTRA = [{"name": f"tun_{number}", "remote": f"172.16.3.{number + 1}"} for number in range(COUNT)]


def restart(daemon, data_plane):
    assert daemon.stop() == 0
    daemon.command[daemon.command.index("--data-plane") + 1] = data_plane
    daemon.start()


def test_there_and_back(two_hosts):
    a, b = two_hosts
    with started_daemon(a, data_plane="bpf") as on_a, started_daemon(b, data_plane="bpf") as on_b:
        # Make ipip's module be there, and with it tunl0, before the state is noted.
        a.add_somebodys_tunnel("probe", "172.16.9.9")
        a.ip("link del probe")
        before = a.kernel.state()
        on_a.create(**TUN_A, routes=[{"to": "10.20.0.0/16", "metric": 5}])
        on_b.create(**TUN_B)
        for definition in EXTRA:
            on_a.create(**definition)
        assert a.ping(INNER_B, 2) == 2
        shown = {name: tunnel | {"status": None} for name, tunnel in on_a.tunnels().items()}
        for plane, kind in [("kernel", "ipip"), ("bpf", "tun"), ("kernel", "ipip")]:
            restart(on_a, plane)
            links = a.kernel.links()
            assert {links[name].kind for name in shown} == {kind}
            assert {name: tunnel | {"status": None} for name, tunnel in on_a.tunnels().items()} == shown
            for name in shown:
                status = on_a.tunnel(name)["status"]
                assert (status["state"], status["data_plane"], status["problem"]) == ("up", plane, None)
                assert status["ifindex"] == links[name].index
            with closing(a.pinger()) as pinger:
                until(lambda: pinger.echo(INNER_B, 0.2), 2, f"it carries with {plane}")
            index = links["tun_a"].index
            routes = {(r.to, r.metric) for r in a.kernel.routes() if r.index == index and r.protocol == 116}
            assert routes == {("10.20.0.0/16", 5)}
            # The counters begin again with the link.
            assert packets(on_a, "tun_a")[0] < 50
            if plane == "kernel":
                assert a.kernel.filters() == [] and a.kernel.clsacts() == [], "something of the programs stays"
        for name in shown:
            assert on_a.delete(name).status == 204
        assert a.kernel.state() == before


def test_a_kill_before_the_change(two_hosts):
    a, _ = two_hosts
    with started_daemon(a, data_plane="bpf") as daemon:
        daemon.create(**TUN_A)
        daemon.kill()
        daemon.command[daemon.command.index("--data-plane") + 1] = "kernel"
        daemon.start()
        assert a.kernel.links()["tun_a"].kind == "ipip" and a.kernel.filters() == []
