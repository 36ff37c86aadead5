"""Checkpoints: everything a run needs to go on as if it had never stopped, in one safetensors file."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from overtone._config._training import MAX_LEARNING_RATE
from overtone._training._weight_average import Errors, WeightAverage, parse_errors
from overtone._utils.files import atomic_path
from overtone._utils.numbers import as_float
from overtone.errors import InputError, RunError

UNREADABLE = (
    OSError,
    SafetensorError,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,
    AttributeError,
    OverflowError,
)
"""Errors that reading a safetensors file may raise."""

_DESCRIPTION, _SUMS, _SUM = "overtone", "checksums", "checksum"


class DamagedError(Exception):
    """A file does not hold what was written; the message names the part."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write tensors with checksums to a file, whole or not at all.

    A link at `path` is replaced, never followed.

    Args:
        path: The file.
        tensors: Tensors by name.
        description: Any value that JSON can hold.

    Raises:
        OSError: If the file cannot be written.
        SafetensorError: If the file cannot be written.
    """
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    text = json.dumps(description)
    # A sum per tensor names the one that is damaged; a sum of the sums guards the list itself.
    sums = json.dumps(
        {"": zlib.crc32(text.encode())} | {name: _crc(name, value) for name, value in plain.items()}
    )
    metadata = {_DESCRIPTION: text, _SUMS: sums, _SUM: str(zlib.crc32(sums.encode()))}
    with atomic_path(path, path.with_suffix(".partial"), make_folder=False) as partial:
        save_file(plain, str(partial), metadata=metadata)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Return the tensors of a file by name, and its description, None if it has none.

    Files of versions that wrote no checksums are read without them.

    Raises:
        DamagedError: If the file does not hold what was written.
        FileNotFoundError: If there is no file.
        OSError: Or another of `UNREADABLE`, if the file is of another kind.
    """
    if path.exists() and not path.is_file():
        raise DamagedError("no file at all")
    with safe_open(str(path), framework="pt") as file:
        metadata = dict(file.metadata() or {})
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if not set(metadata) <= {_DESCRIPTION} and set(metadata) != {_DESCRIPTION, _SUMS, _SUM}:
        raise DamagedError("a header of something else")
    text = metadata.get(_DESCRIPTION)
    if _SUMS in metadata:
        _check(tensors, str(text), metadata[_SUMS], metadata[_SUM])
    try:
        return tensors, None if text is None else json.loads(text)
    except RecursionError as nested:
        raise DamagedError("a header nested too deeply") from nested


def _check(tensors: Mapping[str, Tensor], text: str, sums: str, sum_of_sums: str) -> None:
    if str(zlib.crc32(sums.encode())) != sum_of_sums:
        raise DamagedError("the list of checksums")
    known = json.loads(sums)
    if zlib.crc32(text.encode()) != known.pop("", None):
        raise DamagedError("the header")
    for name in sorted(known.keys() | tensors.keys()):
        if name not in tensors or name not in known:
            raise DamagedError(f"{name}, which is {'missing' if name in known else 'too many'}")
        if _crc(name, tensors[name]) != known[name]:
            raise DamagedError(f"the checksum of {name}")


def _crc(name: str, value: Tensor) -> int:
    head = zlib.crc32(f"{name} {value.dtype} {tuple(value.shape)}".encode())
    return zlib.crc32(value.reshape(-1).view(torch.uint8).numpy().data, head)


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after `step` steps.

    Attributes:
        step: Optimizer steps taken.
        seconds: Wall-clock seconds spent training.
        network: The network's state dict.
        optimizer: The optimizer's state dict.
        generators: States of the random generators by name ("batches", "cpu", "cuda"), uint8 tensors.
        average: Averaged weights by name and their errors so far; None if the run does not average.
    """

    step: int
    seconds: float
    network: dict[str, Tensor]
    optimizer: dict[str, Any]
    generators: dict[str, Tensor]
    average: tuple[dict[str, Tensor], list[Errors]] | None = None

    def save(self, path: Path) -> None:
        """Write the checkpoint to `path`, whole or not at all.

        Raises:
            RunError: If the file cannot be written.
        """
        tensors = {f"network.{name}": value for name, value in self.network.items()}
        tensors |= {f"generator.{name}": value for name, value in self.generators.items()}
        slots: dict[str, dict[str, Any]] = {}
        for parameter, state in self.optimizer["state"].items():
            for name, value in state.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{parameter}.{name}"] = value
                else:
                    slots.setdefault(str(parameter), {})[name] = value
        described = {
            "step": self.step,
            "seconds": self.seconds,
            "param_groups": self.optimizer["param_groups"],
            "slots": slots,
        }
        if self.average is not None:
            weights, errors = self.average
            tensors |= {f"average.{name}": value for name, value in weights.items()}
            described["average"] = errors
        try:
            write_tensors(path, tensors, described)
        except (OSError, SafetensorError) as problem:
            raise RunError(
                "to write a checkpoint", str(problem), "free some space or choose another --out", str(path)
            ) from problem

    @staticmethod
    def load(path: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            InputError: If the file is missing, damaged, or not a checkpoint of overtone.
        """
        try:
            tensors, described = read_tensors(path)
            return _checked(tensors, described)
        except FileNotFoundError as missing:
            raise InputError(
                "a readable checkpoint", "none at this path", "start again with --overwrite", str(path)
            ) from missing
        except (*UNREADABLE, DamagedError) as problem:
            got = f"a damaged one ({_short(problem)})"
            raise InputError(
                "a readable checkpoint", got, "start again with --overwrite", str(path)
            ) from problem

    def restore(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, average: WeightAverage | None = None
    ) -> None:
        """Load the saved state into a network, its optimizer and the average of its weights.

        Raises:
            InputError: If the network is not the one that was saved, or its average was not saved.
        """
        try:
            _check_state(self.network, network.state_dict())
            if average is not None:
                if self.average is None:
                    raise DamagedError("no averaged weights")
                _check_state(self.average[0], network.state_dict())
            groups = _groups(self.optimizer["param_groups"], optimizer)
            _check_slots(self.optimizer["state"], optimizer)
            # Everything was checked before anything is loaded: a refused checkpoint leaves both as they were.
            network.load_state_dict(self.network)
            if average is not None and self.average is not None:
                average.restore(*self.average)
            optimizer.load_state_dict({"state": self.optimizer["state"], "param_groups": groups})
        except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, DamagedError) as problem:
            raise InputError(
                "the network that was saved",
                f"one with other parameters ({_short(problem)})",
                "resume with the settings the run began with",
            ) from problem


