"""What a comparison hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from overtone.comparing._statistics import ComparisonVerdict, Margin, Score
from overtone.comparing._task import ComparisonTask
from overtone.planning import Budget


@final
@dataclass(frozen=True, eq=False)
class Comparison:
    """Candidates on one signal, judged by samples that none of them has seen.

    Attributes:
        path: Directory with the problem, results, predictions and page.
        problem: What they were given.
        budget: Of each network and seed.
        scores: Best first.
        margins: How much better the first of two is, for the pairs that the verdict needs.
        decision: Who wins, and why.
        predictions: (N, C) of each candidate's first seed.
        failed: Why candidates have no score, by name.
    """

    path: Path
    problem: ComparisonTask
    budget: Budget
    scores: tuple[Score, ...]
    margins: Mapping[tuple[str, str], Margin]
    decision: ComparisonVerdict
    predictions: Mapping[str, np.ndarray]
    failed: Mapping[str, str]

    @property
    def winner(self) -> str:
        """Name of the candidate to take."""
        return self.decision.winner

    @property
    def verdict(self) -> list[str]:
        """Who wins, by how much, and whether a network is worth it, in sentences."""
        return list(self.decision.sentences)

    def report(self, path: str | Path | None = None) -> Path:
        """Write one self-contained HTML page.

        Args:
            path: Where to; `report.html` in the comparison's directory if None.

        Returns:
            The page's path.
        """
        from overtone.comparing._page import write_page

        return write_page(self, Path(path) if path else self.path / "report.html")
