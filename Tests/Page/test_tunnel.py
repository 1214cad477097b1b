"""One tunnel: path, plots, counters, history, drift and events."""

import socket

from ends import TUN_A


def open_tunnel(page, name="tun_a"):
    page.go(f"#/tunnels/{name}")
    page.wait_for_text("Counters")


def lines(page):
    """The two lines of the first plot."""
    return page.browser.run(
        "return [...document.querySelector('.plot').querySelectorAll('.line')].map((p) => p.getAttribute('d') ?? '')"
    )


def test_it_has_an_address_of_its_own(writer):
    writer.browser.click(writer.browser.named("link", "tun_a"))
    writer.wait_for_text("Counters")
    assert writer.fragment == "#/tunnels/tun_a"
    writer.browser.reload()
    writer.wait_for_text("Counters")
    writer.follow("Change")
    writer.wait_for_text("Change tun_a")
    writer.browser.back()
    writer.wait_for_text("Counters")
    writer.browser.back()
    writer.wait_for_row("tun_a")
    writer.go("#/tunnels/nobody")
    writer.wait_for_text("nobody")
    writer.follow("All tunnels")
    writer.wait_for_row("tun_a")


def test_the_path_is_drawn_and_read_out(stage, writer, traffic):
    stage.a.patch("tun_a", {"routes": [{"to": "10.20.0.0/16"}]})
    open_tunnel(writer)
    stations = writer.texts(".stations > li")
    assert len(stations) == 5
    assert "Inner, on tun_a" in stations[0] and "192.168.1.1/24" in stations[0]
    assert "Outer" in stations[1] and "172.16.16.22" in stations[1]
    assert "Underlay network" in stations[2] and "MTU 1480" in stations[2]
    assert "the other host" in stations[3] and "172.16.1.62" in stations[3]
    assert "192.168.1.0/24" in stations[4]
    writer.wait_for_text("10.20.0.0/16", ".stations")
    writer.wait_until(lambda: "kbit/s" in writer.text(".rates"), "rates on the way")
    # From host to host, from left to right.
    places = writer.browser.run(
        "return [...document.querySelectorAll('.stations > li')].map((e) => e.getBoundingClientRect().left)"
    )
    assert places == sorted(places) and len(set(places)) == 5


def test_plots_and_counters_move(writer, traffic):
    open_tunnel(writer)
    writer.wait_until(lambda: all("L" in line for line in lines(writer)), "two lines")
    before = lines(writer)
    writer.wait_until(lambda: lines(writer) != before, "lines that move")

    def packets():
        return int(writer.texts(".numbers tbody tr:nth-child(2) td:nth-of-type(3)")[0].replace("\u202f", "").replace(" ", ""))

    first = packets()
    writer.wait_until(lambda: packets() > first, "packets that are counted")
    for text in ("Last minute", "In all", "Errors", "Dropped", "Carrier errors", "Losses by reason"):
        assert text in writer.text("main")


def test_losses_are_named_by_reason(stage, writer):
    # A remote that no route leads to.
    stage.a.create(name="tun_lost", remote="10.99.0.1", addresses=["10.98.0.1/24"])
    open_tunnel(writer, "tun_lost")
    with stage.a.host.inside():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(("10.98.0.2", 9))

    def send():
        sender.send(b"lost")
        return "no route to the remote" in writer.text("main")

    writer.wait_until(send, "the reason")
    assert "tx_no_route" in writer.text("main")
    sender.close()


def choose_range(page, text):
    label = page.browser.run(
        "return [...document.querySelectorAll('.segments label')].find((e) => e.textContent === arguments[0])", text
    )
    page.browser.click(label)


def test_history_by_range(writer, traffic):
    open_tunnel(writer)
    writer.wait_until(lambda: "L" in lines(writer)[0], "live lines")
    for text in ("15 min", "6 h", "7 d"):
        choose_range(writer, text)
        writer.wait_until(lambda: "Each point is the mean of" in writer.text("main"), f"{text} is shown")
        assert "can’t be had" not in writer.text("main")
    choose_range(writer, "15 min")
    # The newest values take a moment to be kept; before them there is a gap, which isn't drawn.
    writer.wait_until(lambda: lines(writer)[0].startswith("M"), "what was kept", 25)
    first = float(lines(writer)[0][1:].split(" ")[0])
    assert first > 200, "the time before the daemon's start is left empty"
    writer.screenshot("history")


def test_drift_is_told_as_it_happens(stage, writer):
    open_tunnel(writer)
    writer.wait_for_text("Nobody else has changed this tunnel.")
    stage.a.host.ip("link set tun_a mtu 1300")
    writer.wait_for_text("repaired", "main")
    row = writer.texts("[aria-label='Changed by others'] tbody tr")[0]
    assert "mtu" in row and "1300" in row, row
    assert "drifted" in writer.text("[aria-label=Events]")


def test_a_tunnel_that_stays_drifted_says_how(stage, writer):
    stage.a.patch("tun_a", {"drift_policy": "alert"})
    open_tunnel(writer)
    stage.a.host.ip("link set tun_a mtu 1300")
    writer.wait_for_text("Somebody else changed it, and it stays so")
    assert "1300" in writer.text(".tunnel > .notice")
    writer.screenshot("drifted")


def test_events_and_definition_follow(stage, writer):
    open_tunnel(writer)
    stage.a.patch("tun_a", {"comment": "to the office <b>in</b> Bern", "labels": {"site": "bern"}})
    writer.wait_for_text("to the office <b>in</b> Bern", "main")
    writer.wait_for_text("site=bern", "main")
    writer.wait_until(lambda: "updated" in writer.text("[aria-label=Events]"), "the event")
    stage.a.patch("tun_a", {"name": "tun_z"})
    writer.wait_until(lambda: writer.fragment == "#/tunnels/tun_z", "a new name is followed")
    assert writer.text("h1") == "tun_z"
    stage.a.delete("tun_z")
    writer.wait_for_text("tun_z was deleted.")


def test_why_a_tunnel_failed(stage, writer):
    """Its underlay goes away, and the kernel refuses what is defined."""
    stage.a.host.ip("link add other0 type veth peer name other1", "link set other0 up")
    stage.a.create(name="tun_f", remote="172.16.9.9", underlay="other0")
    stage.a.host.ip("link del other0", "link del tun_f")
    writer.wait_for_row("tun_f", "failed")
    open_tunnel(writer, "tun_f")
    assert "other0" in writer.text(".tunnel > .notice")
    writer.screenshot("failed")


def test_two_hosts_are_named_the_same(stage, writer):
    assert stage.a.tunnel("tun_a")["remote"] == TUN_A["remote"]
    open_tunnel(writer)
    hostname = stage.a.get("/v1/host").json["hostname"]
    assert hostname in writer.text(".stations") and hostname in writer.browser.run("return document.title")
