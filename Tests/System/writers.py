"""Clients that write at the same time, and what they know afterwards."""

import http.client
import random
import threading

from daemon import problem


class Writer(threading.Thread):
    """Creates, changes and deletes tunnels of its own over one connection, until told to stop or cut off.

    `known` holds what was acknowledged: name → ttl, or None where there is no tunnel. `doubtful` is the one
    write that had no answer: it may have happened or not.
    """

    def __init__(self, daemon, number, known=None, seed=0, names=6):
        super().__init__(daemon=True)
        self.client = daemon.client()
        self.number = number
        self.names = [f"w{number}_{n}" for n in range(names)]
        self.known = dict.fromkeys(self.names) | (known or {})
        self.doubtful = None
        self.acknowledged = 0
        self.fault = None
        self.random = random.Random(f"{seed}/{number}")
        self.stopping = threading.Event()

    def definition(self, name, ttl):
        """All of it follows from the ttl, so that a change is several steps in the kernel, and half of one shows."""
        number = self.names.index(name)
        return {
            "name": name,
            "local": "172.16.16.22",
            "remote": f"172.{17 + self.number}.{number}.{ttl}",
            "ttl": ttl,
            "addresses": [f"10.{100 + self.number}.{number}.{ttl}/32"],
            "routes": [{"to": f"10.{200 + self.number}.{number}.{ttl}/32", "metric": ttl}],
        }

    def run(self):
        try:
            while not self.stopping.is_set():
                self.write()
        except (OSError, http.client.HTTPException):
            pass  # cut off: what the test is about
        except Exception as fault:  # told in the test's own thread
            self.fault = fault
        finally:
            self.client.close()

    def write(self):
        name, ttl = self.random.choice(self.names), self.random.randint(1, 254)
        present = self.known[name] is not None
        delete = present and self.random.random() < 0.3
        self.doubtful = (name, None if delete else ttl)
        if delete:
            answer, expected = self.client.delete(name), 204
        elif present:
            answer, expected = self.client.patch(name, self.definition(name, ttl)), 200
        else:
            answer, expected = self.client.post(self.definition(name, ttl)), 201
        if answer.status == 503:
            problem(answer, 503, "stopping")
            self.doubtful = None
            self.stopping.set()
            return
        assert answer.status == expected, answer
        self.known[name] = self.doubtful[1]
        self.doubtful = None
        self.acknowledged += 1

    def stop(self):
        self.stopping.set()
        self.finish()

    def finish(self):
        self.join(30)
        assert not self.is_alive(), "a writer hangs"
        if self.fault:
            raise self.fault

    def check(self, tunnels):
        """That the API's tunnels, by name, have every acknowledged write, and no half of one."""
        for name in self.names:
            possible = [self.known[name]]
            if self.doubtful and self.doubtful[0] == name:
                possible.append(self.doubtful[1])
            tunnel = tunnels.get(name)
            ttl = tunnel and tunnel["ttl"]
            assert ttl in possible, f"{name} has ttl {ttl}, but {possible} was acknowledged"
            assert ttl is None or tunnel | self.definition(name, ttl) == tunnel, tunnel
            self.known[name] = ttl
        self.doubtful = None


def create_all(daemon, definitions, clients=8):
    """Creates tunnels, several at a time."""
    # The iterator's next is one step of the interpreter: none is given twice.
    definitions, faults = iter(list(definitions)), []

    def create():
        client = daemon.client()
        try:
            for definition in definitions:
                client.create(**definition)
        except Exception as fault:  # told below
            faults.append(fault)
        client.close()

    threads = [threading.Thread(target=create, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults, faults[:3]


OUR_GROUPS = range(0x74750000, 0x74760000)


def kernel_view(kernel):
    """Our links as name → (ttl, remote, up, addresses, routes), whoever made them."""
    addresses, routes = {}, {}
    for address in kernel.addresses():
        addresses.setdefault(address.index, set()).add(f"{address.local}/{address.length}")
    for route in kernel.routes():
        if route.protocol == 116:
            routes.setdefault(route.index, set()).add((route.to, route.metric))
    return {
        name: (
            # Nothing, where the programs don't know a new device yet.
            *link.tunnel[2:0:-1],
            link.is_up,
            addresses.get(link.index, set()),
            routes.get(link.index, set()),
        )
        for name, link in kernel.links().items()
        if link.group in OUR_GROUPS or link.alias.startswith("tunneld:")
    }


def api_view(daemon):
    """The same, of what the API shows."""
    return {
        name: (
            tunnel["ttl"] if tunnel["ttl"] != "inherit" else 0,
            tunnel["remote"],
            tunnel["enabled"],
            set(tunnel["addresses"]),
            {(route["to"], route["metric"]) for route in tunnel["routes"]},
        )
        for name, tunnel in daemon.tunnels().items()
    }


def stored_view(daemon):
    """name → (ttl, revision) in the database's file."""
    return {
        name: (ttl or 0, revision)
        for name, ttl, revision in daemon.rows("SELECT name, ttl, revision FROM tunnel")
    }


def assert_consistent(daemon):
    """API, kernel and database say the same."""
    shown = api_view(daemon)
    assert kernel_view(daemon.host.kernel) == shown
    revisions = {name: tunnel["revision"] for name, tunnel in daemon.tunnels().items()}
    assert stored_view(daemon) == {name: (shown[name][0], revisions[name]) for name in shown}
