"""A thousand tunnels."""

import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from conftest import joined_hosts, started_daemon
from daemon import metric
from writers import api_view, create_all, kernel_view

COUNT = 1000


@pytest.fixture(scope="module")
def daemon():
    with joined_hosts() as (a, _), started_daemon(a) as daemon:
        begin = time.monotonic()
        create_all(daemon, map(definition, range(COUNT)))
        print(f"{COUNT} tunnels created in {time.monotonic() - begin:.1f} s")
        yield daemon


def definition(number):
    return {
        "name": f"t{number:04}",
        "local": "172.16.16.22",
        "remote": f"172.17.{number // 250}.{number % 250 + 1}",
        "addresses": [f"10.{number // 250}.{number % 250}.1/30"],
        "routes": [{"to": f"10.{100 + number // 250}.{number % 250}.0/24"}],
        "labels": {"rack": str(number % 10)},
    }


def memory(daemon):
    """Resident bytes: (now, at most)."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    )
    return tuple(int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))


def test_all_are_in_the_kernel(daemon):
    shown = api_view(daemon)
    assert len(shown) == COUNT and kernel_view(daemon.host.kernel) == shown


@pytest.mark.parametrize("limit", [1000, 100, 7])
def test_pages_give_each_once(daemon, limit):
    assert sorted(daemon.tunnels(limit)) == [f"t{number:04}" for number in range(COUNT)]


def test_pages_stay_right_while_tunnels_come_and_go(daemon):
    names, cursor = [], ""
    for page in range(10):
        answer = daemon.get(f"/v1/tunnels?limit=100{cursor}").json
        names += [tunnel["name"] for tunnel in answer["items"]]
        cursor = f"&cursor={answer['next_cursor']}"
        if page % 2 == 0:
            # Before the cursor and after it: the first isn't seen, none else is missed or repeated.
            daemon.create(name=f"a{page}", remote=f"172.18.0.{page + 1}")
            assert daemon.delete(f"a{page}").status == 204
    assert names == [f"t{number:04}" for number in range(COUNT)]


def test_a_label_selects(daemon):
    items = daemon.get("/v1/tunnels?label=rack:3&limit=1000").json["items"]
    assert [item["name"] for item in items] == [f"t{number:04}" for number in range(3, COUNT, 10)]


def test_stats_have_each_once(daemon):
    items = daemon.get("/v1/stats").json["items"]
    assert sorted(item["name"] for item in items) == [f"t{number:04}" for number in range(COUNT)]
    assert metric(daemon, "tunneld_tunnel_receive_packets_total") == [0] * COUNT


def test_a_restart_with_all_in_place_changes_nothing_in_the_kernel(daemon):
    before = daemon.host.kernel.state()
    with daemon.host.watch() as changes:
        assert daemon.stop() == 0
        begin = time.monotonic()
        daemon.start()
        print(f"ready {time.monotonic() - begin:.2f} s after the start")
        assert daemon.host.kernel.state() == before
        assert changes() == 0
        assert metric(daemon, "tunneld_kernel_changes_total") == [0]
    states = {tunnel["status"]["state"] for tunnel in daemon.tunnels().values()}
    assert states == {"up"}


def test_readers_that_do_not_read_hinder_nobody(daemon):
    with ExitStack() as stack:
        for _ in range(30):
            connection = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
            connection.connect(str(daemon.socket))
            connection.sendall(b"GET /v1/tunnels?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
        with closing(daemon.client()) as client:
            assert client.get("/v1/tunnels/t0000").status == 200
            client.create(name="while", remote="172.18.0.200")
            assert client.delete("while").status == 204
    now, most = memory(daemon)
    print(f"resident with 30 of them: {now >> 20} MiB, at most {most >> 20} MiB")
    assert most < 256 << 20


def test_memory_is_reported(daemon):
    for _ in range(20):
        assert daemon.get("/v1/tunnels?limit=1000").status == 200
        assert daemon.get("/metrics").status == 200
    now, most = memory(daemon)
    print(f"resident with {COUNT} tunnels: {now >> 20} MiB, at most {most >> 20} MiB")
    assert most < 256 << 20


def test_a_restart_repairs_what_is_missing_among_a_thousand(daemon):
    wanted = kernel_view(daemon.host.kernel)
    assert daemon.stop() == 0
    daemon.host.ip(*(f"link del t{number:04}" for number in range(0, COUNT, 100)))
    with daemon.host.watch() as changes:
        daemon.start()
        assert kernel_view(daemon.host.kernel) == wanted
        assert changes() > 0
