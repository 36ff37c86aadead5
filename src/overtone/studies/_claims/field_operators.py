"""Networks from fields to fields: the order in which they learn wavenumbers, and what truncated modes lose."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from overtone.studies._claims._field_networks import (
    FNO,
    UNet,
    compare,
    predict,
    total,
    train_on_fields,
    upper_bands,
    wavenumbers,
)
from overtone.studies._claims._shared import first_below, log_spaced_indices, torch_seed
from overtone.studies._claims._turbulence import forecasts
from overtone.studies._criteria import AtLeast
from overtone.studies._study import (
    MET_BY_A_CONDITION,
    Condition,
    FigureAxes,
    Measurement,
    SizeSettings,
    Study,
    StudySize,
    Tested,
    Topic,
)

_LEAD = 0.1
"""Lead time, in which the turbulence itself changes little: 0.16 of the power at the smallest resolved scale."""

_FLOW = (2.5, 1.5)
"""Cells by which a mean flow carries the fields in this time, on 32 x 32 cells."""


def _carried(fields: Tensor, cells: tuple[float, float]) -> Tensor:
    """Return periodic (..., side, side) fields moved by a number of cells per axis."""
    side = fields.shape[-1]
    rows = torch.fft.fftfreq(side, device="cpu")[:, None] * cells[0]
    columns = torch.fft.rfftfreq(side, device="cpu") * cells[1]
    phase = torch.exp(-2j * math.pi * (rows + columns))
    return torch.fft.irfft2(torch.fft.rfft2(fields) * phase, s=(side, side))


def _whitened(fields: list[Tensor]) -> list[Tensor]:
    """Return fields with one factor per wavenumber, by which all modes of the first one have equal power."""
    side, highest = fields[0].shape[-1], len(wavenumbers(fields[0].shape[-1]))
    power = compare(fields[0], fields[0]).target[1 : highest + 1, 0].float()
    k = torch.hypot(
        torch.fft.fftfreq(side, 1 / side, device="cpu")[:, None],
        torch.fft.rfftfreq(side, 1 / side, device="cpu"),
    )
    # White fields have a power in proportion to the wavenumber; those of mean square 1, with 2 k / n (n + 1).
    numbers = torch.arange(1, highest + 1, device="cpu")
    gain = torch.zeros_like(k)
    for number, ratio in zip(numbers, 2 * numbers / (highest * (highest + 1)) / power, strict=True):
        gain[(k >= number - 0.5) & (k < number + 0.5)] = ratio.sqrt()
    return [torch.fft.irfft2(torch.fft.rfft2(f) * gain, s=(side, side)) for f in fields]


class _FourierWeights(nn.Module):
    """One complex weight per Fourier mode: a linear map without any preference among modes."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(side, side // 2 + 1, 2, device="cpu"))

    def forward(self, x: Tensor) -> Tensor:
        """Return fields of the same shape."""
        modes = torch.fft.rfft2(x) * torch.view_as_complex(self.weights)
        return torch.fft.irfft2(modes, s=x.shape[-2:])


def _pairs(seed: int, side: int, samples: int, tested: int, *, flow: bool, white: bool) -> list[Tensor]:
    """Return inputs and targets to train on, and inputs and targets to test on."""
    training, test = forecasts(seed, side, samples + tested, (_LEAD,), 0.0).split(samples)
    cells = (_FLOW[0] * side / 32, _FLOW[1] * side / 32) if flow else (0.0, 0.0)
    fields = [
        training.initial,
        _carried(training.states, cells),
        test.initial,
        _carried(test.states, cells),
    ]
    return _whitened(fields) if white else fields


def measure_field_networks_low_first(
    seed: int, network: str, white: bool, side: int, samples: int, tested: int, width: int, steps: int
) -> Measurement:
    """Measure log2 of the steps until the error of the upper half of wavenumbers is halved, over those of 1 to 3."""
    x, y, test_x, test_y = _pairs(seed, side, samples, tested, flow=True, white=white)
    with torch_seed(seed, network):
        model: nn.Module = {
            "U-Net": lambda: UNet(1, 1, width),
            "FNO": lambda: FNO(1, 1, width, len(wavenumbers(side)) + 1),
            "weights": lambda: _FourierWeights(side),
        }[network]()
        positions, errors = log_spaced_indices(steps, 40) + 1, []
        measured = set(positions.tolist())

        def observe(step: int) -> None:
            if step in measured:
                power = compare(predict(model, test_x), test_y)
                groups = (slice(1, 4), upper_bands(side))
                errors.append([math.sqrt(total(power.residual, b) / total(power.target, b)) for b in groups])

        train_on_fields(model, x, y, steps, observe=observe, rate=2e-2 if network == "weights" else 2e-3)
    table = np.array(errors)
    low, high = (first_below(positions, column) for column in table.T)
    return Measurement(
        math.log2(high / low),
        {"wavenumbers 1 to 3": (positions, table[:, 0]), "upper half": (positions, table[:, 1])},
        (
            f"halved after {low:.0f} and {high:.0f} steps; last errors {table[-1, 0]:.2f} and {table[-1, 1]:.2f}",
        ),
    )


