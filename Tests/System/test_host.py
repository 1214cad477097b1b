"""What the host's report says, on a kernel with ipip and on one without."""

import pytest

from conftest import TUNNELD, run


def modules(daemon):
    return {module["name"]: module["state"] for module in daemon.get("/v1/host").json["modules"]}


def test_modules_are_loaded_when_first_needed(daemon):
    assert set(modules(daemon)) == {"ipip", "tun", "ip_tunnel", "tunnel4"}
    daemon.create("tun_a", "172.16.1.62")
    assert modules(daemon)["ipip"] == "loaded"
    assert modules(daemon)["ip_tunnel"] == "loaded"


@pytest.mark.without_ipip
def test_without_ipip_the_report_says_so(host):
    daemon = host.daemon("--data-plane", "kernel")
    assert modules(daemon)["ipip"] == "missing"


@pytest.mark.without_ipip
def test_without_ipip_a_create_is_refused_clearly(host):
    daemon = host.daemon("--data-plane", "kernel")
    answer = daemon.request("POST", "/v1/tunnels", {"name": "tun_a", "remote": "172.16.1.62"})
    assert answer.status >= 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "ipip" in answer.json["detail"]
    assert daemon.get("/v1/tunnels/tun_a").status == 404


@pytest.mark.without_ipip
def test_check_says_what_is_missing():
    done = run(TUNNELD, "check", check=False)
    assert done.returncode != 0
    assert "ipip" in done.stdout + done.stderr
