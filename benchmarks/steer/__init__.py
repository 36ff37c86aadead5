"""Regret of the recommended bandwidth on batteries of cases that nobody tuned for: `python -m benchmarks steer`.

Each case is trained at every bandwidth of a grid. The regret of a choice is the best of the grid minus the chosen run,
each at its own best step, in dB on clean samples set apart. Results are kept in `steer-runs`, so that an interrupted
battery goes on where it ended.
"""

from __future__ import annotations

from typing import Any


def main() -> list[dict[str, Any]]:
    """Rows of a summary by group, then of every case, of all batteries."""
    from benchmarks.steer.tasks import STORE, rows

    return rows(STORE)