_SIZES = {
    StudySize.SMOKE: SizeSettings(1, {"side": 16, "samples": 6, "tested": 4, "width": 4, "steps": 3}),
    StudySize.QUICK: SizeSettings(4, {"side": 32, "samples": 192, "tested": 32, "width": 12, "steps": 160}),
    StudySize.FULL: SizeSettings(
        20, {"side": 128, "samples": 4000, "tested": 500, "width": 48, "steps": 20_000}
    ),
}

_CAVEAT = (
    "One task: two-dimensional turbulence after a short time in a mean flow that carries it by a fixed number of "
    "cells, on 32 x 32 samples with 10 resolved wavenumbers, trained by Adam for 160 steps."
)

FIELD_NETWORKS_LOW_FIRST = Study(
    name="field-networks-low-first",
    topic=Topic.FIELDS,
    claim="U-Nets and Fourier neural operators learn low wavenumbers first.",
    source=(
        "Chakrabarty, Maji 2019, The spectral bias of the deep image prior, section 3 (arXiv:1912.08905); "
        "Zhao et al. 2022, Incremental spatial and spectral learning of neural operators, section 3 (arXiv:2211.15188)"
    ),
    statistic=(
        "log2 of the steps until the relative error of the upper half of the wavenumbers is below 0.5, over those of "
        "wavenumbers 1 to 3"
    ),
    criterion=AtLeast(1.0),
    conditions=(
        Condition("U-Net, turbulence", {"network": "U-Net", "white": False}),
        Condition("FNO, turbulence", {"network": "FNO", "white": False}),
        Condition("U-Net, whitened fields", {"network": "U-Net", "white": True}),
        Condition("FNO, whitened fields", {"network": "FNO", "white": True}),
    ),
    control=Condition("one weight per Fourier mode, whitened fields", {"network": "weights", "white": True}),
    positive=MET_BY_A_CONDITION,
    measure=measure_field_networks_low_first,
    axes=FigureAxes("Step", "Relative error", log_x=True, log_y=True),
    sizes=_SIZES | {StudySize.QUICK: SizeSettings(3, _SIZES[StudySize.QUICK].settings)},
    tested=Tested.CASE,
    factor="the network and the spectrum",
    caveat=(
        _CAVEAT
        + " The errors are measured at 40 steps of about equal ratio; where one never falls below the threshold, "
        "all steps are counted."
    ),
)


def measure_truncation_loses_detail(
    seed: int,
    modes: int,
    flow: bool,
    bypass: bool,
    side: int,
    samples: int,
    tested: int,
    width: int,
    steps: int,
) -> Measurement:
    """Measure the share of the target's power in the upper half of the wavenumbers that an FNO gets wrong."""
    x, y, test_x, test_y = _pairs(seed, side, samples, tested, flow=flow, white=False)
    # The number of modes is for 32 samples per axis, of which 10 wavenumbers are resolved.
    highest = len(wavenumbers(side))
    with torch_seed(seed, "operator"):
        network = FNO(1, 1, width, min(highest + 1, round(modes * side / 32)), bypass=bypass)
        train_on_fields(network, x, y, steps)
    power = compare(predict(network, test_x), test_y)
    bands = upper_bands(side)
    below = slice(1, min(4, highest))
    low, high = (total(power.residual, b) / total(power.target, b) for b in (below, bands))
    numbers = range(1, highest + 1)
    return Measurement(
        high,
        {"": (numbers, [float(power.error_ratio[k, 0]) for k in numbers])},
        (f"error over power {low:.3f} at wavenumbers 1 to 3, {high:.2f} in the upper half",),
    )


TRUNCATION_LOSES_DETAIL = Study(
    name="truncation-loses-detail",
    topic=Topic.FIELDS,
    claim="A Fourier neural operator loses what lies above its truncated modes.",
    source=(
        "Li et al. 2021, Fourier neural operator for parametric partial differential equations, section 4 "
        "(arXiv:2010.08895); Qin et al. 2024, Toward a better understanding of Fourier neural operators from a "
        "spectral perspective (arXiv:2404.07200)"
    ),
    statistic="error power over the target's in the upper half of the wavenumbers, all of them above the truncation",
    criterion=AtLeast(0.5),
    conditions=(
        Condition("4 modes, fields carried by a mean flow", {"modes": 4, "flow": True, "bypass": True}),
        Condition("4 modes, fields that stay in place", {"modes": 4, "flow": False, "bypass": True}),
    ),
    control=Condition("all modes, mean flow", {"modes": 11, "flow": True, "bypass": True}),
    positive=Condition(
        "4 modes, in place, no pointwise map beside", {"modes": 4, "flow": False, "bypass": False}
    ),
    measure=measure_truncation_loses_detail,
    axes=FigureAxes("Wavenumber", "Error power over the target's"),
    sizes=_SIZES,
    tested=Tested.CASE,
    limits=(0.0, math.inf),
    factor="whether the pointwise maps suffice",
    caveat=_CAVEAT,
)

STUDIES = (FIELD_NETWORKS_LOW_FIRST, TRUNCATION_LOSES_DETAIL)
