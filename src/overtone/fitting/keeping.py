"""The networks that a rule for stopping may still go back to, as files of the run directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from overtone.errors import InputError, RunError
from overtone.tune.stop import Rule
from overtone.tune.stop.rule import rows
from overtone.tune.stop.watch import Row

if TYPE_CHECKING:
    import xarray

FOLDER = "kept"
"""Where in the run directory they lie."""


@final
class Keeping:
    """Follows a run with a rule, and keeps on disk what the rule may go back to: a dozen networks at most.

    Files survive the death of the process, so that a run that goes on later knows as much as one never interrupted.

    Args:
        folder: The run directory.
        network: The network in training; it is only read, until `restore`.
        rule: When to end the run, and which step was best.
        record: Of a run that goes on: its rows up to where it goes on.
    """

    def __init__(
        self, folder: Path, network: nn.Module, rule: Rule, record: xarray.Dataset | None = None
    ) -> None:
        self._folder, self._network, self._watch = folder / FOLDER, network, rule.watch()
        for step, row in [] if record is None else rows(record):
            self._watch.update(step, row)

    def update(self, step: int, row: Row) -> bool:
        """Take note of a row, and of the network as it is now.

        Args:
            step: Optimizer steps so far.
            row: What was measured now.

        Returns:
            Whether to end the run.

        Raises:
            RunError: If the network cannot be kept.
        """
        done = self._watch.update(step, row)
        wanted = {self._path(kept) for kept in self._watch.keep}
        if self._path(step) in wanted:
            self._save(step)
        for file in set(self._folder.glob("*")) - wanted:
            file.unlink(missing_ok=True)
        return done

    @property
    def best_step(self) -> int | None:
        """The step to go back to; None before any could be judged."""
        return self._watch.best_step

    def recall(self, step: int, row: Row) -> bool:
        """Take note of a row of a run that goes on; its network was kept at the time.

        Args:
            step: Optimizer steps at the time.
            row: What was measured then.

        Returns:
            Whether to end the run.
        """
        return self._watch.update(step, row)

    def news(self) -> list[str]:
        """Nothing to tell before the end."""
        return []

    def attributes(self, _: Sequence[str]) -> dict[str, Any]:
        """Nothing that the record does not hold already."""
        return {}

    def restore(self) -> int | None:
        """Put the best network's state back.

        Returns:
            Its step; None if no row could be judged, and nothing is changed.

        Raises:
            InputError: If its file is missing or damaged.
        """
        best = self._watch.best_step
        if best is None:
            return None
        path = self._path(best)
        try:
            self._network.load_state_dict(load_file(str(path)))
        except (OSError, SafetensorError, RuntimeError) as broken:
            raise InputError(
                "the network that was best",
                f"{type(broken).__name__} ({broken})",
                "fit again with --overwrite",
                str(path),
            ) from broken
        return best

    def _save(self, step: int) -> None:
        path = self._path(step)
        part = path.with_suffix(".partial")
        state = {
            name: value.detach().cpu().contiguous().clone()
            for name, value in self._network.state_dict().items()
        }
        try:
            self._folder.mkdir(exist_ok=True)
            save_file(state, str(part))
            part.replace(path)
        except (OSError, SafetensorError) as problem:
            part.unlink(missing_ok=True)
            raise RunError(
                "to keep the best network", str(problem), "free some space or choose another --out", str(path)
            ) from problem

    def _path(self, step: int) -> Path:
        return self._folder / f"{step:09d}.safetensors"
