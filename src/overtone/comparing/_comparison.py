"""`ComparisonResult`: the result of `compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from overtone._utils.display import Displayed
from overtone._utils.optional import require_extra
from overtone.comparing._measured import MeasuredTask
from overtone.comparing._statistics import ComparisonVerdict, Margin, Score
from overtone.comparing._task import ComparisonTask
from overtone.comparing._truth import TrueErrors
from overtone.comparing._wording import truth_sentence, verdict_sentences
from overtone.errors import InputError
from overtone.planning import Budget

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from overtone.comparing._plots import CandidateCost, CandidateQuality, ErrorsByBand


@final
@dataclass(frozen=True, eq=False, repr=False)
class ComparisonResult(Displayed):
    """Candidates on one signal, evaluated on samples that none of them was trained on.

    Attributes:
        path: Directory with task, results, predictions and page.
        task: The task of the candidates.
        budget: Budget of each network and seed.
        scores: Scores, best first.
        margins: Margin by which the first of two is better, for the pairs in the verdict.
        decision: The winner and the facts that determine it.
        predictions: (N, C) prediction of each candidate's first seed.
        failed: Errors of candidates without a score, by name.
        truth: Residuals, errors and regrets against the known solution of an equation; None without one.
    """

    path: Path
    task: ComparisonTask | MeasuredTask
    budget: Budget
    scores: tuple[Score, ...]
    margins: Mapping[tuple[str, str], Margin]
    decision: ComparisonVerdict
    predictions: Mapping[str, np.ndarray]
    failed: Mapping[str, str]
    truth: TrueErrors | None = None

    _display = "comparison_display"

    def __repr__(self) -> str:
        return (
            f"<ComparisonResult on {self.task.signal.name!r}: {self.winner!r} leads {len(self.scores)} candidates, "
            f"in {str(self.path)!r}>"
        )

    @property
    def winner(self) -> str:
        """Name of the recommended candidate."""
        return self.decision.winner

    @property
    def judged(self) -> str:
        """Data on which candidates are scored, in words."""
        return self.task.judged if isinstance(self.task, MeasuredTask) else "held-out samples"

    @property
    def verdict(self) -> list[str]:
        """Sentences on the winner, its lead, whether a network is recommended, and how residuals rank (if known)."""
        sentences = verdict_sentences(self.decision, self.scores, self.margins, self.judged)
        return sentences if self.truth is None else [*sentences, truth_sentence(self.truth)]

    def quality_plot(self) -> CandidateQuality:
        """Return the plot of each candidate's quality with its interval.

        Like every plot it is drawn for screens by `plotly()` and for papers by `figure(ax)` and `save(path)`.
        """
        require_extra("reports")
        # Plotly is imported with the plots, which a comparison without pictures does not need.
        from overtone.comparing._plots import CandidateQuality

        return CandidateQuality(self.scores, self.judged)

    def cost_plot(self) -> CandidateCost:
        """Return the plot of each candidate's quality over its time."""
        require_extra("reports")
        from overtone.comparing._plots import CandidateCost

        return CandidateCost(self.scores, self.judged)

    def errors_plot(self, names: Sequence[str] | None = None) -> ErrorsByBand:
        """Return the plot of errors by frequency beside the known solution of an equation.

        Args:
            names: Candidates that are shown, all if None.

        Raises:
            InputError: If no solution was passed.
        """
        require_extra("reports")
        from overtone.comparing._plots import ErrorsByBand

        if self.truth is None:
            raise InputError(
                "a comparison with a known solution",
                "one without",
                "compare again with reference=, the solution of the equation",
                "errors_plot",
            )
        return ErrorsByBand(self.truth, names or [one.name for one in self.truth.candidates])

    def quality_figure(self) -> go.Figure:
        """Return `quality_plot` as a Plotly figure."""
        return self.quality_plot().plotly()

    def cost_figure(self) -> go.Figure:
        """Return `cost_plot` as a Plotly figure."""
        return self.cost_plot().plotly()

    def report(self, path: str | Path | None = None) -> Path:
        """Write one self-contained HTML page.

        Args:
            path: Path of the page; `report.html` in the comparison's directory if None.

        Returns:
            The page's path.
        """
        require_extra("reports")
        # The page imports Plotly, which a comparison without a report does not need.
        from overtone.comparing._page import write_page

        return write_page(self, Path(path) if path else self.path / "report.html")
