"""The networks that a rule for stopping may still go back to, as files of the run directory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from safetensors import SafetensorError
from torch import nn

from overtone._training._checkpoint import UNREADABLE, DamagedError, read, write
from overtone.early_stopping import StoppingRule
from overtone.early_stopping._monitor import Row, record_rows
from overtone.errors import InputError, RunError

if TYPE_CHECKING:
    import xarray

FOLDER = "kept"
"""Where in the run directory they lie."""

_NAME = re.compile(r"\d{9,}\.(safetensors|partial)")


def networks(folder: Path) -> set[Path]:
    """The networks kept in a folder of a run, written to the end or not; nothing where the folder is a link."""
    if folder.is_symlink() or not folder.is_dir():
        return set()
    return {file for file in folder.iterdir() if _NAME.fullmatch(file.name)}


@final
class Keeping:
    """Follows a run with a rule, and keeps on disk what the rule may go back to: a dozen networks at most.

    Files survive the death of the process, so that a run that goes on later knows as much as one never interrupted.

    Args:
        folder: The run directory.
        network: The network in training; it is only read, until `restore`.
        rule: When to end the run, and which step was best.
        record: Of a run that goes on: its rows up to where it goes on.

    Attributes:
        ended: Whether the last row of `record` ended the run.
    """

    def __init__(
        self, folder: Path, network: nn.Module, rule: StoppingRule, record: xarray.Dataset | None = None
    ) -> None:
        self._folder, self._network, self._watch = folder / FOLDER, network, rule.watch()
        self.ended = False
        for step, row in [] if record is None else record_rows(record):
            self.ended = self._watch.update(step, row)

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
        for file in networks(self._folder) - wanted:
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
            state, _ = read(path)
            self._network.load_state_dict(state)
        except (*UNREADABLE, DamagedError) as broken:
            raise InputError(
                "the network that was best",
                f"{type(broken).__name__} ({' '.join(str(broken).split())[:200]})",
                "fit again with --overwrite",
                str(path),
            ) from broken
        return best

    def _save(self, step: int) -> None:
        path = self._path(step)
        try:
            if self._folder.is_symlink():
                raise NotADirectoryError(f"{FOLDER} is a link to another folder")
            self._folder.mkdir(exist_ok=True)
            write(path, self._network.state_dict(), {"step": step})
        except (OSError, SafetensorError) as problem:
            raise RunError(
                "to keep the best network", str(problem), "free some space or choose another --out", str(path)
            ) from problem

    def _path(self, step: int) -> Path:
        return self._folder / f"{step:09d}.safetensors"
