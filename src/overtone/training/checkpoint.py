"""Checkpoints: everything a run needs to go on as if it had never stopped, in one safetensors file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from overtone.errors import InputError, RunError


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after `step` steps.

    Attributes:
        step: Optimizer steps taken.
        seconds: Wall-clock seconds spent training.
        network: The network's state dict.
        optimizer: The optimizer's state dict.
        generators: States of the random generators by name ("batches", "cpu", "cuda"), uint8 tensors.
    """

    step: int
    seconds: float
    network: dict[str, Tensor]
    optimizer: dict[str, Any]
    generators: dict[str, Tensor]

    def save(self, path: Path) -> None:
        """Write to `path` by a temporary file and a rename, so that a kill leaves the old file or the new one.

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
        temporary = path.with_suffix(".partial")
        try:
            save_file(
                {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()},
                str(temporary),
                metadata={"overtone": json.dumps(described)},
            )
            os.replace(temporary, path)
        except (OSError, SafetensorError) as problem:
            temporary.unlink(missing_ok=True)
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
            with safe_open(str(path), framework="pt") as file:
                described = json.loads((file.metadata() or {})["overtone"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except FileNotFoundError as missing:
            raise InputError(
                "a readable checkpoint", "none at this path", "start again with --overwrite", str(path)
            ) from missing
        except (OSError, SafetensorError, KeyError, ValueError) as problem:
            raise InputError(
                "a readable checkpoint",
                f"{type(problem).__name__} ({problem})",
                "start again with --overwrite",
                str(path),
            ) from problem
        state: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in described["slots"].items()}
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "generator": {}}
        for name, value in tensors.items():
            kind, rest = name.split(".", 1)
            if kind == "optimizer":
                parameter, slot = rest.split(".", 1)
                state.setdefault(int(parameter), {})[slot] = value
            else:
                parts[kind][rest] = value
        optimizer = {"state": state, "param_groups": described["param_groups"]}
        return Checkpoint(
            described["step"], described["seconds"], parts["network"], optimizer, parts["generator"]
        )

    def restore(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Put network and optimizer into the saved state.

        Raises:
            InputError: If the network is not the one that was saved.
        """
        try:
            network.load_state_dict(self.network)
            optimizer.load_state_dict(self.optimizer)
        except (RuntimeError, ValueError) as problem:
            raise InputError(
                "the network that was saved",
                "one with other parameters",
                "resume with the settings the run began with",
            ) from problem
