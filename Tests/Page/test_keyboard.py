"""Everything without a mouse."""


def press(page, *keys, **options):
    page.browser.press(*keys, **options)


def tab_to(page, name, limit=40):
    """Goes on with Tab until this has the focus, as a reader without a mouse does."""
    for _ in range(limit):
        if page.focused() == name:
            return
        press(page, "Tab")
    raise AssertionError(f"Tab doesn't come to {name!r}; it is at {page.focused()!r}")


def has_visible_focus(page):
    return page.browser.run(
        """const style = getComputedStyle(document.activeElement);
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2"""
    )


def test_from_the_token_to_a_change_and_back(stage, page):
    stage.a.create(name="tun_b2", remote="172.16.4.4")
    page.wait_for("input[name=token]")
    press(page, *stage.token(), "Enter")
    page.wait_for_row("tun_b2")
    press(page, "/")
    assert page.focused() == "Filter tunnels"
    press(page, *"tun_b2", "ArrowDown")
    page.wait_until(lambda: page.attribute(":focus", "aria-activedescendant"), "a row is chosen")
    assert page.focused() == "Tunnels"
    press(page, "Enter")
    page.wait_until(lambda: page.fragment == "#/tunnels/tun_b2", "opened")
    page.wait_for_text("Counters")
    tab_to(page, "Switch off")
    assert has_visible_focus(page)
    press(page, "Enter")
    page.wait_for("dialog[open]")
    page.wait_until(lambda: page.focused() == "Cancel", "the dialog has the focus")
    press(page, "Escape")
    page.wait_until(lambda: not page.browser.find("dialog[open]"), "Escape closes the dialog")
    assert page.focused() == "Switch off", "the focus is where it was"
    press(page, "Enter")
    page.wait_until(lambda: page.focused() == "Cancel", "the dialog again")
    tab_to(page, "Switch off", 6)
    press(page, "Enter")
    page.wait_for_text("Switch on")
    assert stage.a.tunnel("tun_b2")["status"]["state"] == "down"
    press(page, "Escape")
    page.wait_until(lambda: page.fragment == "#/", "Escape goes back to the list")
    page.wait_until(lambda: page.focused() == "Tunnels", "the list has the focus again")
    press(page, "/", "Escape")
    page.wait_until(lambda: len(page.rows()) == 2, "Escape empties the filter")


def test_arrows_choose_in_the_list(stage, writer):
    tunnels = [{"name": f"k_{n}", "remote": f"172.16.6.{n}"} for n in range(1, 61)]
    assert stage.a.request("POST", "/v1/apply", {"tunnels": tunnels}).status == 200
    writer.wait_for_text("61 tunnels")

    def chosen():
        return writer.browser.run("return document.querySelector('.rows [aria-selected=true] a')?.textContent ?? ''")

    press(writer, "/", "ArrowDown")
    writer.wait_until(lambda: chosen() == "k_1", "the first")
    press(writer, "ArrowDown", "ArrowDown", "ArrowUp")
    writer.wait_until(lambda: chosen() == "k_2", "one down")
    press(writer, "End")
    writer.wait_until(lambda: chosen() == "tun_a", "the last, which scrolled in")
    press(writer, "Home")
    writer.wait_until(lambda: chosen() == "k_1", "the first again")
    press(writer, "PageDown")
    writer.wait_until(lambda: chosen() not in ("", "k_1"), "a page on")


def test_every_control_shows_its_focus(writer):
    writer.browser.run("document.activeElement.blur()")
    seen = set()
    # All the way round, over the browser's own place between the last and the first.
    for _ in range(30):
        press(writer, "Tab")
        name = writer.focused()
        seen.add(name)
        assert name == "BODY" or has_visible_focus(writer), name
    for name in ("Skip to the content", "tunneld, all tunnels", "Filter tunnels", "Sign out", "Apply a set", "Tunnels"):
        assert name in seen, seen


def test_keys_are_listed(writer):
    writer.browser.run("document.activeElement.blur()")
    press(writer, "?")
    writer.wait_for_text("to the filter", "dialog")
    press(writer, "Escape")
    writer.wait_until(lambda: not writer.browser.find("dialog"), "closed")


def test_a_plot_is_read_with_the_arrows(writer, traffic):
    writer.go("#/tunnels/tun_a")
    writer.wait_until(lambda: "received: last" in writer.attribute(".plot svg", "aria-label"), "it says what it shows")
    writer.browser.run("document.querySelector('.plot svg').focus()")
    press(writer, "ArrowLeft")
    writer.wait_until(lambda: "received" in writer.text(".plot output"), "a value")
