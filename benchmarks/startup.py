"""How long importing and asking for help take: a fresh process each, the best of several, minus a bare interpreter."""

from __future__ import annotations

import subprocess
import sys
import time

REPEATS = 7


def seconds(*words: str) -> float:
    """Best wall-clock time of a fresh Python process."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        best = min(best, time.perf_counter() - began)
    return best


def main() -> list[dict]:
    bare = seconds("-c", "pass")
    rows = []
    for name, words, target in (
        ("import overtone", ("-c", "import overtone"), 0.15),
        ("overtone --help", ("-m", "overtone.cli", "--help"), 0.5),
        ("import torch, for scale", ("-c", "import torch"), float("nan")),
    ):
        taken = seconds(*words)
        rows.append(
            {
                "name": name,
                "ours": taken,
                "theirs": bare,
                "unit": "s",
                "ratio": taken / bare,
                "target": f"{target} s",
            }
        )
    loaded = subprocess.run(
        [sys.executable, "-c", "import overtone, sys; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
    )
    rows[0]["note"] = f"torch loaded: {loaded.stdout.strip()}; theirs is a bare interpreter"
    return rows
