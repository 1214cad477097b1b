"""kill -9 under a stream of writes, fifty times: never half-done."""

import random
import time

from host import until
from writers import Writer, api_view, assert_consistent, kernel_view

ROUNDS = 50


def test_killed_at_any_moment(host, prepared):
    host.add_somebodys_tunnel("others1", "172.16.9.9")
    host.ip(
        "link add others0 type ifb",
        "address add 10.99.0.1/24 dev others1",
        "link set others1 up",
        "route add 10.98.0.0/16 dev others1 metric 9",
    )
    others = host.kernel.state()
    daemon = prepared(host).start()
    moment = random.Random(20261122)
    writers = [Writer(daemon, number) for number in range(4)]
    acknowledged = doubtful = 0
    begin = time.monotonic()
    for round in range(ROUNDS):
        writers = [Writer(daemon, w.number, known=w.known, seed=round) for w in writers]
        for writer in writers:
            writer.start()
        # After so many answers and a little: in one round a transaction's middle, in another its end.
        target = moment.randint(1, 60)
        until(lambda: sum(w.acknowledged for w in writers) >= target, 20, f"{target} writes")
        time.sleep(moment.random() * 0.004)
        daemon.kill()
        for writer in writers:
            writer.finish()
        acknowledged += sum(w.acknowledged for w in writers)
        doubtful += sum(w.doubtful is not None for w in writers)

        daemon.start()
        until(lambda: kernel_view(host.kernel) == api_view(daemon), 2, "the kernel is equal to the database")
        found = daemon.tunnels()
        for writer in writers:
            writer.check(found)
        assert set(found) <= {name for w in writers for name in w.names}
    print(f"{acknowledged} acknowledged, {doubtful} without an answer, {time.monotonic() - begin:.1f} s")
    print(f"starts that found a link too many: {len(daemon.logged('link removed'))}")
    assert_consistent(daemon)
    for name in daemon.tunnels():
        assert daemon.delete(name).status == 204
    assert host.kernel.state() == others
    assert daemon.rows("PRAGMA integrity_check") == [("ok",)]
