"""Changes that go back unless they are confirmed: by themselves, and across a kill -9."""

import random
import time

import pytest
from daemon import Daemon, problem
from ends import INNER_B, TUN_A, TUN_B
from host import until
from writers import assert_consistent, kernel_view

SECOND = 1.0


def apply(daemon, tunnels, within, **more):
    """Applies a set, prunes the rest, and returns the checkpoint."""
    body = {"tunnels": tunnels, "prune": True, "confirm_within_seconds": within} | more
    answer = daemon.request("POST", "/v1/apply", body)
    assert answer.status == 200, answer
    return answer.json["checkpoint"]


def read(daemon, checkpoint):
    answer = daemon.get(f"/v1/checkpoints/{checkpoint['id']}")
    assert answer.status == 200, answer
    return answer.json


def end(daemon, checkpoint, how):
    answer = daemon.request("POST", f"/v1/checkpoints/{checkpoint['id']}/{how}")
    assert answer.status == 200, answer
    return answer.json


def definitions(ttl, count=4, first=0):
    """All of a tunnel follows from its number and the ttl, so that half of a change shows."""
    return [
        {
            "name": f"tun_{number}",
            "local": "172.16.16.22",
            "remote": f"172.17.{number}.{ttl}",
            "ttl": ttl,
            "addresses": [f"10.100.{number}.{ttl}/32"],
            "routes": [{"to": f"10.200.{number}.{ttl}/32", "metric": ttl}],
        }
        for number in range(first, first + count)
    ]


def expected(tunnels):
    """What `kernel_view` shows of them."""
    return {
        t["name"]: (
            t["ttl"],
            t["remote"],
            True,
            set(t["addresses"]),
            {(r["to"], r["metric"]) for r in t["routes"]},
        )
        for t in tunnels
    }


def back_within(daemon, state, began, seconds):
    """Waits for the kernel to be as it was; fails where it takes longer than the time and a second."""
    left = began + seconds + SECOND - time.monotonic()
    until(lambda: kernel_view(daemon.host.kernel) == state, left, f"back within {seconds} s and one")


def test_what_is_not_confirmed_goes_back(daemon):
    old, new = definitions(ttl=10), definitions(ttl=20, first=2)
    daemon.request("POST", "/v1/apply", {"tunnels": old})
    before, state = daemon.tunnels(), kernel_view(daemon.host.kernel)
    assert state == expected(old)
    checkpoint = apply(daemon, new, 1)
    began = time.monotonic()
    assert kernel_view(daemon.host.kernel) == expected(new)
    assert checkpoint["state"] == "pending" and checkpoint["tunnels"] == 6
    refused = problem(daemon.delete("tun_2"), 409, "checkpoint-pending")
    assert (refused["checkpoint"], refused["deadline"]) == (checkpoint["id"], checkpoint["deadline"])
    back_within(daemon, state, began, 1)
    assert time.monotonic() >= began + 0.9, "not before its time"
    ended = until(lambda: read(daemon, checkpoint)["state"] == "reverted" and read(daemon, checkpoint), 1)
    assert ended["ended_by"] == "deadline" and ended["failures"] == []
    after = daemon.tunnels()
    assert {n: (t["id"], t["created_at"], t["ttl"]) for n, t in after.items()} == {
        n: (t["id"], t["created_at"], t["ttl"]) for n, t in before.items()
    }
    # Two were deleted and came back, two were changed and changed back.
    assert [after[f"tun_{n}"]["revision"] for n in range(4)] == [2, 2, 3, 3]
    assert all(t["status"]["drift"] == [] for t in after.values())
    assert_consistent(daemon)
    assert daemon.delete("tun_2").status == 204


def test_what_is_confirmed_stays(daemon):
    new = definitions(ttl=20)
    checkpoint = apply(daemon, new, 1)
    assert end(daemon, checkpoint, "confirm")["state"] == "confirmed"
    # A second change whose time is over later says that the first one's is.
    second = apply(daemon, definitions(ttl=30), 1)
    until(lambda: read(daemon, second)["state"] == "reverted", 3, "the second goes back")
    assert kernel_view(daemon.host.kernel) == expected(new)
    assert [c["state"] for c in daemon.get("/v1/checkpoints").json["items"]] == ["reverted", "confirmed"]
    assert_consistent(daemon)


def test_it_goes_back_though_the_daemon_was_killed(daemon):
    old, new = definitions(ttl=10), definitions(ttl=20, first=2)
    assert daemon.request("POST", "/v1/apply", {"tunnels": old}).status == 200
    state = kernel_view(daemon.host.kernel)
    # Started again in time.
    checkpoint = apply(daemon, new, 2)
    began = time.monotonic()
    daemon.kill()
    daemon.start()
    assert read(daemon, checkpoint)["state"] == "pending" and kernel_view(daemon.host.kernel) == expected(new)
    problem(daemon.delete("tun_2"), 409, "checkpoint-pending")
    back_within(daemon, state, began, 2)
    until(lambda: read(daemon, checkpoint)["state"] == "reverted", 1, "it says so")
    assert_consistent(daemon)
    # Started again when the time was over: it is back when the daemon answers.
    checkpoint = apply(daemon, new, 1)
    began = time.monotonic()
    daemon.kill()
    until(lambda: time.monotonic() > began + 1.1, 2)
    assert kernel_view(daemon.host.kernel) == expected(new)
    daemon.start()
    assert kernel_view(daemon.host.kernel) == state
    assert read(daemon, checkpoint)["ended_by"] == "deadline"
    assert_consistent(daemon)


