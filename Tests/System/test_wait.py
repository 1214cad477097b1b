"""Waiting for a tunnel, as a shell does it."""

import subprocess
import threading
import time
from pathlib import Path

from daemon import metric, problem
from host import until


def wait(daemon, query, *options, name="t1"):
    return subprocess.Popen(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %header{wait-outcome}", *options]
        + ["--unix-socket", daemon.socket, f"http://localhost/v1/tunnels/{name}?{query}"],
        stdout=subprocess.PIPE, text=True,
    )


def waiting(daemon, count):
    until(lambda: metric(daemon, "tunneld_http_deferred_answers") == [count], 10, f"{count} who wait")


def test_a_shell_waits(daemon):
    up = wait(daemon, "wait=30s&until=state:up")
    late = wait(daemon, "wait=1s&until=state:up", name="t2")
    waiting(daemon, 2)
    daemon.create(name="t1", remote="172.17.0.1")
    assert up.communicate(timeout=5)[0] == "200 reached"
    down = wait(daemon, "wait=30s&until=state:down&until=absent")
    assert daemon.patch("t1", {"enabled": False}).status == 200
    assert down.communicate(timeout=5)[0] == "200 reached"
    gone = wait(daemon, "wait=30s&until=absent")
    begin = time.monotonic()
    assert daemon.delete("t1").status == 204
    assert gone.communicate(timeout=5)[0] == "204 reached"
    assert time.monotonic() - begin < 1
    assert late.communicate(timeout=5)[0] == "404 timeout"


def test_200_who_wait_cost_no_thread_and_leave_nothing(daemon):
    daemon.create(name="t1", remote="172.17.0.1")

    def threads():
        return len(list(Path(f"/proc/{daemon.process.pid}/task").iterdir()))

    before = threads()
    clients = [daemon.client() for _ in range(200)]
    for client in clients:
        client.connection.request("GET", "/v1/tunnels/t1?wait=300s&until=revision:2")
    waiting(daemon, 200)
    assert threads() <= before + 6
    for client in clients[:100]:
        client.close()
    waiting(daemon, 100)
    assert daemon.patch("t1", {"comment": "x"}).status == 200
    for client in clients[100:]:
        answer = client.connection.getresponse()
        assert answer.status == 200 and answer.headers["wait-outcome"] == "reached"
        answer.read()
        client.close()
    waiting(daemon, 0)


def test_none_who_waits_misses_a_change(daemon):
    """Each waits for what comes after what it has seen; the writer never pauses."""
    daemon.create(name="t1", remote="172.17.0.1")
    faults, last = [], 150

    def follow():
        client, seen = daemon.client(), 1
        try:
            while seen < last:
                answer = client.get(f"/v1/tunnels/t1?wait=20s&until=revision:{seen + 1}")
                assert answer.status == 200 and answer.json["revision"] > seen, answer
                seen = answer.json["revision"]
        except Exception as fault:  # told below
            faults.append(fault)
        client.close()

    followers = [threading.Thread(target=follow, daemon=True) for _ in range(8)]
    for follower in followers:
        follower.start()
    for number in range(2, last + 1):
        assert daemon.patch("t1", {"comment": str(number)}).json["revision"] == number
    for follower in followers:
        follower.join(30)
    assert not faults and not any(follower.is_alive() for follower in followers), faults


def test_a_stop_does_not_wait_for_who_waits(daemon):
    client = daemon.client()
    client.connection.request("GET", "/v1/tunnels/t1?wait=300s&until=state:up")
    waiting(daemon, 1)
    begin = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begin < 3
    answer = client.connection.getresponse()
    assert answer.status == 503 and answer.headers["retry-after"] == "1"
    client.close()


def test_a_state_that_others_make_is_waited_for(daemon):
    """A link that somebody deletes is made again: its revision stays, its status doesn't."""
    tunnel = daemon.create(name="t1", remote="172.17.0.1")
    client = daemon.client()
    client.connection.request("GET", "/v1/tunnels/t1?wait=20s")
    waiting(daemon, 1)
    daemon.host.ip("link delete t1")
    answer = client.connection.getresponse()
    assert answer.status == 200 and answer.headers["etag"] == '"1"'
    answer.read()
    client.close()
    again = daemon.get("/v1/tunnels/t1?wait=20s&until=state:up").json
    assert again["status"]["ifindex"] != tunnel["status"]["ifindex"] or again["status"]["drift"]
    problem(daemon.get("/v1/tunnels/t2?wait=20s"), 404, "tunnel-not-found")