def _checked(tensors: dict[str, Tensor], described: Any) -> Checkpoint:
    """Return the checkpoint in a file's content.

    Raises:
        DamagedError: If a part of it is missing or has a wrong type.
    """
    if not isinstance(described, dict):
        raise DamagedError("no header of a checkpoint")
    step, seconds = described.get("step"), described.get("seconds")
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < 1 << 53:
        raise DamagedError("a step that is no number of steps")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < 1e15:
        raise DamagedError("seconds that are no time")
    groups, slots = described.get("param_groups"), described.get("slots")
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise DamagedError("no groups of parameters")
    if not isinstance(slots, dict) or not all(
        k.isdecimal() and isinstance(v, dict) for k, v in slots.items()
    ):
        raise DamagedError("no state of an optimizer")
    state: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in slots.items()}
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "generator": {}, "average": {}}
    for name, value in tensors.items():
        kind, _, name_in_part = name.partition(".")
        if kind == "optimizer":
            parameter, _, slot = name_in_part.partition(".")
            if not parameter.isdecimal():
                raise DamagedError(f"a tensor named {name[:60]!r}")
            state.setdefault(int(parameter), {})[slot] = value
        elif kind in parts:
            parts[kind][name_in_part] = value
        else:
            raise DamagedError(f"a tensor named {name[:60]!r}")
    average = (parts["average"], parse_errors(described["average"])) if parts["average"] else None
    return Checkpoint(
        step,
        float(seconds),
        parts["network"],
        {"state": state, "param_groups": groups},
        parts["generator"],
        average,
    )


def _check_state(saved: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> None:
    """Whether a network's saved state has the names, shapes and types of its present one."""
    for name in sorted(saved.keys() | present.keys()):
        if name not in saved or name not in present:
            raise DamagedError(f"{'no' if name in present else 'an unknown'} {name[:60]}")
        one, other = saved[name], present[name]
        if one.shape != other.shape or one.dtype != other.dtype:
            raise DamagedError(f"{name[:60]} of shape {tuple(one.shape)}, {one.dtype}")


def _groups(saved: list[dict[str, Any]], optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """The optimizer's groups with the learning rates of saved ones, whose other settings have to be the same."""
    fresh = optimizer.state_dict()["param_groups"]
    if len(saved) != len(fresh):
        raise DamagedError(f"{len(saved)} groups of parameters")
    groups = []
    for old, new in zip(saved, fresh, strict=True):
        # A controller changes learning rates while training; all other settings have to be those of the run.
        rates = {name: old.get(name, new.get(name)) for name in ("lr", "pace") if name in old or name in new}
        same = {name: value for name, value in old.items() if name in new and name not in rates}
        wrong = [name for name, value in rates.items() if not _is_rate(value)]
        wrong += [name for name, value in same.items() if _plain(value) != _plain(new[name])]
        wrong += [name for name in ("lr", "params") if name not in old]
        if wrong:
            raise DamagedError(f"{wrong[0][:40]} {old.get(wrong[0])!r}"[:90])
        groups.append(new | rates)
    return groups


def _check_slots(state: Mapping[int, dict[str, Any]], optimizer: torch.optim.Optimizer) -> None:
    """Whether an optimizer's saved state has the slots, per parameter, that it would make itself."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, slots in state.items():
        if number >= len(parameters):
            raise DamagedError(f"the state of parameter {number}")
        for name, value in slots.items():
            if name not in _SLOTS or not _fits(value, parameters[number], name):
                raise DamagedError(f"{name[:40]!r} of parameter {number}")
        if isinstance(optimizer, torch.optim.Adam) and slots.keys() != _ADAM:
            raise DamagedError(f"the state of parameter {number}")


_ADAM = {"step", "exp_avg", "exp_avg_sq"}
_SLOTS = _ADAM | {"momentum_buffer"}


def _fits(value: Any, parameter: Tensor, name: str) -> bool:
    if not isinstance(value, Tensor):
        return value is None and name == "momentum_buffer"
    shape = torch.Size() if name == "step" else parameter.shape
    return value.shape == shape and value.dtype.is_floating_point


def _is_rate(value: Any) -> bool:
    return 0 <= as_float(value) <= MAX_LEARNING_RATE


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _short(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    return text[:160] if isinstance(problem, DamagedError) else f"{type(problem).__name__}: {text[:160]}"
