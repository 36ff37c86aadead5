"""Time of importing and of asking for help: a fresh process each, processor time, the least of several."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

REPEATS = 9
SHARE = 1.3
"""Limit of `ot.Probe` and `ot.fit` in units of the import of torch, which both need."""

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""With byte code on disk, as an installed package has it: otherwise each process compiles the sources anew."""


def processor_seconds(words: tuple[str, ...]) -> float:
    """Return the processor time, user and system, of a fresh Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, capture_output=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def least_seconds(commands: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """Return the least processor time of each command; they take turns, so that a busy machine slows all alike."""
    # The first turn writes the byte code and fills the caches of the disk, so it is not counted.
    for words in commands.values():
        processor_seconds(words)
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(REPEATS):
        for name, words in commands.items():
            best[name] = min(best[name], processor_seconds(words))
    return best


def main() -> list[dict]:
    """Rows of seconds against a bare interpreter, and of `ot.Probe` and `ot.fit` against torch."""
    seconds = least_seconds(
        {
            "bare": ("-c", "pass"),
            "import overtone": ("-c", "import overtone"),
            "overtone --help": ("-m", "overtone.cli", "--help"),
            "import torch": ("-c", "import torch"),
            "ot.Probe": ("-c", "import overtone as ot; ot.Probe"),
            "ot.fit": ("-c", "import overtone as ot; ot.fit"),
        }
    )
    loaded = subprocess.run(
        [sys.executable, "-c", "import overtone, sys; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    notes = {"import overtone": f"torch loaded: {loaded}; theirs is a bare interpreter"}
    rows = [
        _row(name, seconds[name], seconds["bare"], target, notes.get(name, "theirs is a bare interpreter"))
        for name, target in (("import overtone", "0.15 s"), ("overtone --help", "0.5 s"))
    ]
    return rows + [
        _row(name, seconds[name], seconds["import torch"], f"ratio {SHARE}", "theirs is the import of torch")
        for name in ("ot.Probe", "ot.fit")
    ]


def _row(name: str, ours: float, theirs: float, target: str, note: str) -> dict[str, object]:
    """One line of the table, in processor seconds."""
    return {
        "name": name,
        "ours": ours,
        "theirs": theirs,
        "unit": "s",
        "ratio": ours / theirs,
        "target": target,
        "note": note,
    }
