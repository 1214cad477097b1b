"""The walk-through that `make demo` shows, on this very kernel."""

import os
import subprocess
from pathlib import Path

from host import HAS_IPIP

ROOT = Path(__file__).resolve().parents[2]
PLANE = "kernel" if HAS_IPIP else "bpf"
TUNNELD = str(Path(os.environ.get("TUNNELD", ROOT / ".build/debug/tunneld")).resolve())


def test_demo():
    environment = {**os.environ, "TUNNELD": TUNNELD, "TUNNELD_DEMO_INSIDE": "yes"}
    done = subprocess.run(
        [ROOT / "scripts/demo"], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"All as it should be, with data plane {PLANE}" in done.stdout
