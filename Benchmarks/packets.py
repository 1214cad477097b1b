"""What packets pay on their way through a tunnel made of programs, against plain veth and vxlan in the same run. Each
pair of hosts is two network namespaces joined by a veth pair: one pair has a daemon in each and the tunnel, one has
none, so that veth is plain. Run as root, in a mount namespace of its own."""

import http.client
import json
import socket
import statistics
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

A, B = "172.16.16.22", "172.16.1.62"
SECONDS, ROUNDS, PINGS = 2, 9, 400
TUNNEL = ("tunnel", "10.2.0.2")
# name: the pair of hosts, and the address by which its second is reached
WAYS = {"veth": ("plain", B), "vxlan": ("plain", "10.1.0.2"), "tunnel": TUNNEL, "beside": ("tunnel", B)}


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))[:300]}: {done.stderr or done.stdout}")
    return done.stdout


def inside(host, *command):
    return run("ip", "netns", "exec", host, *command)


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


class Host:
    """A network namespace with a daemon in it."""

    def __init__(self, name, tunneld, folder):
        self.name, self.socket = name, str(Path(folder) / f"{name}.sock")
        self.process = None
        self.command = ["ip", "netns", "exec", name, tunneld, "serve", "--database", Path(folder) / f"{name}.db",
                        "--listen", f"unix:{self.socket}", "--data-plane", "bpf", "--log-level", "warning"]

    def start(self):
        self.process = subprocess.Popen([str(word) for word in self.command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL)
        for _ in range(1000):
            if self.process.poll() is not None:
                break
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.01)
        raise SystemExit(f"it doesn't get ready: {' '.join(map(str, self.command))}")

    def ask(self, method, path, body=None):
        connection = UnixConnection(self.socket, timeout=30)
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def create(self, name, local, remote, address):
        status, answer = self.ask("POST", "/v1/tunnels", {"name": name, "local": local, "remote": remote,
                                                          "addresses": [address]})
        if status != 201:
            raise SystemExit(f"POST {name}: {status} {answer.decode()}")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def names(pair):
    return f"{pair}-a", f"{pair}-b"


def join_hosts(pair):
    """Two hosts and a cable."""
    a, b = names(pair)
    run("ip", "netns", "add", a)
    run("ip", "netns", "add", b)
    run("ip", "link", "add", "underlay0", "netns", a, "type", "veth", "peer", "name", "underlay0", "netns", b)
    for host, local in ((a, A), (b, B)):
        for command in ("link set lo up", f"address add {local}/16 dev underlay0", "link set underlay0 up"):
            run("ip", "-n", host, *command.split())
    return a, b


def add_vxlan(a, b):
    for host, local, remote, address in ((a, A, B, "10.1.0.1/24"), (b, B, A, "10.1.0.2/24")):
        for command in (
            f"link add vxlan0 type vxlan id 7 local {local} remote {remote} dstport 4789 dev underlay0",
            f"address add {address} dev vxlan0", "link set vxlan0 up",
        ):
            run("ip", "-n", host, *command.split())


def busy_seconds():
    """What all CPUs of the machine have worked since it started."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    idle_and_waiting = fields[3] + fields[4]
    return (sum(fields[:8]) - idle_and_waiting) / 100


def stream(pair, address):
    """Bytes a second of one TCP stream from A to B, and the CPU seconds that each GByte took."""
    a, b = names(pair)
    server = subprocess.Popen(["ip", "netns", "exec", b, "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if ":5201" in inside(b, "ss", "-Htln"):
                break
            time.sleep(0.01)
        before = busy_seconds()
        report = json.loads(inside(a, "iperf3", "-c", address, "-t", SECONDS, "-J"))
        received = report["end"]["sum_received"]
        return received["bits_per_second"] / 8, (busy_seconds() - before) / (received["bytes"] / 1e9)
    except BaseException:
        server.kill()
        raise
    finally:
        server.wait(timeout=30)


def round_trip(pair, address):
    """The median, in microseconds."""
    lines = inside(names(pair)[0], "ping", "-c", PINGS, "-i", "0.002", address).splitlines()
    return 1000 * statistics.median(float(line.split("time=")[1].split()[0]) for line in lines if "time=" in line)


def compare():
    """Medians for each way; one round goes through all, so that what else the machine does falls on each."""
    streams, pings = {way: [] for way in WAYS}, {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, place in WAYS.items():
            streams[way].append(stream(*place))
            pings[way].append(round_trip(*place))
    def median(way, column):
        return statistics.median(values[column] for values in streams[way])
    return ({way: median(way, 0) for way in WAYS}, {way: median(way, 1) for way in WAYS},
            {way: statistics.median(pings[way]) for way in WAYS})


def add_tunnels(a, b, count):
    """Further tunnels, each with endpoints of its own on B; the address on B of the last."""
    run("ip", "-n", a.name, "route", "add", "172.17.0.0/16", "via", B)
    for i in range(1, count):
        endpoint = f"172.17.{i >> 8}.{i & 255}"
        run("ip", "-n", b.name, "address", "add", f"{endpoint}/32", "dev", "lo")
        a.create(f"t{i}", A, endpoint, f"10.3.{i >> 8}.{i & 255}/32")
        b.create(f"t{i}", endpoint, A, f"10.4.{i >> 8}.{i & 255}/32")
    run("ip", "-n", a.name, "route", "add", f"10.4.{i >> 8}.{i & 255}", "dev", f"t{i}")
    run("ip", "-n", b.name, "route", "add", f"10.3.{i >> 8}.{i & 255}", "dev", f"t{i}")
    return f"10.4.{i >> 8}.{i & 255}"


def measure_packets(tunneld, folder, count):
    add_vxlan(*join_hosts("plain"))
    with ExitStack() as started:
        def pair(name):
            a, b = (Host(host, tunneld, folder) for host in join_hosts(name))
            for host in (a, b):
                started.callback(host.stop)
                host.start()
            a.create("tun_a", A, B, "10.2.0.1/24")
            b.create("tun_b", B, A, "10.2.0.2/24")
            return a, b
        many = pair(TUNNEL[0])
        rates, cpu, pings = compare()
        pair("alone")
        last = add_tunnels(*many, count)
        # In turns: the machine is now quicker, now slower.
        turns = [(stream(TUNNEL[0], last)[0], stream("alone", TUNNEL[1])[0]) for _ in range(ROUNDS)]
    through_last, through_only = (statistics.median(column) for column in zip(*turns))
    return {
        "throughput": [rates["tunnel"] * 8e-9, rates["veth"] * 8e-9],
        "throughput_vxlan": [rates["tunnel"] * 8e-9, rates["vxlan"] * 8e-9],
        "beside": [rates["beside"] * 8e-9, rates["veth"] * 8e-9],
        "cpu": [cpu["tunnel"], cpu["veth"]],
        "round_trip": [pings["tunnel"] - pings["veth"], 1],
        "last": [through_last * 8e-9, through_only * 8e-9],
    }
