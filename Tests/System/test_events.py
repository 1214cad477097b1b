"""Events: none lost, none twice, whoever reads them and however slowly."""

import random
import resource
import time
from pathlib import Path

from daemon import Daemon, metric, problem
from events import Changes, Curl, Stream, change, change_set, connected, read_events, stored_ids
from host import until


def status(daemon, name):
    lines = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)[name].split()[0])


def test_a_watcher_killed_over_and_over(daemon):
    kills = 200 if Daemon.kind == "bpf" else 50
    moment = random.Random(4)
    stream = Stream()
    curl = Curl(daemon, stream)
    until(lambda: curl.read() and stream.last_id == "0", 10, "the stream's beginning")
    writers = [Changes(daemon, number) for number in range(4)]
    for writer in writers:
        writer.start()
    for _ in range(kills):
        target = len(stream.ids) + moment.randint(0, 10)
        while len(stream.ids) < target:
            assert curl.read(), "the stream ended"
        # In the middle of whatever is on its way.
        time.sleep(moment.random() * 0.01)
        curl.kill()
        curl = Curl(daemon, stream)
    for writer in writers:
        writer.stopping.set()
        writer.finish()
    ids = stored_ids(daemon)
    while stream.ids[-1:] != ids[-1:]:
        assert curl.read(), "the stream ended"
    curl.kill()
    assert stream.ids == ids
    assert len(ids) == 4 + sum(writer.done for writer in writers)
    print(f"{len(ids)} events")


def test_a_daemon_killed_under_its_watcher(host, prepared):
    """The watcher comes again, to the next daemon."""
    daemon = prepared(host).start()
    stream = Stream()
    for round in range(5):
        curl = Curl(daemon, stream, "?after=0")
        assert curl.read(), "the stream's beginning"
        writers = [Changes(daemon, 10 * round + number) for number in range(3)]
        for writer in writers:
            writer.start()
        until(lambda: sum(writer.done for writer in writers) > 20, 20, "writes")
        daemon.kill()
        while curl.read():
            pass
        curl.kill()
        daemon.start()
    curl = Curl(daemon, stream)
    ids = stored_ids(daemon)
    while stream.ids[-1:] != ids[-1:]:
        assert curl.read(), "the stream ended"
    curl.kill()
    assert stream.ids == ids


def test_a_stop_ends_streams_and_they_go_on_afterwards(host, prepared):
    daemon = prepared(host).start()
    stream = Stream()
    client = connected(daemon)
    change(daemon, 2, clients=2)
    read_events(client, stream, 6)
    begin = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begin < 3
    assert client.recv(1000) == b""
    daemon.start()
    answer = daemon.get("/v1/events?after=4").json
    assert [event["id"] for event in answer["items"]][:2] == [5, 6]


def test_who_does_not_read_gets_all_later(daemon):
    change(daemon, 20)
    first = stored_ids(daemon)[-1]
    before = status(daemon, "VmRSS")
    slow = connected(daemon, receive_buffer=4096)
    selecting = connected(daemon, "?label=half:1&type=updated&type=deleted", receive_buffer=4096)
    quick, stream = connected(daemon), Stream()
    read_id = lambda: stream.feed(quick.recv(1 << 16)) or stream.last_id  # noqa: E731
    until(read_id, 5, "the stream's beginning")
    for name in daemon.tunnels():
        assert daemon.delete(name).status == 204
    begin = time.monotonic()
    # In sets, since who reads nothing for 30 s is cut off.
    for number in range(11):
        change_set(daemon, 500, str(number))
    print(f"5500 events in {time.monotonic() - begin:.1f} s")
    ids = stored_ids(daemon, f"id > {first}")
    assert len(ids) > 5500
    read_events(quick, stream, ids[-1])
    grown = status(daemon, "VmRSS") - before
    assert stream.ids == ids
    late = Stream()
    read_events(slow, late, ids[-1])
    assert late.ids == ids
    wanted = stored_ids(daemon, f"id > {first} AND type <> 'created' AND labels LIKE '%\"half\":\"1\"%'")
    chosen = Stream()
    read_events(selecting, chosen, wanted[-1])
    assert chosen.ids == wanted
    # The ring of the newest events is 4,096 times some 600 bytes.
    print(f"grown by {grown} KiB, and to {status(daemon, 'VmRSS') - before} KiB when all had read")
    assert grown < 16 << 10


