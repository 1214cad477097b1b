"""What `make playground` brings up: it can be opened, things happen in it, and it leaves nothing behind."""

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from browser import Browser
from daemon import TUNNELD
from host import until
from page import Page

ROOT = Path(__file__).resolve().parents[2]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def network():
    """The names of namespaces, and of this machine's links."""
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
    return [line for line in names.splitlines() if "tunneld-play" in line], {line.split()[0] for line in links.splitlines()}


class ThisMachine:
    """In place of a host, for a browser on this machine."""

    @staticmethod
    def inside():
        import contextlib

        return contextlib.nullcontext()


@pytest.fixture
def playground():
    port = free_port()
    environment = os.environ | {"TUNNELD": str(Path(TUNNELD).resolve())}
    process = subprocess.Popen(
        [ROOT / "scripts/playground", str(port)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    lines = []
    threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True).start()
    yield process, port, lines
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0, lines


def test_playground(playground):
    process, port, lines = playground
    before = network()
    until(lambda: any(line.startswith("Ctrl-C") for line in lines) or process.poll() is not None, 60, "it is up")
    said = "".join(lines)
    assert f"http://127.0.0.1:{port}/" in said, said
    token = said.split("Token")[1].split()[0]
    browser = Browser(ThisMachine)
    try:
        page = Page(browser)
        page.address = f"http://127.0.0.1:{port}/"
        page.sign_in(token)
        page.wait_for_row("office")
        assert {"office", "depot", "harbour", "archive", "lab", "cabin", "lost"} <= set(page.names())
        page.wait_until(lambda: any("kbit/s" in row[4] for row in page.rows()), "traffic", 60)
        page.screenshot("playground")
    finally:
        browser.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0, lines
    assert network()[0] == [] and network()[1] <= before[1] | {"lo"}
    assert not any("playground" in line for line in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout.splitlines()
                   if "scripts/playground" in line or "scripts/forward" in line)  # fmt: skip
