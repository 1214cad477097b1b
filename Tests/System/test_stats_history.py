"""History: what went through a tunnel is there afterwards, in the right place, whatever becomes of the daemon."""

import datetime
import time

import pytest
from daemon import problem
from ends import INNER_B
from host import until


def stamp(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def history(daemon, name="tun_a", **query):
    words = "&".join(f"{key}={value}" for key, value in query.items())
    answer = daemon.get(f"/v1/tunnels/{name}/stats/history?{words}")
    assert answer.status == 200, answer
    found = answer.json
    assert all(len(found[member]) == found["points"] for member in found if member.endswith("per_second")), answer
    return found


def packets(daemon, begin, end, step="10s", name="tun_a"):
    """How many packets came in between two times that are multiples of ten seconds."""
    found = history(daemon, name, **{"from": stamp(begin), "to": stamp(end), "step": step})
    return sum(rate * found["step_seconds"] for rate in found["rx_packets_per_second"] if rate is not None)


def watched_until(daemon, moment):
    """Somebody looks, so that a sample is taken each second."""
    until(lambda: daemon.get("/v1/stats").status == 200 and time.time() > moment, 60, "the time to pass")


def test_a_burst_and_a_gap_survive_a_stop_and_a_kill(both_ends):
    on_a, _ = both_ends
    # A whole place of ten seconds before the burst, and one behind it.
    begin = int(time.time()) // 10 * 10 + 10
    watched_until(on_a, begin + 2)
    started = time.time()
    assert on_a.host.ping(INNER_B, 200) == 200
    ended = time.time()
    end = int(ended) // 10 * 10 + 10
    watched_until(on_a, end + 2)

    seconds = history(on_a, **{"from": stamp(begin), "to": stamp(end), "step": "1s"})["rx_packets_per_second"]
    assert None not in seconds and 190 <= sum(seconds) <= 210, seconds
    busy = [begin + offset for offset, rate in enumerate(seconds) if rate > 0]
    # A sample may be a second and a half old.
    assert started - 2.5 < busy[0] and busy[-1] < ended + 2.5, (started, ended, busy)
    assert 190 <= packets(on_a, begin, end) <= 210

    assert on_a.stop() == 0, on_a.tail()
    stopped = time.time()
    until(lambda: time.time() > stopped + 25, 30, "a gap")
    on_a.start()
    resumed = time.time()
    assert 190 <= packets(on_a, begin, end) <= 210
    gap = history(on_a, **{"from": stamp(stopped + 10), "to": stamp(resumed - 10), "step": "1s"})
    assert set(gap["rx_packets_per_second"]) == {None}, gap

    watched_until(on_a, resumed + 3)
    on_a.kill()
    on_a.start()
    assert 190 <= packets(on_a, begin, end) <= 210
    # Another name is no other tunnel.
    assert on_a.patch("tun_a", {"name": "tun_c"}).status == 200
    assert 190 <= packets(on_a, begin, end, name="tun_c") <= 210
    problem(on_a.get("/v1/tunnels/tun_a/stats/history"), 404, "tunnel-not-found")


def test_a_file_that_cannot_be_used_costs_history_alone(host, prepared):
    daemon = prepared(host)
    file = daemon.directory / "tunneld.db.history"
    file.write_bytes(b"no database" * 1000)
    daemon.start()
    assert daemon.logged("history begins anew")
    assert daemon.stop() == 0
    assert file.stat().st_mode & 0o077 == 0
    for path in daemon.directory.glob("tunneld.db.history*"):
        path.unlink()
    file.mkdir()
    daemon.start()
    assert daemon.logged("it goes on in memory")
    daemon.create(name="tun_a", remote="172.16.1.62")
    now = time.time()
    watched_until(daemon, now + 3)
    rates = history(daemon, **{"from": stamp(now - 10), "step": "1s"})["rx_packets_per_second"]
    assert 0 in rates, rates
    assert daemon.stop() == 0


@pytest.mark.parametrize("options", [["--history-memory", "0"], ["--history-disk", "0"]], ids=" ".join)
def test_without_a_budget_there_is_no_file(host, prepared, options):
    daemon = prepared(host)
    daemon.command += options
    daemon.start()
    assert not list(daemon.directory.glob("*history*"))
    daemon.create(name="tun_a", remote="172.16.1.62")
    assert history(daemon)["points"] == 900


@pytest.mark.parametrize("value", ["-1", "much", "1048577"])
def test_a_budget_that_cannot_be(host, prepared, value):
    daemon = prepared(host)
    daemon.environment["TUNNELD_HISTORY_DISK"] = value
    said = daemon.failed_start()
    assert value in said and "MiB" in said, said

