"""`BestWeights`: the weights that a run may go back to, in memory or as files that survive the process."""

from __future__ import annotations

import copy
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, final

from safetensors import SafetensorError
from torch import nn

from overtone._training._checkpoint import UNREADABLE, DamagedError, read_tensors, write_tensors
from overtone.early_stopping._monitor import Row, StoppingMonitor
from overtone.errors import InputError, RunError

_NAME = re.compile(r"\d{9,}\.(safetensors|partial)")


def weight_files(folder: Path) -> set[Path]:
    """Files of weights in a folder, complete or not; none where the folder is a link."""
    if folder.is_symlink() or not folder.is_dir():
        return set()
    return {file for file in folder.iterdir() if _NAME.fullmatch(file.name)}


@final
class BestWeights:
    """Feed a monitor with rows and store the weights of every step that it may still choose: a dozen at most.

    Args:
        monitor: From a rule's `monitor()`.
        network: The network in training; it is only read, until `restore`.
        folder: Folder for the files, so that a resumed run knows as much as one never interrupted; None for memory, on
            the network's device.

    Example:
        >>> import torch
        >>> from overtone.early_stopping import BestWeights, HeldOut
        >>> network = torch.nn.Linear(1, 1)
        >>> weights = BestWeights(HeldOut().monitor(), network)
        >>> for step, error in ((1, 3.0), (10, 1.0), (100, 5.0)):
        ...     _ = torch.nn.init.constant_(network.weight, step)
        ...     ended = weights.update(step, {"held_out_error": error})
        >>> weights.restore(), network.weight.item()
        (10, 10.0)
    """

    def __init__(self, monitor: StoppingMonitor, network: nn.Module, folder: Path | None = None) -> None:
        self.monitor, self._network = monitor, network
        self._store: _Store = _Memory() if folder is None else _Files(folder)

    @property
    def best_step(self) -> int | None:
        """The step to go back to; None before any row could be judged."""
        return self.monitor.best_step

    def update(self, step: int, row: Row) -> bool:
        """Judge a row and store the network as it is now, if it may turn out to be the best.

        Args:
            step: Optimizer steps so far.
            row: The row measured at this step.

        Returns:
            Whether to end the run.

        Raises:
            RunError: If the weights cannot be written.
        """
        ended = self.monitor.update(step, row)
        # Smoothing lets later rows change which earlier step is best: all candidates are stored, the rest is deleted.
        candidates = self.monitor.candidates
        if step in candidates:
            self._store.save(step, self._network)
        self._store.discard_except(candidates)
        return ended

    def replay(self, step: int, row: Row) -> bool:
        """Judge a row of a run that is resumed; its weights were stored at the time, or are not.

        Args:
            step: Optimizer steps at the time.
            row: The row measured then.

        Returns:
            Whether to end the run.
        """
        return self.monitor.update(step, row)

    def restore(self) -> int | None:
        """Put the best weights back into the network.

        Returns:
            Their step; None, with the network unchanged, if no row could be judged.

        Raises:
            InputError: If their file is missing or damaged.
            RunError: If the row of the best step was replayed without its weights.
        """
        best = self.monitor.best_step
        if best is None:
            return None
        self._store.load(best, self._network)
        return best


class _Store(ABC):
    """Weights by step."""

    @abstractmethod
    def save(self, step: int, network: nn.Module) -> None:
        """Store the network's weights under a step."""

    @abstractmethod
    def discard_except(self, steps: frozenset[int]) -> None:
        """Delete all weights but those of some steps."""

    @abstractmethod
    def load(self, step: int, network: nn.Module) -> None:
        """Put the weights of a step into the network."""


@final
class _Memory(_Store):
    def __init__(self) -> None:
        self._states: dict[int, dict[str, Any]] = {}

    def save(self, step: int, network: nn.Module) -> None:
        self._states[step] = copy.deepcopy(network.state_dict())

    def discard_except(self, steps: frozenset[int]) -> None:
        self._states = {step: state for step, state in self._states.items() if step in steps}

    def load(self, step: int, network: nn.Module) -> None:
        if step not in self._states:
            raise RunError("stored weights to restore", "none", "pass every row to update", "stop")
        network.load_state_dict(self._states[step])


@final
class _Files(_Store):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, step: int, network: nn.Module) -> None:
        path = self._path(step)
        try:
            # Nothing is written or deleted through a link into a place that is not the run's own.
            if self._folder.is_symlink():
                raise NotADirectoryError(f"{self._folder.name} is a link to another folder")
            self._folder.mkdir(exist_ok=True)
            write_tensors(path, network.state_dict(), {"step": step})
        except (OSError, SafetensorError) as problem:
            raise RunError(
                "to store the best network",
                str(problem),
                "free some space or choose another --out",
                str(path),
            ) from problem

    def discard_except(self, steps: frozenset[int]) -> None:
        for file in weight_files(self._folder) - {self._path(step) for step in steps}:
            file.unlink(missing_ok=True)

    def load(self, step: int, network: nn.Module) -> None:
        path = self._path(step)
        try:
            state, _ = read_tensors(path)
            network.load_state_dict(state)
        except (*UNREADABLE, DamagedError) as broken:
            raise InputError(
                "the network that was best",
                f"{type(broken).__name__} ({' '.join(str(broken).split())[:200]})",
                "fit again with --overwrite",
                str(path),
            ) from broken

    def _path(self, step: int) -> Path:
        return self._folder / f"{step:09d}.safetensors"
