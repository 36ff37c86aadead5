"""The documentation site, built once for all tests of it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. Workers of one session share it: the first one builds, and the others wait."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    html, log = shared / "site", shared / "site.log"
    with (shared / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not log.exists():
            command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "docs", html]
            path = os.pathsep.join(str(Path(place).resolve()) for place in sys.path if place.endswith("src"))
            settings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
            build = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)
            log.write_text(f"{build.returncode}\n{build.stdout}{build.stderr}", encoding="utf-8")
    code, _, report = log.read_text(encoding="utf-8").partition("\n")
    assert code == "0", report
    return html
