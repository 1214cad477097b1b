"""A thousand tunnels: only what is in view is in the document, and frames keep coming."""

import json

import pytest
from page import RESULTS

TUNNELS = [
    {"name": f"t_{n}", "remote": f"10.{100 + n // 200}.{n % 200}.1", "labels": {"site": "abc"[n % 3]},
     "addresses": [f"10.{50 + n // 200}.{n % 200}.1/32"]}
    for n in range(1000)
]  # fmt: skip
# Scrolls up and down as fast as it goes, and notes how long each frame took.
SCROLL = """
const grid = document.querySelector('[role=grid]');
const watch = window.watch = { frames: [], long: [], rows: 0, done: false };
const note = (list) => watch.long.push(...list.getEntries().map((entry) => entry.duration));
new PerformanceObserver(note).observe({ type: 'longtask' });
const began = performance.now();
let [before, way] = [began, 1];
const frame = (now) => {
    watch.frames.push(now - before);
    before = now;
    watch.rows = Math.max(watch.rows, document.querySelectorAll('.rows .row').length);
    if (grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 1) way = -1;
    if (grid.scrollTop === 0) way = 1;
    grid.scrollTop += way * 230;
    if (watch.frames.length < 400 || now - began < 7000) requestAnimationFrame(frame); else watch.done = true;
};
requestAnimationFrame(frame);
"""


@pytest.mark.thousand
def test_a_thousand_tunnels_stay_smooth(stage, writer, traffic):
    answer = stage.a.request("POST", "/v1/apply", {"tunnels": TUNNELS}, Prefer="return=minimal")
    assert answer.status == 200, answer
    writer.wait_for_text("1 001 tunnels", seconds=60)
    writer.press_button("Received")
    writer.wait_until(lambda: "kbit/s" in (writer.row("tun_a") or [""] * 7)[4], "rates", 30)
    writer.browser.run(SCROLL)
    writer.wait_until(lambda: writer.browser.run("return watch.done"), "400 frames", 120)
    seen = writer.browser.run("return watch")
    frames = sorted(seen["frames"])
    report = {
        "frames": len(frames), "median_ms": frames[len(frames) // 2], "p95_ms": frames[len(frames) * 95 // 100],
        "longest_ms": frames[-1], "long_tasks_ms": sorted(seen["long"]), "rows": seen["rows"],
    }  # fmt: skip
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "smooth.json").write_text(json.dumps(report, indent=1))
    assert seen["rows"] < 60, "only rows in view are in the document"
    assert writer.browser.run("return document.querySelectorAll('*').length") < 1500
    assert len(frames) >= 400
    # All of it can be found, and reached.
    writer.browser.type(writer.wait_for("input[type=search]"), "t_999")
    writer.wait_until(lambda: writer.names() == ["t_999"], "the last")
    assert int(writer.browser.run("return document.querySelector('[role=grid]').getAttribute('aria-rowcount')")) == 2
    writer.browser.type(writer.wait_for("input[type=search]"), "site:a")
    writer.wait_for_text("334 of 1 001 tunnels")
    writer.screenshot("thousand")
