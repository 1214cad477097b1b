"""What statistics cost: a sample of many tunnels against the raw dump, answers to pollers against plain C that serves the
same bytes, and what a poller more costs the sampler."""

import http.client
import json
import statistics
import time
from pathlib import Path

from harness import BIN, ROOT, ROUNDS, output, plain_httpd, requests_per_second, running, values
from sets import Sets, tunnels

POLLING_SECONDS = 8
PAUSE_MILLISECONDS = 100


def taken(daemon):
    """The seconds that all samples took, and how many they are."""
    return [daemon.metric(f"tunneld_sample_duration_seconds_{part}") for part in ("sum", "count")]


def get(daemon, path):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer {daemon.token()}"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {body[:1000].decode()}")
    return body, answer.getheaders()


def sample_and_dump(daemon, path, rounds, times):
    """The microseconds that a sample takes while somebody asks for the counters of this moment over and over, without the
    answer, and the raw dump's: means of many, in turns, and the medians of those."""
    authorization = f"Authorization: Bearer {daemon.token()}"
    ours, raw, before = [], [], taken(daemon)
    for _ in range(rounds):
        values(BIN / "http_client", "-H", authorization, daemon.port, "GET", f"{path}?fresh=true", times)
        now = taken(daemon)
        seconds, samples = (later - earlier for later, earlier in zip(now, before))
        ours.append(1e6 * seconds / samples)
        before = now
        raw.append(values(BIN / "netlink_raw", "dump-stats", times)["us_each"])
    return [statistics.median(ours), statistics.median(raw)]


def measure_samples(tunneld, folder, count=5000):
    """On a kernel with ipip."""
    with running(tunneld, folder) as daemon:
        Sets(daemon).apply(tunnels(count))
        return {"sample_5000": sample_and_dump(daemon, "/v1/tunnels/t1/stats", rounds=7, times=200)}


def measure_polling(daemon, folder, count):
    """Any kernel: as many tunnels are in place."""
    body, headers = get(daemon, "/v1/stats")
    if len(json.loads(body)["items"]) != count:
        raise SystemExit(f"there are no statistics of {count} tunnels")
    page = Path(folder) / "stats"
    page.write_bytes(body)
    own = ("date", "content-length", "connection")
    same = [f"{name}: {value}" for name, value in headers if name.lower() not in own]
    token = daemon.token()
    with plain_httpd(2, page, same) as port:
        requests_per_second(daemon.port, "/v1/stats", token)  # warms up
        pairs = [(requests_per_second(daemon.port, "/v1/stats", token), requests_per_second(port, "/v1/stats", token))
                 for _ in range(ROUNDS)]
    polled = [statistics.median(side) for side in zip(*pairs)]
    pollers = [(sampler_load(daemon, token, 64), sampler_load(daemon, token, 32)) for _ in range(ROUNDS)]
    return {"stats_polled": polled, "pollers": [statistics.median(side) for side in zip(*pollers)]}


def sampler_load(daemon, token, connections):
    """The microseconds that samples take in a second while so many poll the statistics of one tunnel."""
    requests = connections * POLLING_SECONDS * 1000 // PAUSE_MILLISECONDS
    begun, before = time.monotonic(), daemon.metric("tunneld_sample_duration_seconds_sum")
    values(BIN / "http_client", "-H", f"Authorization: Bearer {token}", "-c", connections, "-m", PAUSE_MILLISECONDS,
           daemon.port, "GET", "/v1/tunnels/t1/stats", requests)
    spent = daemon.metric("tunneld_sample_duration_seconds_sum") - before
    return 1e6 * spent / (time.monotonic() - begun)


def measure_history():
    """The mebibytes by which a full history of 10,000 tunnels makes a process grow."""
    return {"memory_10000": [json.loads(output(ROOT / ".build/release/measure-history"))["resident_bytes"] / 2**20, 1]}
