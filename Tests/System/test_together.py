"""Many clients at once, and a daemon that ends while they write."""

import http.client
import random
import threading
import time
from contextlib import closing

import pytest
from ends import TUN_A, TUN_B
from writers import Writer, assert_consistent


class Contender(threading.Thread):
    """Writes to the same few tunnels as the others do."""

    def __init__(self, daemon, number, seconds):
        super().__init__(daemon=True)
        self.client = daemon.client()
        self.random = random.Random(number)
        self.deadline = time.monotonic() + seconds
        self.answers = {}
        self.fault = None

    def run(self):
        try:
            while time.monotonic() < self.deadline:
                self.write()
        except Exception as fault:  # told in the test's own thread
            self.fault = fault
        finally:
            self.client.close()

    def write(self):
        number = self.random.randint(0, 4)
        name, ttl = f"same_{number}", self.random.randint(1, 255)
        # Some share endpoints and addresses under different names, too.
        endpoint = self.random.choice([number, number, 7])
        body = {
            "local": "172.16.16.22",
            "remote": f"172.17.0.{endpoint + 1}",
            "ttl": ttl,
            "addresses": [f"10.1.{endpoint}.1/30"],
        }
        what = self.random.choice(["POST", "PUT", "PATCH", "PATCH", "DELETE", "RENAME"])
        if what == "POST":
            answer, expected = self.client.post(body | {"name": name}), {201, 409}
        elif what == "PUT":
            answer, expected = self.client.put(name, body), {200, 201, 409}
        elif what == "PATCH":
            answer, expected = self.client.patch(name, {"ttl": ttl}), {200, 404}
        elif what == "RENAME":
            answer, expected = self.client.patch(name, {"name": f"same_{self.random.randint(0, 4)}"}), {
                200,
                404,
                409,
            }
        else:
            answer, expected = self.client.delete(name), {204, 404}
        assert answer.status in expected, answer
        if answer.status in (200, 201):
            shown = answer.json
            assert answer.headers["etag"] == f'"{shown["revision"]}"', answer
            assert what in ("RENAME",) or (shown["name"], shown["ttl"]) == (name, ttl), answer
            assert shown["status"]["state"] == "up", answer
        if answer.status == 409:
            assert answer.json.get("tunnel", "").startswith("same_"), answer
        self.answers[answer.status] = self.answers.get(answer.status, 0) + 1


def test_eight_clients_on_the_same_names(daemon):
    contenders = [Contender(daemon, number, seconds=5) for number in range(8)]
    for contender in contenders:
        contender.start()
    for contender in contenders:
        contender.join(60)
    faults = [contender.fault for contender in contenders if contender.fault]
    assert not faults, faults
    assert not any(contender.is_alive() for contender in contenders)
    counts = {}
    for contender in contenders:
        for status, count in contender.answers.items():
            counts[status] = counts.get(status, 0) + count
    print("answers by status:", counts)
    assert all(counts.get(status, 0) > 0 for status in (200, 201, 204, 404, 409)), counts
    assert_consistent(daemon)
    daemon.restart()
    assert_consistent(daemon)


def test_of_many_creates_of_one_name_one_wins(daemon):
    answers = []

    def create(number):
        with closing(daemon.client()) as client:
            answers.append(client.post({"name": "one", "remote": f"172.17.0.{number + 1}"}))

    threads = [threading.Thread(target=create, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7, answers
    assert_consistent(daemon)


def test_of_many_patches_with_one_revision_one_wins(daemon):
    daemon.create(**TUN_A)
    answers = []

    def patch(ttl):
        with closing(daemon.client()) as client:
            answers.append((ttl, client.patch("tun_a", {"ttl": ttl}, if_match='"1"')))

    threads = [threading.Thread(target=patch, args=[number + 1]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answer.status for _, answer in answers) == [200] + [412] * 7, answers
    winner = next(ttl for ttl, answer in answers if answer.status == 200)
    assert daemon.tunnel("tun_a")["ttl"] == winner and daemon.tunnel("tun_a")["revision"] == 2
    assert_consistent(daemon)


def test_an_answered_write_is_what_everybody_reads(daemon):
    tunnel = daemon.create(**TUN_A)
    with closing(daemon.client()) as reader:
        for ttl in range(1, 101):
            answer = daemon.patch("tun_a", {"ttl": ttl})
            assert answer.status == 200, answer
            for path in ("/v1/tunnels/tun_a", f"/v1/tunnels/{tunnel['id']}"):
                assert reader.get(path).json == answer.json
            assert reader.get("/v1/tunnels").json["items"] == [answer.json]
            assert daemon.host.kernel.links()["tun_a"].tunnel[2] == ttl


def test_sigterm_under_load_loses_no_answered_write(daemon):
    writers = [Writer(daemon, number) for number in range(4)]
    for round in range(5):
        for writer in writers:
            writer.start()
        time.sleep(0.5)
        assert daemon.stop() == 0, daemon.tail()
        for writer in writers:
            writer.finish()
        daemon.start()
        assert_consistent(daemon)
        for writer in writers:
            writer.check(daemon.tunnels())
        writers = [Writer(daemon, w.number, known=w.known, seed=round + 1) for w in writers]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_loses_no_packet(two_daemons, end):
    on_a, on_b = two_daemons
    on_a.create(**TUN_A, routes=[{"to": "10.20.0.0/16"}])
    on_b.create(**TUN_B)
    with closing(on_a.host.pinger()) as pinger:
        assert pinger.echo("192.168.1.254")
        done = threading.Event()

        def ping():
            while not done.is_set():
                pinger.send("192.168.1.254")
                pinger.receive(0.01)
                time.sleep(0.005)

        pings = threading.Thread(target=ping, daemon=True)
        pings.start()
        link = on_a.host.kernel.links()["tun_a"]
        for _ in range(5):
            getattr(on_a, end)()
            assert on_a.host.kernel.links()["tun_a"] == link
            on_a.start()
        done.set()
        pings.join(10)
        while len(pinger.answered) < pinger.sent and pinger.receive(1):
            pass
    print(f"{pinger.sent} sent, {len(pinger.answered)} answered")
    assert len(pinger.answered) == pinger.sent > 20
    assert on_a.host.kernel.links()["tun_a"] == link


def test_requests_at_the_end_are_answered_or_cut_but_not_wrong(daemon):
    """A daemon that stops closes kept-open connections that are idle."""
    with closing(daemon.client()) as idle:
        assert idle.get("/livez").status == 200
        assert daemon.stop() == 0
        with pytest.raises((OSError, http.client.HTTPException)):
            idle.connection.auto_open = False
            idle.get("/livez")
