"""A daemon that goes away and comes back."""

from host import until


def test_a_lost_connection_is_said_and_comes_back(stage, writer, traffic):
    writer.wait_until(lambda: "bit/s" in writer.row("tun_a")[4], "a rate")
    assert stage.a.stop() == 0
    writer.wait_for_text("The connection to tunneld is lost.")
    writer.wait_until(lambda: "s old" in writer.text("#notices"), "how old the numbers are")
    assert "Not live" in writer.text("header")
    assert writer.row("tun_a"), "what was known is still shown"
    writer.screenshot("connection-lost")
    age = int(writer.text("#notices").split("numbers are ")[1].split(" ")[0])
    until(lambda: int(writer.text("#notices").split("numbers are ")[1].split(" ")[0]) > age, 10, "the age grows")
    stage.a.start()
    # What changed meanwhile, also without a sign of it in the stream.
    stage.a.create(name="tun_while", remote="172.16.4.4")
    writer.press_button("Try now") if writer.browser.named("button", "Try now") else None
    writer.wait_until(lambda: not writer.browser.find("#notices .notice"), "live again", 30)
    assert "Live" in writer.text("header")
    writer.wait_for_row("tun_while")
    writer.wait_until(lambda: "kbit/s" in writer.row("tun_a")[4], "rates go on")


def test_a_write_without_an_answer_says_that_nothing_is_known(stage, writer):
    writer.go("#/new")
    writer.fill(name="tun_x", remote="172.16.1.63")
    assert stage.a.stop() == 0
    try:
        writer.press_button("Show the plan")
        writer.wait_for_text("tunneld doesn’t answer", "form")
        assert "isn’t known" in writer.text("form")
    finally:
        stage.a.start()
    writer.press_button("Show the plan")
    writer.wait_for_text("Create it", "dialog")


def test_hidden_tabs_hold_no_connection(stage, writer):
    """A browser gives one server six connections for all its tabs, so a fourth tab would wait for ever."""
    for _ in range(4):
        writer.browser.new_tab()
        writer.resume(stage.token())
        writer.wait_for_row("tun_a", "up")
