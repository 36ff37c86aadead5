"""Forecasts of turbulence: what regression blurs, what another loss restores, and what ensembles retain."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from overtone.nn.losses import AmplitudeCoherence
from overtone.spectra import PairPower
from overtone.studies._claims._field_networks import (
    FNO,
    UNet,
    compare,
    power_decibels,
    predict,
    total,
    train_on_fields,
    upper_bands,
    wavenumber_bands,
    wavenumbers,
)
from overtone.studies._claims._shared import torch_seed
from overtone.studies._claims._turbulence import Forecasts, forecasts, model_of, posterior, run_leads
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

_LEADS = (0.5, 1.0, 2.0)
"""Lead times; a structure of wavenumber 3 is carried by its own size in about 1."""

_ERROR = 0.6
"""Error of the analysis: as large as the state in the upper half of the resolved wavenumbers, small at the largest."""


def _states(seed: int, side: int, samples: int, tested: int) -> tuple[Forecasts, Forecasts]:
    """Return the samples to train on and those to test on."""
    return forecasts(seed, side, samples + tested, _LEADS, _ERROR).split(samples)


def _network(kind: str, inputs: int, outputs: int, side: int, width: int) -> nn.Module:
    if kind == "U-Net":
        return UNet(inputs, outputs, width)
    return FNO(inputs, outputs, width, (side - 1) // 3 + 1)


def _solver_members(training: Forecasts, test: Forecasts, members: int) -> Tensor:
    """Return (member, sample, lead, side, side) solver runs from initial states that the analysis allows."""
    model = model_of(test.states.shape[-1])
    states = posterior(training.initial[:, 0], test.analysis[:, 0], _ERROR, members)
    runs = run_leads(model, states.flatten(0, 1), test.leads)
    return runs.reshape(members, -1, *runs.shape[1:])


def _ratio_curve(power: PairPower, side: int, channel: int) -> tuple[range, list[float]]:
    """Return the power ratio of a lead time per wavenumber."""
    numbers = range(1, len(wavenumbers(side)) + 1)
    return numbers, [float(power.power_ratio[k, channel]) for k in numbers]


def measure_regression_blurs(
    seed: int, forecast: str, side: int, samples: int, tested: int, width: int, steps: int, members: int
) -> Measurement:
    """Measure the power in dB lost at the first lead time, or from there to the last one if that is less."""
    training, test = _states(seed, side, samples, tested)
    with torch_seed(seed, forecast):
        if forecast in ("U-Net", "FNO"):
            network = _network(forecast, 1, len(_LEADS), side, width)
            train_on_fields(network, training.analysis, training.states, steps)
            predictions = predict(network, test.analysis)
        else:
            runs = _solver_members(training, test, members)
            predictions = runs.mean(0) if forecast == "mean of runs" else runs[0]
    power = compare(predictions, test.states)
    bands = upper_bands(side)
    lost = [-power_decibels(power.prediction, power.target, bands, lead) for lead in range(len(_LEADS))]
    curves = {f"lead {lead:g}": _ratio_curve(power, side, i) for i, lead in enumerate(_LEADS)}
    text = ", ".join(f"{loss:.1f} dB at lead {lead:g}" for lead, loss in zip(_LEADS, lost, strict=True))
    return Measurement(min(lost[0], lost[-1] - lost[0]), curves, (f"lost: {text}",))


_SIZES = {
    StudySize.SMOKE: SizeSettings(
        1, {"side": 16, "samples": 6, "tested": 4, "width": 4, "steps": 2, "members": 2}
    ),
    StudySize.QUICK: SizeSettings(
        4, {"side": 32, "samples": 192, "tested": 48, "width": 12, "steps": 180, "members": 16}
    ),
    StudySize.FULL: SizeSettings(
        20, {"side": 128, "samples": 4000, "tested": 500, "width": 48, "steps": 20_000, "members": 50}
    ),
}

_CAVEAT = (
    "Decaying two-dimensional turbulence on 32 x 32 samples, of which 10 wavenumbers are resolved, and networks of "
    "up to 140,000 parameters, trained for some hundred steps; the upper half of the wavenumbers is judged."
)

REGRESSION_BLURS = Study(
    name="regression-blurs",
    topic=Topic.FIELDS,
    claim="Forecasts trained by mean square error are blurred, and more so with lead time.",
    source=(
        "Bonavita 2024, On some limitations of current machine learning weather prediction models, section 3 "
        "(arXiv:2309.08473); Lam et al. 2023, Learning skillful medium-range global weather forecasting, "
        "supplement 7.5 (arXiv:2212.12794)"
    ),
    statistic=(
        "power that the forecast lacks in the upper half of the wavenumbers at the first lead time, or what it "
        "loses from there to the last one, whichever is less, in dB"
    ),
    criterion=AtLeast(1.0),
    conditions=(
        Condition("U-Net", {"forecast": "U-Net"}),
        Condition("FNO", {"forecast": "FNO"}),
    ),
    control=Condition("one such run, which no average blurs", {"forecast": "one run"}),
    positive=Condition("mean of solver runs from possible initial states", {"forecast": "mean of runs"}),
    measure=measure_regression_blurs,
    axes=FigureAxes("Wavenumber", "Power of the forecast over that of the truth"),
    sizes=_SIZES,
    tested=Tested.CASE,
    factor="the forecast",
    caveat=(
        _CAVEAT
        + " The networks lack several times the power that the mean of possible runs lacks: the larger part of their "
        "blur is what they have not learned, and not uncertainty."
    ),
)


def measure_amse_restores_power(
    seed: int,
    network: str,
    loss: str,
    side: int,
    samples: int,
    tested: int,
    width: int,
    steps: int,
    more: int,
) -> Measurement:
    """Measure the share of the power in dB lost by regression that further training restores, at the last lead time."""
    training, test = _states(seed, side, samples, tested)
    bands, powers = upper_bands(side), []
    objectives: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "AMSE": AmplitudeCoherence(wavenumber_bands(side)),
        "MSE": nn.functional.mse_loss,
    }
    with torch_seed(seed, network):
        model = _network(network, 1, len(_LEADS), side, width)
        train_on_fields(model, training.analysis, training.states, steps)
        powers.append(compare(predict(model, test.analysis), test.states))
        train_on_fields(model, training.analysis, training.states, more, rate=1e-3, loss=objectives[loss])
        powers.append(compare(predict(model, test.analysis), test.states))
    before, after = (abs(power_decibels(p.prediction, p.target, bands)) for p in powers)
    errors = [float(p.residual[:, -1].sum()) for p in powers]
    coherence = [
        total(p.cross, bands) / (total(p.prediction, bands) * total(p.target, bands)) ** 0.5 for p in powers
    ]
    return Measurement(
        1 - after / before,
        {"before": _ratio_curve(powers[0], side, -1), "after": _ratio_curve(powers[1], side, -1)},
        (
            f"mean square error {100 * (errors[1] / errors[0] - 1):+.0f} %, coherence in the upper half from "
            f"{coherence[0]:.2f} to {coherence[1]:.2f}",
        ),
    )


AMSE_RESTORES_POWER = Study(
    name="amse-restores-power",
    topic=Topic.FIELDS,
    claim=(
        "Further training by an error that weighs amplitude and coherence apart (AMSE) restores the power that mean "
        "square error removed."
    ),
    source=(
        "Subich et al. 2025, Fixing the double penalty in data-driven weather forecasting through a modified spherical "
        "harmonic loss function, sections 3 and 4 (arXiv:2501.19374)"
    ),
    statistic=(
        "share of the deviation in power, in dB in the upper half of the wavenumbers at the last lead time, that "
        "further training removes"
    ),
    criterion=AtLeast(0.5),
    conditions=(
        Condition("U-Net", {"network": "U-Net", "loss": "AMSE"}),
        Condition("FNO", {"network": "FNO", "loss": "AMSE"}),
    ),
    control=Condition("as many further steps by mean square error", {"network": "U-Net", "loss": "MSE"}),
    positive=MET_BY_A_CONDITION,
    measure=measure_amse_restores_power,
    axes=FigureAxes("Wavenumber", "Power of the forecast over that of the truth"),
    sizes={
        size: SizeSettings(
            min(settings.seeds, 3) if size is StudySize.QUICK else settings.seeds,
            {key: value for key, value in settings.settings.items() if key != "members"}
            | {"more": {StudySize.SMOKE: 2, StudySize.QUICK: 100, StudySize.FULL: 5_000}[size]},
        )
        for size, settings in _SIZES.items()
    },
    tested=Tested.CASE,
    limits=(-math.inf, 1.0),
    factor="the network",
    caveat=(
        _CAVEAT
        + " Power is restored and no skill: at the last lead time neither loss yields coherence in detail. The notes "
        "of the measurements say what the power costs in mean square error."
    ),
)


def measure_members_keep_power(
    seed: int,
    ensemble: str,
    lead: int,
    side: int,
    samples: int,
    tested: int,
    width: int,
    steps: int,
    members: int,
) -> Measurement:
    """Measure the share of the power in dB, lost by the ensemble mean, that its members have."""
    training, test = _states(seed, side, samples, tested)
    truth = test.states[:, lead : lead + 1]
    with torch_seed(seed, ensemble):
        if ensemble == "network":
            runs = _network_members(training, test, lead, width, steps, members)
        else:
            runs = _solver_members(training, test, members)[:, :, lead : lead + 1]
            if ensemble == "one run":
                runs = runs[:1].expand_as(runs)
    mean = compare(runs.mean(0), truth)
    single = compare(runs.flatten(0, 1), truth.expand_as(runs).flatten(0, 1))
    bands = upper_bands(side)
    lost = -power_decibels(mean.prediction, mean.target, bands)
    deviation = power_decibels(single.prediction, single.target, bands)
    spread = float((runs.var(0) * (1 + 1 / members)).mean() / (runs.mean(0) - truth).square().mean())
    return Measurement(
        1 - abs(deviation / lost),
        {"mean": _ratio_curve(mean, side, 0), "members": _ratio_curve(single, side, 0)},
        (
            f"the mean lacks {lost:.1f} dB, its members deviate by {deviation:+.1f} dB; variance over squared error "
            f"of the mean {spread:.2f}",
        ),
    )


def _network_members(
    training: Forecasts, test: Forecasts, lead: int, width: int, steps: int, members: int
) -> Tensor:
    """Return (member, sample, 1, side, side) outputs of a U-Net with noise among its inputs, trained by CRPS."""
    network = UNet(3, 1, width)

    def noisy(fields: Tensor) -> Tensor:
        return torch.cat([fields, torch.randn(len(fields), 2, *fields.shape[-2:], device="cpu")], 1)

    class Pair(nn.Module):
        def forward(self, fields: Tensor) -> Tensor:
            return torch.cat([network(noisy(fields)), network(noisy(fields))], 1)

    def crps(pair: Tensor, target: Tensor) -> Tensor:
        # The fair score of two members: E|X - y| - E|X - X'| / 2.
        return (pair - target).abs().mean() - (pair[:, :1] - pair[:, 1:]).abs().mean() / 2

    pairs = Pair()
    pairs.network = network
    train_on_fields(pairs, training.analysis, training.states[:, lead : lead + 1], steps, loss=crps)
    return torch.stack([predict(network, noisy(test.analysis)) for _ in range(members)])


MEMBERS_KEEP_POWER = Study(
    name="members-keep-power",
    topic=Topic.FIELDS,
    claim="The members of an ensemble have the power that the mean of the ensemble loses.",
    source=(
        "Price et al. 2025, Probabilistic weather forecasting with machine learning, Nature 637, figure 2 "
        "(arXiv:2312.15796); Lang et al. 2024, AIFS-CRPS, section 4 (arXiv:2412.15832)"
    ),
    statistic=(
        "1 less the deviation of the members' power over that of the mean's, both from the truth's, in dB in the "
        "upper half of the wavenumbers"
    ),
    criterion=AtLeast(0.8),
    conditions=(
        Condition("solver, first lead time", {"ensemble": "solver", "lead": 0}),
        Condition("solver, last lead time", {"ensemble": "solver", "lead": len(_LEADS) - 1}),
        Condition("U-Net with noise, trained by CRPS", {"ensemble": "network", "lead": len(_LEADS) - 1}),
    ),
    control=Condition("members without spread", {"ensemble": "one run", "lead": len(_LEADS) - 1}),
    positive=MET_BY_A_CONDITION,
    measure=measure_members_keep_power,
    axes=FigureAxes("Wavenumber", "Power over that of the truth"),
    sizes=_SIZES,
    tested=Tested.CASE,
    limits=(-math.inf, 1.0),
    factor="the ensemble",
    caveat=_CAVEAT,
)

STUDIES = (REGRESSION_BLURS, AMSE_RESTORES_POWER, MEMBERS_KEEP_POWER)
