"""The live daemon against openapi.yaml, schemathesis with all its checks."""

import http.client
import os
import subprocess
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import yaml
from conftest import started_daemon
from daemon import Daemon

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".build/venv/bin"
# The one's answer has no end, so Tests/Contract/schemathesis.toml leaves it out; of the other schemathesis has the contract.
LEFT_OUT = {"streamStats", "readContract"}


def operations():
    paths = yaml.safe_load((ROOT / "openapi.yaml").read_text())["paths"].values()
    return {part["operationId"] for path in paths for part in path.values() if "operationId" in part}


@contextmanager
def reverting(daemon):
    """Takes back what waits to be confirmed: else all other writes would be refused for as long as it waits."""
    done = threading.Event()

    def revert():
        with closing(daemon.client()) as client:
            while not done.wait(0.05):
                try:
                    for checkpoint in client.get("/v1/checkpoints?limit=1").json["items"]:
                        if checkpoint["state"] == "pending":
                            client.request("POST", f"/v1/checkpoints/{checkpoint['id']}/revert")
                except (OSError, http.client.HTTPException):
                    client.close()

    thread = threading.Thread(target=revert, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(10)


def test_the_daemon_keeps_its_contract(host, tmp_path):
    with started_daemon(host, tcp=True) as daemon:
        token = daemon.run("token", "create", "--scope", "write").stdout.strip()
        environment = {**os.environ, "PATH": f"{VENV}:{os.environ['PATH']}"}
        options = ["--max-examples", "20", "--seed", "1", "--no-color"]
        if Daemon.kind == "kernel":
            # The phase "coverage" is of what no kernel sees, and takes as long as all others.
            options += ["--phases", "examples,fuzzing,stateful"]
        with host.inside(), reverting(daemon):
            done = subprocess.run(
                [ROOT / "Tests/Contract/run", "http://127.0.0.1:8080", token, *options],
                env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=400,
            )
        print(done.stdout[-4000:])
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
        tested = f"Tested: {len(operations() - LEFT_OUT)}\n"
        assert tested in done.stdout and "FAILURES" not in done.stdout, done.stdout[-8000:]
        assert daemon.process.poll() is None
