"""The walk-through that `make demo` shows."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TUNNELD = str(Path(os.environ.get("TUNNELD", ROOT / ".build/debug/tunneld")).resolve())


def test_demo():
    environment = {**os.environ, "TUNNELD": TUNNELD, "TUNNELD_DEMO_INSIDE": "yes"}
    done = subprocess.run(
        [ROOT / "scripts/demo"], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All as it should be." in done.stdout
