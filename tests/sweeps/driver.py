"""A sweep over a Ray cluster: `python -m tests.sweeps.driver ADDRESS MARKS STORE NODES`.

Prints each result as it comes, in a line of JSON that begins with a brace; Ray prints other lines between them.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Any

import ray

from overtone._sweeps import Ray, Store, Task, sweep
from tests.sweeps import tasks

COUNT = 10
TIMEOUT = 120.0


def log_tasks(marks: str) -> list[Task]:
    settings: list[dict[str, Any]] = [{"folder": marks, "number": n, "seconds": 1.0} for n in range(COUNT)]
    return [Task("log", f"{tasks.__name__}:log", keywords) for keywords in settings]


def join(address: str, nodes: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not ray.is_initialized() or sum(node["Alive"] for node in ray.nodes()) < nodes:
        if not ray.is_initialized():
            try:
                ray.init(address=address, _node_ip_address="127.0.0.1", log_to_driver=False)
            except (ConnectionError, RuntimeError, ValueError):
                if time.monotonic() > deadline:
                    raise
        assert time.monotonic() < deadline
        time.sleep(0.2)


def main(address: str, marks: str, store: str, nodes: str) -> None:
    join(address, int(nodes))
    for finished in sweep(log_tasks(marks), Store(store), Ray(address)):
        sys.stdout.write(json.dumps(asdict(finished)) + "\n")
        sys.stdout.flush()
    ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