def test_it_goes_back_after_a_reboot(daemon):
    old, new = definitions(ttl=10), definitions(ttl=20)
    assert daemon.request("POST", "/v1/apply", {"tunnels": old}).status == 200
    checkpoint = apply(daemon, new, 1)
    began = time.monotonic()
    daemon.kill()
    daemon.host.ip(*(f"link del {name}" for name in kernel_view(daemon.host.kernel)))
    until(lambda: time.monotonic() > began + 1.1, 2)
    with daemon.host.watch() as count:
        daemon.start()
        assert count() > 0
    assert kernel_view(daemon.host.kernel) == expected(old)
    assert read(daemon, checkpoint)["state"] == "reverted"
    assert_consistent(daemon)


def test_a_link_of_somebody_elses_stands_in_the_way_of_a_revert(daemon):
    old = definitions(ttl=10, count=2)
    assert daemon.request("POST", "/v1/apply", {"tunnels": old}).status == 200
    checkpoint = apply(daemon, old[1:], 60)
    daemon.host.ip("link add tun_0 type ifb")
    reverted = end(daemon, checkpoint, "revert")
    assert [f["tunnel"] for f in reverted["failures"]] == ["tun_0"]
    assert reverted["failures"][0]["problem"]["type"] == "/problems/name-taken"
    assert daemon.tunnel("tun_0")["status"]["state"] == "failed"
    assert daemon.rows("SELECT name FROM tunnel ORDER BY name") == [("tun_0",), ("tun_1",)]
    daemon.host.ip("link del tun_0")
    until(lambda: kernel_view(daemon.host.kernel) == expected(old), 10, "tun_0 is back")


@pytest.mark.packets
def test_an_answer_through_the_tunnel_confirms(two_daemons):
    on_a, on_b = two_daemons
    on_b.create(**TUN_B)
    probe = {"answers": INNER_B, "through": "tun_a"}
    checkpoint = apply(on_a, [TUN_A], 10, confirm_when=probe)
    assert checkpoint["confirm_when"] == probe
    ended = until(lambda: read(on_a, checkpoint)["ended_at"] and read(on_a, checkpoint), 5, "an answer")
    assert (ended["state"], ended["ended_by"]) == ("confirmed", "probe")
    assert on_a.patch("tun_a", {"comment": "stays"}).status == 200


@pytest.mark.packets
def test_an_answer_that_comes_late_confirms_too(two_daemons):
    on_a, on_b = two_daemons
    checkpoint = apply(on_a, [TUN_A], 10, confirm_when={"answers": INNER_B, "through": "tun_a"})
    assert read(on_a, checkpoint)["state"] == "pending"
    on_b.create(**TUN_B)
    until(lambda: read(on_a, checkpoint)["state"] == "confirmed", 5, "an answer")


@pytest.mark.packets
def test_without_an_answer_through_the_tunnel_it_goes_back(two_daemons):
    on_a, on_b = two_daemons
    # The address answers by the underlay, and that doesn't count.
    on_b.host.ip(f"address add {INNER_B}/32 dev lo")
    on_a.host.ip(f"route add {INNER_B}/32 via 172.16.1.62")
    assert on_a.host.ping(INNER_B, 1) == 1
    checkpoint = apply(on_a, [TUN_A], 2, confirm_when={"answers": INNER_B, "through": "tun_a"})
    began = time.monotonic()
    until(lambda: "tun_a" not in on_a.host.kernel.links(), 3, "back")
    assert 1.9 <= time.monotonic() - began <= 3
    until(lambda: read(on_a, checkpoint)["ended_by"] == "deadline", 1, "it says so")
    assert on_a.get("/v1/tunnels").json["items"] == []


def test_killed_in_the_middle_of_a_revert(daemon):
    moment = random.Random(20261123)
    old = definitions(ttl=10, count=24)
    new = definitions(ttl=20, count=24, first=12)
    assert daemon.request("POST", "/v1/apply", {"tunnels": old}).status == 200
    checkpoint = apply(daemon, new, 3600)
    began = time.monotonic()
    end(daemon, checkpoint, "revert")
    took = time.monotonic() - began
    seen = {"pending": 0, "reverted": 0}
    for _ in range(50 if Daemon.kind == "bpf" else 20):
        checkpoint = apply(daemon, new, 3600)
        client = daemon.client()
        client.connection.request("POST", f"/v1/checkpoints/{checkpoint['id']}/revert")
        time.sleep(moment.random() * took * 1.5)
        daemon.kill()
        client.close()
        daemon.start()
        state = read(daemon, checkpoint)["state"]
        seen[state] += 1
        wanted = {"pending": new, "reverted": old}[state]
        assert kernel_view(daemon.host.kernel) == expected(wanted), state
        assert_consistent(daemon)
        if state == "pending":
            assert end(daemon, checkpoint, "revert")["state"] == "reverted"
        assert kernel_view(daemon.host.kernel) == expected(old)
    print(
        f"a revert takes {took * 1000:.0f} ms; killed before the commit {seen['pending']} times, after it {seen['reverted']}"
    )
    assert min(seen.values()) > 0, f"each at the same side of the commit: {seen}"
    assert daemon.rows("PRAGMA integrity_check") == [("ok",)]
