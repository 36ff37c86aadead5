"""A sweep over a cluster of two nodes, one of which dies in the middle."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overtone._sweeps import Ray, Store
from overtone.errors import InputError
from tests.sweeps import driver

ROOT = str(Path(__file__).parents[2])
RAY = str(Path(sys.executable).with_name("ray"))


class Node:
    """A Ray node of this machine that can be killed with everything it runs."""

    def __init__(self, environment: dict[str, str], *options: str) -> None:
        self._process = subprocess.Popen(
            [
                *(RAY, "start", *options, "--node-ip-address=127.0.0.1", "--num-cpus=1", "--block"),
                *("--object-store-memory=100000000", "--disable-usage-stats"),
            ],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self) -> None:
        """End every process of the node at once."""
        if self._process.poll() is not None:
            return
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                if os.getsid(pid) == self._process.pid:
                    os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()


class Cluster:
    """Two nodes with a secret token, so that no other process joins."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.environment = {**os.environ, **token, "PYTHONPATH": ROOT}
        self.address = f"127.0.0.1:{port}"
        self.head = Node(self.environment, "--head", f"--port={port}", "--include-dashboard=false")
        self.second = Node(self.environment, f"--address={self.address}")

    def drive(self, marks: Path, store: Path, nodes: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.sweeps.driver", self.address, str(marks), str(store)]
        return subprocess.Popen(
            [*command, str(nodes)],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    nodes = Cluster()
    try:
        yield nodes
    finally:
        nodes.second.kill()
        nodes.head.kill()


def begun(marks: Path) -> dict[int, int]:
    return {n: len(list(marks.glob(f"{n}-begun-*"))) for n in range(driver.COUNT)}


def read(process: subprocess.Popen[str], lines: int | None = None) -> list[dict[str, Any]]:
    """Return that many results, or all remaining ones after the driver has ended without an error."""
    assert process.stdout is not None
    entries = (json.loads(line) for line in process.stdout if line.startswith("{"))
    if lines is not None:
        return list(itertools.islice(entries, lines))
    results = list(entries)
    _, complaints = process.communicate()
    assert process.returncode == 0, complaints[-3000:]
    return results


def test_a_node_killed_in_the_middle_loses_nothing_and_doubles_nothing(cluster, tmp_path):
    marks, store = tmp_path / "marks", Store(tmp_path / "store")
    marks.mkdir()
    process = cluster.drive(marks, store.folder, 2)
    results = read(process, 3)
    finished = {f["result"]["number"] for f in results}
    before = begun(marks)
    cluster.second.kill()
    results += read(process)
    assert [f["error"] for f in results] == [None] * driver.COUNT
    assert sorted(f["result"]["number"] for f in results) == list(range(driver.COUNT))
    assert len(list(store.folder.glob("*.json"))) == driver.COUNT
    after = begun(marks)
    assert max(after.values()) == 2, "the node that died was running nothing"
    assert all(after[n] == before[n] == 1 for n in finished)
    again = read(cluster.drive(marks, store.folder, 1))
    assert [f["stored"] for f in again] == [True] * driver.COUNT
    assert begun(marks) == after


def test_absent_ray_names_its_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"run: pip install ray\.$"):
        list(Ray().run(driver.log_tasks(str(tmp_path))))
    with pytest.raises(InputError, match="expected a task that takes a core or a GPU"):
        Ray(cpus=0)