def test_500_who_wait_cost_no_thread(daemon):
    change(daemon, 1)
    first = stored_ids(daemon)[-1]
    threads, memory = status(daemon, "Threads"), status(daemon, "VmRSS")
    clients = [connected(daemon) for _ in range(500)]
    streams = [Stream() for _ in clients]
    for client, stream in zip(clients, streams, strict=True):
        while stream.last_id is None:
            stream.feed(client.recv(4096))
    grown = status(daemon, "VmRSS") - memory
    print(f"{grown / 500:.0f} KiB for each")
    # The queues have some for all, however many wait.
    assert status(daemon, "Threads") <= threads + 6
    assert grown < 500 * 64
    assert daemon.patch("t0", {"comment": "x"}).status == 200
    for client, stream in zip(clients, streams, strict=True):
        read_events(client, stream, first + 1)
        assert stream.ids == [first + 1]
        client.close()
    until(lambda: metric(daemon, "tunneld_http_open_streams") == [0], 10, "streams closed")
    answer = daemon.get("/v1/events?order=desc&limit=1")
    assert answer.json["items"][0]["id"] == first + 1


def test_as_many_as_may_and_no_more(host, prepared):
    # As most systems start a service.
    daemon = prepared(host, prefix=["prlimit", "--nofile=1024:"]).start()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))
    clients = [connected(daemon) for _ in range(1000)]
    for client in clients:
        assert client.recv(12) == b"HTTP/1.1 200"
    refused = problem(daemon.get("/v1/events", accept="text/event-stream"), 503, "overloaded")
    assert "streams" in refused["detail"]
    # Nobody else is kept out by them.
    daemon.create(name="t1", remote="172.17.0.1")
    assert daemon.get("/v1/events").json["items"][0]["type"] == "created"
    for client in clients:
        stream = Stream()
        read_events(client, stream, 1)
        client.close()
    until(lambda: metric(daemon, "tunneld_http_open_streams") == [0], 10, "streams closed")
    client = connected(daemon)
    assert client.recv(12) == b"HTTP/1.1 200"
    client.close()


def test_what_the_command_line_does_is_told(daemon):
    client, stream = connected(daemon), Stream()
    until(lambda: stream.feed(client.recv(4096)) or stream.last_id, 5, "the stream's beginning")
    daemon.run("token", "create", "--scope", "read")
    read_events(client, stream, 1)
    assert stream.events[0]["actor"] == "command line" and stream.events[0]["token_id"] == 1


def test_a_revoked_tokens_stream_ends(host, prepared):
    daemon = prepared(host, tcp=True).start()
    token = daemon.run("token", "create", "--scope", "read").stdout.strip()
    client = daemon.tcp_client(token)
    client.connection.request(
        "GET", "/v1/events", headers=client.headers | {"accept": "text/event-stream"}
    )
    answer = client.connection.getresponse()
    assert answer.status == 200 and answer.readline() == b"retry: 1000\n"
    begin = time.monotonic()
    assert daemon.run("token", "revoke", "1").returncode == 0
    answer.read()
    assert time.monotonic() - begin < 3
    client.close()
    problem(daemon.tcp_client(token).get("/v1/events"), 401, "unauthenticated")


def test_what_is_pruned_is_said(daemon):
    daemon.create(name="t1", remote="172.17.0.1")
    gone = problem(daemon.get("/v1/events?after=2"), 410, "events-gone")
    assert "oldest_event" not in gone
    assert daemon.get("/v1/events?after=1").json == {"items": [], "next_cursor": None}
