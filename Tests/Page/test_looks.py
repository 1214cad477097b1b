"""Light and dark, small and large, for those who can't see it, and for those who'd rather nothing moved."""

from importlib.resources import files

import pytest

AXE = files("axe_core_python").joinpath("axe.min.js").read_text()
VIEWS = {"list": "#/", "tunnel": "#/tunnels/tun_a", "new": "#/new", "edit": "#/tunnels/tun_a/edit", "apply": "#/apply"}
READY = {"list": "tun_a", "tunnel": "Counters", "new": "New tunnel", "edit": "Change tun_a", "apply": "Apply a set"}


def complaints(page):
    """What axe-core finds against WCAG 2.1 AA and its own best practices."""
    page.browser.run(f"{AXE}; window.axe = axe")
    page.browser.run(
        """window.found = null;
        axe.run(document).then((r) => { window.found = r }, (e) => { window.found = { fault: String(e) } })"""
    )
    page.wait_until(lambda: page.browser.run("return window.found !== null"), "axe is done", 30)
    found = page.browser.run("""return found.fault ? [found.fault] : found.violations.map((v) =>
        `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html.slice(0, 160) + ' ' + n.failureSummary).join(' | ')}`)""")
    assert page.browser.run("return found.passes?.length ?? 0") > 10
    return found


@pytest.fixture
def busy(stage, traffic):
    """Something of everything: states, drift, losses, a set of labels."""
    tunnels = [{"name": f"v_{n}", "remote": f"172.16.7.{n}", "enabled": n % 3 != 0, "labels": {"site": "bern"},
                "addresses": [f"10.6.{n}.1/24"], "comment": "spare"} for n in range(1, 13)]  # fmt: skip
    assert stage.a.request("POST", "/v1/apply", {"tunnels": tunnels}).status == 200
    stage.a.patch("v_1", {"drift_policy": "alert"})
    stage.a.host.ip("link set v_1 mtu 1300")
    return stage


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_stands_in_anybodys_way(busy, writer, view, theme):
    writer.browser.prefer(prefers_color_scheme=theme)
    writer.go(VIEWS[view])
    writer.wait_for_text(READY[view])
    assert complaints(writer) == []
    writer.screenshot(f"{view}-{theme}")


def test_signing_in_and_dialogs_too(page, stage):
    page.wait_for("input[name=token]")
    page.press_button("Open")
    page.wait_for_text("Enter a token first.")
    assert complaints(page) == []
    page.sign_in(stage.token(), "#/tunnels/tun_a")
    page.press_button("Switch off")
    page.wait_for("dialog[open]")
    assert complaints(page) == []


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("width", [360, 768])
def test_small_screens_never_scroll_sideways(busy, writer, view, width):
    writer.browser.size(width, 740)
    writer.go(VIEWS[view])
    writer.wait_for_text(READY[view])
    # What scrolls or is cut off within its own box, as a wide table, is no matter.
    wide = writer.browser.run("""const [page, main] = [document.documentElement, document.getElementById('main')];
        const isCut = (e) => e && e !== main && e !== document.body &&
            (getComputedStyle(e).overflowX !== 'visible' || isCut(e.parentElement));
        const beyond = (e) => e.checkVisibility() && !isCut(e) && e.getBoundingClientRect().right > page.clientWidth + 1;
        return [page, main].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.tagName)
            .concat([...document.querySelectorAll('body *')].filter(beyond).map((e) => e.outerHTML.slice(0, 120)))""")
    assert wide == []
    writer.screenshot(f"{view}-{width}")


def test_all_of_a_row_is_there_on_a_small_screen(busy, writer):
    writer.browser.size(360, 740)
    writer.wait_until(lambda: "kbit/s" in writer.row("tun_a")[4], "rates")
    row = writer.row("tun_a")
    assert row[2].replace(" ", "") == "172.16.16.22→172.16.1.62" and row[3] == "192.168.1.1/24"
    assert "kbit/s" in row[4] and "kbit/s" in row[5]
    # Without heads to click there is a list to choose from.
    writer.browser.type(writer.wait_for(".sorts select"), "Received")
    writer.wait_until(lambda: writer.names()[0] == "tun_a", "sorted by what is received")


def test_the_theme_follows_the_system_unless_chosen(writer):
    def ground():
        return writer.browser.run("return getComputedStyle(document.body).backgroundColor")

    light = ground()
    writer.browser.prefer(prefers_color_scheme="dark")
    writer.wait_until(lambda: ground() != light, "dark as the system")
    dark = ground()
    button = writer.wait_for("#theme")
    writer.browser.click(button)
    writer.wait_until(lambda: ground() == light, "light as chosen")
    writer.browser.reload()
    writer.wait_for_row("tun_a")
    assert ground() == light, "kept over a reload"
    writer.browser.click(writer.wait_for("#theme"))
    writer.browser.prefer(prefers_color_scheme="light")
    assert ground() == dark, "dark as chosen, where the system is light"
    writer.browser.click(writer.wait_for("#theme"))
    assert ground() == light, "the system's again"


def test_nothing_moves_for_those_who_ask(writer):
    writer.browser.prefer(prefers_reduced_motion="reduce")
    assert writer.browser.run("return document.getAnimations().length") == 0
    durations = "return [...document.querySelectorAll('*')].map((e) => getComputedStyle(e).transitionDuration)"
    assert set(writer.browser.run(durations)) == {"0s"}


def test_the_list_is_a_table_to_who_hears_it(busy, writer):
    table = writer.browser.run("""const g = document.querySelector('[role=grid]');
        return [g.getAttribute('aria-label'), g.getAttribute('aria-rowcount'), g.getAttribute('aria-colcount'),
            [...g.querySelectorAll('[role=columnheader]')].map((e) => e.textContent),
            [...g.querySelectorAll('.rows [role=row]:not([hidden])')].map((e) => Number(e.getAttribute('aria-rowindex'))),
            [...document.querySelectorAll('header, main, nav')].map((e) => e.tagName)]""")
    assert table[:3] == ["Tunnels", "14", "7"]
    assert table[3] == ["State", "Name", "Local → remote", "Addresses", "Received", "Sent", "Last 2 minutes"]
    assert sorted(table[4]) == list(range(2, 15))
    assert table[5] == ["HEADER", "NAV", "MAIN"]
