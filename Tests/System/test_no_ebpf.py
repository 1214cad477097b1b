"""Hosts that don't give eBPF: which thing is missing and what to do is said, and nothing is half-done."""

import os
import subprocess
from contextlib import closing

import pytest
from daemon import TUNNELD, problem
from ends import TUN_A
from host import until

pytestmark = pytest.mark.data_plane("bpf")

WITHOUT_BPF = ["setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin"]
WITHOUT_SYS_ADMIN = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
WITHOUT_NET_ADMIN = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
IN_A_USER_NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]
WITHOUT_TUN = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /dev/net && exec "$@"', "sh"]
WITH_A_DEAD_TUN = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /dev/net/tun && exec "$@"', "sh"]

OBSTACLES = {
    "no CAP_BPF": (WITHOUT_BPF, "CAP_BPF is missing"),
    "no CAP_SYS_ADMIN": (WITHOUT_SYS_ADMIN, "CAP_SYS_ADMIN is missing"),
    "no CAP_NET_ADMIN": (WITHOUT_NET_ADMIN, "CAP_NET_ADMIN"),
    "root of a user namespace": (IN_A_USER_NAMESPACE, "root of a user namespace only"),
    "no /dev/net/tun": (WITHOUT_TUN, "/dev/net/tun"),
    "a /dev/net/tun that is none": (WITH_A_DEAD_TUN, "/dev/net/tun"),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_who_insists_on_programs_is_told_what_is_missing(host, prepared, case):
    prefix, words = OBSTACLES[case]
    before = host.kernel.state()
    daemon = prepared(host, prefix=prefix, data_plane="bpf")
    daemon.spawn()
    try:
        # Some of it shows only when the first tunnel is made.
        until(lambda: daemon.process.poll() is not None or is_ready(daemon), 20, "it is ready or has ended")
        if daemon.process.poll() is None:
            answer = daemon.post(TUN_A)
            members = problem(answer, 503, answer.json["type"].removeprefix("/problems/"))
            assert words in members["detail"], members
            assert daemon.rows() == [] and daemon.tunnels() == {}
        else:
            assert daemon.process.returncode == 1 and words in daemon.tail(), daemon.tail()
    finally:
        daemon.kill()
    assert host.kernel.state() == before


def is_ready(daemon):
    try:
        return daemon.get("/readyz").status == 200
    except OSError:
        daemon.connection.close()
        return False


@pytest.mark.without_ipip
@pytest.mark.parametrize("case", OBSTACLES)
def test_auto_serves_and_each_create_is_told_what_is_missing(host, prepared, case):
    prefix, words = OBSTACLES[case]
    before = host.kernel.state()
    daemon = prepared(host, prefix=prefix, data_plane="auto").start()
    for _ in range(2):
        answer = daemon.post(TUN_A)
        members = problem(answer, 503, answer.json["type"].removeprefix("/problems/"))
        assert words in members["detail"], members
    assert daemon.rows() == [] and host.kernel.state() == before
    shortcomings = " ".join(daemon.get("/v1/host").json["shortcomings"])
    assert words in shortcomings, shortcomings
    assert daemon.stop() == 0


@pytest.mark.without_ipip
@pytest.mark.parametrize("case", OBSTACLES)
def test_check_says_what_is_missing(host, case):
    prefix, words = OBSTACLES[case]
    with host.inside():
        done = subprocess.run([*prefix, TUNNELD, "check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and words in done.stdout + done.stderr, done


def test_tunnels_go_on_when_the_next_daemon_may_not_touch_them(both_ends):
    """A restart without the capabilities takes nothing away."""
    on_a, _ = both_ends
    assert on_a.stop() == 0
    before, command = on_a.host.kernel.state(), on_a.command
    on_a.command = [*WITHOUT_BPF, *command]
    on_a.spawn()
    until(lambda: on_a.process.poll() is not None or is_ready(on_a), 20, "it is ready or has ended")
    assert on_a.host.ping("192.168.1.254", 3) == 3
    assert on_a.host.kernel.state() == before
    on_a.kill()
    on_a.command = command
    on_a.start()
    assert on_a.host.ping("192.168.1.254", 3) == 3
    assert on_a.tunnel("tun_a")["status"]["state"] == "up"
