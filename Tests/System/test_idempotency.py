"""Idempotency-Key: whatever happens in between, a request that is sent until it is answered is done once."""

import http.client
import random
import threading
import time

from daemon import problem
from writers import assert_consistent

ROUNDS = 15


class Persistent(threading.Thread):
    """Creates tunnels one after another, each with a key; when there is no answer it says which it was at."""

    def __init__(self, daemon, number, round):
        super().__init__(daemon=True)
        self.client = daemon.client()
        self.prefix = f"r{round}w{number}_"
        self.remote = f"172.{16 + number}.{round}"
        self.answered = {}
        self.doubtful = None
        self.fault = None

    def body(self, position):
        return {"name": f"{self.prefix}{position}", "remote": f"{self.remote}.{position + 1}"}

    def run(self):
        try:
            for position in range(200):
                self.doubtful = position
                answer = self.client.post(self.body(position), idempotency_key=f"{self.prefix}{position}")
                assert answer.status == 201 and "idempotent-replayed" not in answer.headers, answer
                self.answered[position] = answer.body
                self.doubtful = None
        except (OSError, http.client.HTTPException):
            pass  # cut off: what the test is about
        except Exception as fault:  # told in the test's own thread
            self.fault = fault
        self.client.close()


def test_retries_across_kill_9(host, prepared):
    daemon = prepared(host).start()
    moment = random.Random(20261123)
    replayed = done = 0
    for round in range(ROUNDS):
        writers = [Persistent(daemon, number, round) for number in range(4)]
        for writer in writers:
            writer.start()
        time.sleep(0.02 + moment.random() * 0.05)
        daemon.kill()
        for writer in writers:
            writer.join(30)
            assert not writer.is_alive() and not writer.fault, writer.fault
        daemon.start()
        for writer in writers:
            # What was answered is answered so again.
            for position, body in list(writer.answered.items())[-3:]:
                again = daemon.post(writer.body(position), idempotency_key=f"{writer.prefix}{position}")
                assert again.status == 201 and again.body == body, again
                assert again.headers["idempotent-replayed"] == "true"
            if writer.doubtful is None:
                continue
            key = f"{writer.prefix}{writer.doubtful}"
            answer = daemon.post(writer.body(writer.doubtful), idempotency_key=key)
            assert answer.status == 201, answer
            was_done = "idempotent-replayed" in answer.headers
            replayed, done = replayed + was_done, done + (not was_done)
            again = daemon.post(writer.body(writer.doubtful), idempotency_key=key)
            assert again.body == answer.body and "idempotent-replayed" in again.headers
        for name in daemon.tunnels():
            assert daemon.delete(name).status == 204
    print(f"of those without an answer {replayed} had been done and {done} hadn't")
    # Nothing was made twice.
    twice = daemon.rows("SELECT tunnel_name FROM event WHERE type = 'created' GROUP BY 1 HAVING count(*) > 1")
    assert twice == []
    assert_consistent(daemon)


def test_many_send_the_same(daemon):
    answers = []

    def send(body):
        client = daemon.client()
        for _ in range(100):
            answer = client.post(body, idempotency_key="the-same")
            if answer.status != 409:
                break
            problem(answer, 409, "idempotency-key-in-use")
            assert answer.headers["retry-after"] == "1"
        answers.append(answer)
        client.close()

    body = {"name": "t1", "remote": "172.17.0.1"}
    threads = [threading.Thread(target=send, args=(body,), daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [answer.status for answer in answers] == [201] * 16, answers
    assert len({answer.body for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    problem(daemon.post({**body, "name": "t2"}, idempotency_key="the-same"), 422, "idempotency-key-reused")
    assert list(daemon.tunnels()) == ["t1"]


def test_a_set_across_kill_9(host, prepared):
    """A set that replaces all tunnels, killed at any moment: its retry is answered as the first was to be."""
    daemon = prepared(host).start()
    moment = random.Random(20261124)
    replayed = done = 0
    took = 0.05
    for round in range(12):
        tunnels = [{"name": f"s{round}_{n}", "remote": f"172.{20 + round}.0.{n + 1}"} for n in range(40)]
        body = {"tunnels": tunnels, "prune": True}
        client, before = daemon.client(), []

        def ask(client=client, body=body, round=round, before=before):
            try:
                before.append(client.request("POST", "/v1/apply", body, idempotency_key=f"set{round}"))
            except (OSError, http.client.HTTPException):
                pass  # cut off: what the test is about

        began = time.monotonic()
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        if round == 0:
            asking.join(30)
            took = time.monotonic() - began
        else:
            time.sleep(moment.random() * took * 1.5)
        daemon.kill()
        asking.join(30)
        assert not asking.is_alive()
        client.close()
        daemon.start()
        events = daemon.rows("SELECT count(*) FROM event WHERE type = 'created'")[0][0]
        answer = daemon.request("POST", "/v1/apply", body, idempotency_key=f"set{round}")
        assert answer.status == 200 and answer.json["counts"]["create"] == 40, answer
        was_done = "idempotent-replayed" in answer.headers
        # All of it had happened, or nothing.
        made = daemon.rows("SELECT count(*) FROM event WHERE type = 'created'")[0][0] - events
        assert made == (0 if was_done else 40)
        if before:
            assert was_done and answer.body == before[0].body
        replayed, done = replayed + was_done, done + (not was_done)
        again = daemon.request("POST", "/v1/apply", body, idempotency_key=f"set{round}")
        assert again.body == answer.body and "idempotent-replayed" in again.headers
        assert set(daemon.tunnels()) == {tunnel["name"] for tunnel in tunnels}
    print(f"{replayed} had been done when the daemon was killed and {done} hadn't")
    twice = daemon.rows("SELECT tunnel_name FROM event WHERE type = 'created' GROUP BY 1 HAVING count(*) > 1")
    assert twice == []
    assert_consistent(daemon)
