"""A kernel that has no ipip. Who insists on it is told clearly, nothing is stored, and the daemon stays up; all others
get their tunnels by the eBPF data plane."""

from contextlib import closing

import pytest
from conftest import started_daemon
from daemon import problem
from host import until

pytestmark = pytest.mark.without_ipip

TUNNEL = {"name": "tun_a", "local": "172.16.16.22", "remote": "172.16.1.62"}


@pytest.fixture
def daemon(host):
    """One that takes ipip and nothing else."""
    with started_daemon(host, data_plane="kernel") as daemon:
        yield daemon


def test_auto_takes_programs_and_they_carry(two_hosts):
    a, b = two_hosts
    with started_daemon(a, data_plane="auto") as on_a, started_daemon(b, data_plane="auto") as on_b:
        tunnel = on_a.create(**TUNNEL, addresses=["192.168.1.1/24"])
        on_b.create(name="tun_b", local="172.16.1.62", remote="172.16.16.22", addresses=["192.168.1.254/24"])
        assert tunnel["status"]["data_plane"] == on_a.get("/v1/host").json["data_plane"] == "bpf"
        with closing(a.capture("underlay0")) as capture:
            assert a.ping("192.168.1.254", 3) == 3
            assert len(capture.ipip()) == 6


def test_a_create_is_refused_and_nothing_is_stored(daemon):
    before = daemon.host.kernel.state()
    members = problem(daemon.post(TUNNEL), 503, "kind-unsupported")
    assert "ipip" in members["detail"] and members["errno"] == "EOPNOTSUPP", members
    assert daemon.rows() == [] and daemon.tunnels() == {}
    assert daemon.host.kernel.state() == before
    assert daemon.get("/livez").status == 200
    problem(daemon.put("tun_a", {"remote": "172.16.1.62"}), 503, "kind-unsupported")
    assert daemon.rows() == []


def test_the_host_says_what_is_missing(daemon):
    host = daemon.get("/v1/host").json
    modules = {module["name"]: module["state"] for module in host["modules"]}
    assert modules["ipip"] == "missing", host
    assert any("ipip" in shortcoming for shortcoming in host["shortcomings"]), host
    check = daemon.run("check")
    assert check.returncode == 0 and "bpf" in check.stdout, "it is for whoever leaves the choice to the daemon"


def test_a_tunnel_stored_before_the_reboot_into_it_is_shown_as_failed(daemon):
    stored = daemon.post(TUNNEL, prefer="respond-async")
    assert stored.status == 202, stored
    for _ in range(2):
        until(lambda: daemon.tunnel("tun_a")["status"]["state"] == "failed", 10, "tun_a is shown as failed")
        status = daemon.tunnel("tun_a")["status"]
        assert status["problem"]["type"] == "/problems/kind-unsupported", status
        assert "ipip" in status["problem"]["detail"] and status["ifindex"] is None, status
        assert daemon.get("/v1/tunnels?state=failed").json["items"][0]["name"] == "tun_a"
        daemon.restart()
    assert daemon.logged("tun_a", "ipip")
    assert daemon.delete("tun_a").status == 204
    assert daemon.rows() == []
