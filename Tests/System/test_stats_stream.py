"""Streams of samples: many readers cost one encoding, and memory stays what it is."""

import time
from pathlib import Path

import pytest
from conftest import started_daemon
from daemon import metric
from host import until
from samples import ManyStreams, Pollers, SampleStream, connect
from writers import create_all

STREAMS = 500
POLLERS = 50
TUNNELS = 1000
SECONDS = 60


def resident(daemon):
    """Bytes."""
    lines = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) << 10


def definition(number):
    return {
        "name": f"t{number:04}",
        "remote": f"172.17.{number // 250}.{number % 250 + 1}",
        "labels": {"rack": str(number % 10)},
    }


def test_a_stream_follows_the_tunnels(daemon):
    daemon.create(name="tun_a", remote="172.16.1.62", labels={"site": "a"})
    every, some = SampleStream(daemon), SampleStream(daemon, "?label=site:a&tunnel=tun_b&tunnel=tun_a", compressed=False)

    def names(stream):
        samples = stream.newest()
        return [item["name"] for item in samples[-1]["items"]] if samples else None

    until(lambda: names(every) == ["tun_a"], 10, "the first sample")
    until(lambda: names(some) == ["tun_a"], 10, "the first sample")
    daemon.create(name="tun_b", remote="172.16.1.63", labels={"site": "a"})
    daemon.create(name="tun_c", remote="172.16.1.64")
    until(lambda: names(every) == ["tun_a", "tun_b", "tun_c"], 10, "all three")
    until(lambda: names(some) == ["tun_a", "tun_b"], 10, "those selected")
    assert daemon.delete("tun_a").status == 204
    until(lambda: names(some) == ["tun_b"], 10, "what is left")
    every.close()
    some.close()
    until(lambda: metric(daemon, "tunneld_http_open_streams") == [0], 10, "nobody listens any more")


@pytest.mark.thousand
def test_many_streams_and_pollers(host):
    """Each gets its samples, memory stays flat, and writes are answered."""
    with started_daemon(host) as daemon:
        create_all(daemon, map(definition, range(TUNNELS)))
        streams, pollers = ManyStreams(daemon, STREAMS), Pollers(daemon, POLLERS)
        idle = [connect(daemon) for _ in range(5)]
        streams.start()
        pollers.start()
        until(lambda: all(streams.seen.values()), 30, "each has its first sample")
        begin, sizes, writes = time.monotonic(), [], []
        while (now := time.monotonic()) < begin + SECONDS:
            answer = daemon.patch("t0500", {"comment": str(now)})
            assert answer.status == 200, answer
            writes.append(time.monotonic() - now)
            sizes.append(resident(daemon))
            time.sleep(0.5)
        samples = [len(numbers) for numbers in streams.seen.values()]
        streams.finish()
        pollers.finish()
        for client in idle:
            client.close()
        print(
            f"samples of a stream {min(samples)} to {max(samples)}, {streams.bytes >> 20} MiB in all; "
            f"answers to a poller {min(pollers.answers)} to {max(pollers.answers)}; {len(writes)} writes, the slowest "
            f"{max(writes) * 1000:.0f} ms; resident {sizes[4] >> 20}, {max(sizes) >> 20}, {sizes[-1] >> 20} MiB"
        )
        for numbers in streams.seen.values():
            assert numbers == sorted(set(numbers))
            assert len(numbers) > SECONDS / 4
        assert min(pollers.answers) > SECONDS / 10
        # Of the second half, when all that is kept for the minute is there.
        half = sizes[len(sizes) // 2 :]
        assert max(half) - min(half) < 24 << 20
        assert max(sizes) < 256 << 20
