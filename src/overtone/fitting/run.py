"""A finished (or interrupted) run: its record, network, report and verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from overtone import records
from overtone import reports as report
from overtone._state import evaluation_mode
from overtone._training import Ending, Outcome
from overtone.fitting.directory import RunDirectory
from overtone.nn import Field
from overtone.probes._evaluator import chunk_size, predict_at
from overtone.signals import Geometry, Signal

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Run:
    """What `fit` hands back.

    Attributes:
        directory: Where the run's files are.
        signal: What was learned.
        network: The trained field, physical coordinates to physical values; of a run that may stop, its best state.
        outcome: Steps, seconds and why training ended.
        unchanged: Whether it was resumed with nothing left to do, so that its files are as they were.
    """

    directory: RunDirectory
    signal: Signal[Geometry]
    network: Field
    outcome: Outcome
    unchanged: bool = False

    @property
    def record(self) -> xarray.Dataset:
        """The record, an `xarray.Dataset`."""
        return records.load(self.directory.record)

    @property
    def verdict(self) -> list[str]:
        """Plain sentences: what was learned, what not, when noise began, what to do."""
        return report.verdict(self.record)

    @property
    def kept(self) -> int:
        """The step whose network was handed back."""
        return int(self.record.attrs["kept"])

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped before its budget was used."""
        return self.outcome.ending is Ending.INTERRUPTED

    @property
    def psnr(self) -> dict[str, float | None]:
        """PSNR of the network in dB over all samples: "train", "held_out", "held_out_clean"; None where there are none.

        10 log10(peak^2 / mean square error), with the signal's `peak`.
        """
        known = {level.name: level.psnr for level in records.metrics.levels(self.record)}
        return {name: known.get(name) for name in ("train", "held_out", "held_out_clean")}

    def predict(self) -> Tensor:
        """The network's values (N, C) at every sample, in the signal's units."""
        with evaluation_mode(self.network):
            return predict_at(self.network, self.signal.geometry, None, chunk=chunk_size(self.network, 1.0))

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report, one self-contained HTML page.

        Args:
            path: Where to; the run directory's `report.html` if None.

        Returns:
            The page's path.
        """
        return report.write([self.directory.path], Path(path) if path else self.directory.report)
