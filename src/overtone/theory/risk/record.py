"""The expected course of a linear smoother as a record, to be laid beside measured ones."""

from __future__ import annotations

import importlib.metadata
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.records import Header
from overtone.records.dataset import assemble
from overtone.records.schema import PER_STEP, complete
from overtone.theory.risk.expected import expected
from overtone.theory.risk.filters import Filter

if TYPE_CHECKING:
    import xarray


def record(
    eigenvalues: Tensor,
    target_power: Tensor,
    noise: Tensor | float,
    rule: Filter,
    steps: Tensor,
    band: Tensor,
    edges: Tensor,
    *,
    frequency_unit: str = "cycles per array",
    value_unit: str = "",
) -> xarray.Dataset:
    """What a probe would record on noisy observations, on average over the noise.

    With S_i = (a_i^2 + s_i^2) / N, the expected power of the observations y_i = a_i + e_i along mode i, and
    prediction h_i(t) y_i, a band holds target_power = sum S_i, residual_power = sum (1 - h_i)^2 S_i and
    cross_power = sum h_i S_i; `clean_error` is that of `expected`, `train_error` the sum of the residual's bands.

    Args:
        eigenvalues: As `expected`.
        target_power: As `expected`.
        noise: As `expected`.
        rule: As `expected`.
        steps: (step,) whole steps, ascending; those of gradient descent, or times in some unit.
        band: (mode,) int64 band of each mode.
        edges: (band + 1,) band edges, ascending from 0 on, in `frequency_unit`.
        frequency_unit: Unit of the edges.
        value_unit: Unit of the values.

    Returns:
        The record, of origin "predicted".

    Raises:
        InputError: If steps are not whole and ascending, edges do not fit the bands, or as `expected` does.

    Source: as `expected`; the cross power by |y|^2 + |f|^2 - |y - f|^2 = 2 <y, f>.
    """
    whole = steps.double().reshape(-1)
    if not bool((whole == whole.round()).all()) or bool((whole.diff() <= 0).any()):
        raise InputError(
            "whole steps, ascending",
            f"{whole[:4].tolist()}",
            "pass a rule with a rate and its steps",
            "steps",
        )
    clean = expected(eigenvalues, target_power, noise, rule, steps, band)
    count = clean.bias.shape[1]
    if len(edges) != count + 1 or bool((edges.diff() <= 0).any()):
        raise InputError(f"{count + 1} ascending edges", f"{edges.tolist()}", "one more than bands", "edges")
    power = target_power.double()
    spread = torch.as_tensor(noise, dtype=torch.float64, device=power.device).expand_as(power)
    left = expected(eigenvalues, power + spread, 0.0, rule, steps, band).bias
    made = expected(eigenvalues, torch.zeros_like(power), power + spread, rule, steps, band).variance
    noisy, floor = (_banded(each, band, count) for each in (power + spread, spread))
    rows = {
        "residual_power": left,
        "cross_power": (noisy + made - left) / 2,
        "clean_error": clean.total,
        "train_error": left.flatten(2).sum(1).mean(1) if left.ndim == 3 else left.sum(1),
    }
    lines = edges.double().cpu().numpy()
    header = Header(
        band_low=lines[:-1],
        band_high=lines[1:],
        channels=tuple(str(c) for c in range(power.shape[1] if power.ndim == 2 else 1)),
        static={"target_power": _channelled(noisy), "noise_power": _channelled(floor)},
        attrs={
            "origin": "predicted",
            "frequency_unit": frequency_unit,
            "value_unit": value_unit,
            "estimator": "kernel eigenvectors",
            "versions": {"overtone": importlib.metadata.version("overtone")},
        },
    )
    return assemble(header, whole.long().cpu().numpy(), _stacked(rows, header))


def _banded(power: Tensor, band: Tensor, count: int) -> Tensor:
    """(band,) or (band, channel) sums over modes, per sample."""
    return power.new_zeros(count, *power.shape[1:]).index_add_(0, band.to(power.device), power) / len(power)


def _channelled(values: Tensor) -> np.ndarray:
    found: np.ndarray = (values if values.ndim == 2 else values[:, None]).cpu().numpy()
    return found


def _stacked(rows: dict[str, Tensor], header: Header) -> dict[str, np.ndarray]:
    """Every per-step variable, NaN where a smoother has none."""
    made = []
    for step in range(len(rows["clean_error"])):
        at = {name: value[step].cpu() for name, value in rows.items()}
        row: dict[str, np.ndarray | float] = {"loss": math.nan}
        row |= {name: _channelled(v) if name.endswith("power") else float(v) for name, v in at.items()}
        made.append(complete(row, PER_STEP, header.sizes, f"step {step}"))
    return {name: np.stack([row[name] for row in made]) for name in PER_STEP}
