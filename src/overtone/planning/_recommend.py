"""`plan`: encoding, bandwidth, size, stopping rule and expected quality, on a grid or at scattered points."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Literal, TypeVar, overload

import torch

from overtone._config import Choosing, EncodingKind, ModelConfig
from overtone._training import TrainingConfig
from overtone._utils.enums import parse_enum
from overtone._utils.torch_defaults import standard
from overtone.errors import InputError
from overtone.nn import Field
from overtone.nn._build import build_field
from overtone.nn.activations._base import SpectralActivation
from overtone.operators import Choice, choose_bandwidth
from overtone.operators._balance import balanced_choice
from overtone.operators._evidence import is_measurement
from overtone.operators._training import LEARNING_RATE as OPERATOR_LEARNING_RATE
from overtone.planning._bandwidth import recommend_bandwidth
from overtone.planning._candidates import LOWEST_CYCLES, TOP_SHARE, ladder_cycles
from overtone.planning._comparison import BandwidthComparison, Entry
from overtone.planning._held_out import MIN_SAMPLES, ensure_held_out, expected_psnr, stated_from
from overtone.planning._labels import ClassPlan, LabelCandidates, indicators, is_labelled, plan_labels
from overtone.planning._own_network import Factory, OwnNetwork
from overtone.planning._plan import Alternative, Plan, is_recommended, make_plan, outcome_reasons
from overtone.planning._ranking import (
    FOURIER,
    GABOR,
    LOCALISED,
    OF_ACTIVATIONS,
    OWN,
    Ranking,
    ranking_of,
)
from overtone.planning._reasons import Reason, ReasonCode
from overtone.planning._run_size import (
    LEARNING_RATE,
    STEPS,
    Budget,
    RunSize,
    fast_sines,
    run_size,
    step_seconds,
)
from overtone.planning._scan import measure_noise
from overtone.signals import Geometry, Grid, Measured, Signal, validate
from overtone.spectra import NoiseFloor, NoiseVerdict
from overtone.units._frequency import positive

SHAPE_RATIO = 1.5
"""Ratio between axes from which on the shape that the spectrum recommends is compared with the isotropic one."""

MIN_SCATTERED_CYCLES = 1 / 8
"""Cycles per extent of the lowest candidate for scattered samples, whose axes may be many."""

CELL_CYCLES = 8.0
"""Cycles per extent of grids of cells, where neither the spectrum goes beyond it nor half of Nyquist below: the lowest
bandwidth at which the levels of the usual sixteen cells at the coarsest differ from each other."""

G = TypeVar("G", bound=Geometry)


@overload
def plan(
    signal: Signal[Geometry],
    budget: Budget | None = None,
    *,
    noise: NoiseFloor | None = None,
    size: RunSize | None = None,
    choose: Choosing | str = Choosing.THOROUGH,
    network: Factory | None = None,
    library: str = "bandwidth",
    domain: tuple[float, float] | None = None,
    lr: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    quantities: Literal[True],
) -> Plan: ...


@overload
def plan(
    signal: Signal[Geometry],
    budget: Budget | None = None,
    *,
    noise: NoiseFloor | None = None,
    size: RunSize | None = None,
    choose: Choosing | str = Choosing.THOROUGH,
    network: Factory | None = None,
    library: str = "bandwidth",
    domain: tuple[float, float] | None = None,
    lr: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    quantities: bool = False,
) -> Plan | ClassPlan: ...


@overload
def plan(
    signal: Measured, budget: Budget | None = None, *, lr: float | None = None, seed: int = 0
) -> Choice: ...


@standard()
def plan(
    signal: Signal[Geometry] | Measured,
    budget: Budget | None = None,
    *,
    noise: NoiseFloor | None = None,
    size: RunSize | None = None,
    choose: Choosing | str = Choosing.THOROUGH,
    network: Factory | None = None,
    library: str = "bandwidth",
    domain: tuple[float, float] | None = None,
    lr: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    quantities: bool = False,
) -> Plan | ClassPlan | Choice:
    """Plan a fit from the signal's own samples: bandwidths shortlisted by ridge regression, the best trained briefly.

    Candidates a factor of 2 apart, from a quarter of a cycle per extent to half of Nyquist, are compared. The
    shortlist is by the held-out error of ridge regressions on the last hidden layer of untrained copies of the network
    itself, at the ridge 2e-5 / steps per sample, which stands for the length of the run (with Fourier features for its
    first 300 steps at most). The best two (of networks without Fourier features three to five) are then trained for
    real, each for at most a twelfth and together for at most a quarter of the run, and the choice minimises, in dB,

        trial + (ridge of the whole run - ridge of the trial's steps) + ridge of the whole run,

    or the trial alone where the regressions do not predict the trials.

    Values at scattered points that are probably labels (two values, or up to ten whole numbers, each in ten samples or
    more) are judged by cross-entropy: `ClassPlan` has the bandwidth for a network with one output per class.

    On grids the shape that the spectrum recommends is compared with the isotropic one; each axis in turn is tried at a
    fourth and four times its bandwidth. At scattered points plain coordinates are tried as well, for tables also the
    periodic embedding.

    Args:
        signal: The signal to learn. Where it holds out no samples, a tenth is held out. Of a field known through
            operators (`operators.equation`, `signals.kspace` and others) the answer is `operators.choose_bandwidth` for
            the steps of the budget; only `seed` and `lr` apply besides.
        budget: Budget of the fit; 2,000 steps of a network of 256 units if None.
        noise: The noise floor, if it is known already.
        size: Network and run, if they are decided already; `budget` is ignored then.
        choose: "thorough" trains the shortlist briefly, "quick" does not.
        network: A network of the caller: a function from a number in the library's convention to a `torch.nn.Module`,
            which takes coordinates of which every axis fills `domain` and returns normalised values. The answer is
            `Plan.setting`. Of labels it returns one logit per class.
        library: The convention of that number, a key of `units.CONVENTIONS`: "siren" for omega_0, "finer", "wire" and
            "gauss" for those networks, "tancik" for sigma, "nerf" for octaves; "bandwidth" for cycles per unit of the
            coordinates.
        domain: Range of the coordinates; the library's usual one if None.
        lr: Learning rate of Adam; that of the budget if None.
        seed: Seeds frequencies and the held-out samples.
        device: Device of the fit.
        quantities: Whether scattered values that are probably labels are numbers to learn by squared error.

    Returns:
        The plan; the plan of a classifier for labels; the choice of a field known through operators.

    Raises:
        InputError: If it is no signal, an option does not apply to it, one of several channels is probably labels, the
            training or the held-out samples have one class alone, the budget does not pay for the smallest network
            (says what would be enough), or the factory returns no module, another one each time, or one of another
            shape.

    Example:
        >>> import overtone as ot
        >>> rows = ot.signals.synthetic.power_law((16, 16), 3.0, seed=0)
        >>> result = ot.plan(rows, ot.planning.Budget(steps=300), choose="quick")
        >>> result.recommended, result.encoding.value, result.steps
        (True, 'gaussian', 300)
    """
    choose = parse_enum(Choosing, choose, "choose")
    if lr is not None:
        lr = positive(lr, "lr")
    if isinstance(signal, Measured):
        ignored = {"noise": noise, "size": size, "network": network, "domain": domain}
        for name, value in ignored.items():
            if value is not None:
                raise InputError(
                    "options that apply to a field known through operators",
                    name,
                    "leave it out, or call operators.choose_bandwidth, which takes the network",
                    name,
                )
        steps = (budget or Budget()).steps or STEPS
        # Equations get the weights that a fit gives them.
        decide = choose_bandwidth if is_measurement(signal) else balanced_choice
        return decide(signal, steps=steps, seed=seed, learning_rate=lr or OPERATOR_LEARNING_RATE)
    split = ensure_held_out(validate(signal), seed)
    # Squared error would take the third class for three times the first.
    if not quantities and _is_scattered(signal) and is_labelled(signal):
        return _plan_labels(
            signal, split, network, (library, domain), budget or Budget(), size, lr, choose, seed, device
        )
    if network is not None:
        factory = OwnNetwork(network, signal if split is None else split, library, domain)
        return _plan_own(
            signal, split, factory, budget or Budget(), lr or LEARNING_RATE, choose, seed, device
        )
    size = size or run_size(signal if split is None else split, budget or Budget(), device)
    size = size if lr is None else replace(size, lr=lr)
    model = ModelConfig(width=size.width, depth=size.depth, features=size.features)
    training = TrainingConfig(steps=size.steps, batch=size.batch, lr=size.lr, seed=seed)
    return plan_model(signal, model, size, training, noise=noise, choose=choose, device=device)


def plan_model(
    signal: Signal[Geometry],
    model: ModelConfig,
    size: RunSize,
    training: TrainingConfig,
    *,
    noise: NoiseFloor | None = None,
    choose: Choosing = Choosing.THOROUGH,
    device: torch.device | str = "cpu",
) -> Plan:
    """Plan a fit of a network whose settings are decided but for the bandwidth.

    Args:
        signal: The signal to learn.
        model: The network; its bandwidth is ignored.
        size: Network and run.
        training: Settings of the run, with its steps and learning rate.
        noise: The noise floor, if it is known already.
        choose: Whether to train the shortlist briefly.
        device: Device of the fit.
    """
    context = _context(signal.geometry, signal, noise)
    kind, seed = model.resolved_encoding, training.seed
    split = ensure_held_out(signal, seed)
    if split is None:
        few = {"samples": len(signal.values), "fallback": context.fallback}
        reasons = [*context.reasons, Reason(ReasonCode.TOO_FEW_SAMPLES, few)]
        return make_plan(kind, context.estimate, size, reasons)

    def build(entry: Entry, seed: int) -> Field:
        family, bandwidth = entry
        settings = replace(model, encoding=family or kind, bandwidth=bandwidth)
        return build_field(
            split, settings if settings.has_bandwidth else replace(settings, bandwidth=None), seed
        )

    ranking = ranking_of(model)
    comparison = BandwidthComparison(split, build, ranking, training, choose, seed, device)
    shapes = context.ladder
    if ranking in OF_ACTIVATIONS:
        # An activation has one frequency for all axes.
        shapes = _with_lower(context.ladder[: context.rungs], ranking)
    elif ranking.is_fixed:
        shapes = [context.cells]
    ladder = [(kind, bandwidth) for bandwidth in shapes]
    if not comparison.varies:
        reasons = [*context.reasons, Reason(ReasonCode.CONSTANT_HELD_OUT)]
        return make_plan(kind, context.estimate, size, reasons)
    spectrum = None if _is_scattered(signal) else context.estimate
    result = comparison.compare(ladder, _others(split, model), spectrum)
    chosen = result.chosen
    explained = 1 - result.error / result.baseline
    worthwhile = is_recommended(explained, result.held_out)
    expected = expected_psnr(result.error, context.variance, result.held_out, signal.peak, result.gain)
    # Without a trial nothing is known of untrained cells, whose values are nearly 0.
    untried = ranking.is_fixed and not result.trial_steps
    worthwhile = worthwhile or untried
    native = fast_sines(ranking, training, size.width)
    native += _parameters(build((chosen.encoding, chosen.bandwidth), seed), chosen.encoding or kind)
    closing = [*native, *outcome_reasons(explained, worthwhile, expected, size)]
    too_short = _too_short(training, size.width)
    # Of signals too large for the regressions only the short trials are known, which say little of the whole run.
    unknown = untried or bool(too_short) or (comparison.is_large and spectrum is not None)
    if unknown:
        closing = [reason for reason in closing if reason.code is not ReasonCode.EXPECTED_PSNR]
        closing += too_short
    if untried:
        closing = [reason for reason in closing if reason.code is not ReasonCode.EXPLAINED_POWER]
    ranked = sorted(
        (c for c in result.candidates if not c.chosen and math.isfinite(c.psnr)), key=lambda c: -c.psnr
    )
    return make_plan(
        chosen.encoding or kind,
        chosen.bandwidth,
        size,
        [*context.reasons, *result.reasons, *closing],
        recommended=worthwhile,
        expected=None if unknown else expected,
        alternatives=tuple(Alternative(c.encoding or kind, c.bandwidth, c.psnr) for c in ranked),
        candidates=result.candidates,
        trial_steps=result.trial_steps,
    )


def _plan_own(
    signal: Signal[Geometry],
    split: Signal[Geometry] | None,
    factory: OwnNetwork,
    budget: Budget,
    lr: float,
    choose: Choosing,
    seed: int,
    device: torch.device | str,
) -> Plan:
    """Plan for a network of the caller, whose sizes and kind are not known."""
    context = _context(signal.geometry, signal, None)
    # Nothing is known of a network but what its number is said to mean.
    ranking = OWN
    if factory.activation is not None:
        ranking = ranking_of(ModelConfig(EncodingKind.NONE, activation=(factory.activation,)))
    ladder = factory.reached(_with_lower(context.ladder[: context.rungs], ranking))
    field = factory.build(ladder[min(2, len(ladder) - 1)], seed)
    steps = budget.steps or STEPS
    if budget.seconds is not None:
        steps = _affordable(field, split or signal, budget, torch.device(device))
    # Units, layers and frequencies are the caller's.
    size = RunSize(0, 0, 0, steps, None, lr)
    training = TrainingConfig(steps=steps, lr=lr, seed=seed)
    if split is None:
        few = {"samples": len(signal.values), "fallback": context.fallback}
        reasons = [*context.reasons, Reason(ReasonCode.TOO_FEW_SAMPLES, few)]
        return make_plan(
            EncodingKind.NONE, context.estimate, size, reasons, setting=factory.setting(context.estimate)
        )

    def build(entry: Entry, seed: int) -> Field:
        return factory.build(entry[1], seed)

    comparison = BandwidthComparison(split, build, ranking, training, choose, seed, device)
    if not comparison.varies:
        reasons = [*context.reasons, Reason(ReasonCode.CONSTANT_HELD_OUT)]
        return make_plan(
            EncodingKind.NONE, context.estimate, size, reasons, setting=factory.setting(context.estimate)
        )
    result = comparison.compare([(None, bandwidth) for bandwidth in factory.distinct(ladder)])
    explained = 1 - result.error / result.baseline
    worthwhile = is_recommended(explained, result.held_out)
    setting = factory.setting(result.chosen.bandwidth)
    expected = expected_psnr(result.error, context.variance, result.held_out, signal.peak, result.gain)
    quality = {**asdict(expected), "steps": steps}
    too_short = _too_short(training, size.width)
    closing = [
        Reason(ReasonCode.NETWORK_SETTING, asdict(setting)),
        Reason(ReasonCode.EXPLAINED_POWER, {"fraction": explained, "recommended": worthwhile}),
        *(too_short or [Reason(ReasonCode.EXPECTED_PSNR, quality)]),
    ]
    return make_plan(
        EncodingKind.NONE,
        result.chosen.bandwidth,
        size,
        [*context.reasons, *result.reasons, *closing],
        recommended=worthwhile,
        expected=None if too_short else expected,
        candidates=result.candidates,
        trial_steps=result.trial_steps,
        setting=setting,
    )


def _too_short(training: TrainingConfig, width: int) -> list[Reason]:
    """A reason to state no quality, for runs in which weights can hardly move."""
    steps, enough = training.max_steps, stated_from(training, width)
    assert steps is not None
    if steps >= enough:
        return []
    return [
        Reason(
            ReasonCode.NO_EXPECTATION, {"steps": steps, "lr": training.learning_rate, "enough_steps": enough}
        )
    ]


def _with_lower(ladder: list[tuple[float, ...]], ranking: Ranking) -> list[tuple[float, ...]]:
    """A ladder that begins two octaves lower for localised activations, whose layers multiply frequencies most."""
    if ranking not in (LOCALISED, GABOR):
        return ladder
    return [*(tuple(part * b for b in ladder[0]) for part in (1 / 4, 1 / 2)), *ladder]


def _plan_labels(
    signal: Signal[Geometry],
    split: Signal[Geometry] | None,
    network: Factory | None,
    options: tuple[str, tuple[float, float] | None],
    budget: Budget,
    size: RunSize | None,
    lr: float | None,
    choose: Choosing,
    seed: int,
    device: torch.device | str,
) -> ClassPlan:
    """Plan for labels, with a network of overtone or of the caller."""
    if split is None:
        raise InputError(
            f"at least {MIN_SAMPLES} samples with labels", f"{len(signal.values)}", "pass more", "signal"
        )
    made, classes = indicators(split)
    training = TrainingConfig(steps=budget.steps or STEPS, lr=lr or LEARNING_RATE, seed=seed)
    ladder = _context(made.geometry, made, None).ladder
    if network is not None:
        factory = OwnNetwork(network, made, *options)
        ladder = factory.reached(ladder)
        if budget.seconds is not None:
            steps = _affordable(factory.build(ladder[0], seed), made, budget, torch.device(device))
            training = replace(training, steps=steps)
        entries: list[Entry] = [(None, bandwidth) for bandwidth in factory.distinct(ladder)]
        compared = LabelCandidates(
            entries, (), lambda entry, seed: factory.build(entry[1], seed), factory.setting
        )
        return plan_labels(made, classes, compared, training, choose, torch.device(device))
    size = size or run_size(made, budget, device)
    model = ModelConfig(width=size.width, depth=size.depth, features=size.features)
    kind = model.resolved_encoding

    def build(entry: Entry, seed: int) -> Field:
        encoding, bandwidth = entry
        settings = replace(model, encoding=encoding or kind, bandwidth=bandwidth)
        return build_field(
            made, settings if settings.has_bandwidth else replace(settings, bandwidth=None), seed
        )

    training = replace(training, steps=size.steps, batch=size.batch, lr=lr or size.lr)
    compared = LabelCandidates([(kind, b) for b in ladder], tuple(_other_encodings(made, model)), build)
    return plan_labels(made, classes, compared, training, choose, torch.device(device))


def _affordable(field: Field, signal: Signal[Geometry], budget: Budget, device: torch.device) -> int:
    """Steps of a network of the caller that a budget in seconds pays for."""
    assert budget.seconds is not None
    possible = step_seconds(field, signal, device)
    return max(1, min(int(budget.seconds / possible), budget.steps or sys.maxsize))


def _parameters(field: Field, kind: EncodingKind) -> list[Reason]:
    """The chosen bandwidth in the parameters of the network, and the coordinates that they refer to."""
    first = getattr(field.body, "activations", [None])[0]
    activation = kind is EncodingKind.NONE
    if activation and not isinstance(first, SpectralActivation):
        return []
    module = repr(first) if activation else field.encoding.describe()
    values = {"module": module, "activation": activation, "domain": kind.domain}
    return [Reason(ReasonCode.NETWORK_PARAMETERS, values)]


def _others(signal: Signal[Any], model: ModelConfig) -> Callable[[Entry], list[Entry]]:
    """Encodings that are tried beside the best bandwidth: none on grids, or where the encoding is asked for."""
    return lambda best: [(kind, best[1]) for kind in _other_encodings(signal, model)]


def _other_encodings(signal: Signal[Any], model: ModelConfig) -> list[EncodingKind]:
    if (
        model.encoding is not EncodingKind.AUTO
        or ranking_of(model) is not FOURIER
        or not _is_scattered(signal)
    ):
        return []
    return [EncodingKind.NONE, EncodingKind.PERIODIC] if signal.kind == "table" else [EncodingKind.NONE]


def _is_scattered(signal: Signal[Any]) -> bool:
    return not isinstance(signal.geometry, Grid)


class _Context:
    """Facts from the geometry of the samples, before any comparison.

    Attributes:
        ladder: Candidate bandwidths per axis, ascending for each shape, in cycles per unit.
        rungs: Candidates of the first shape.
        estimate: The bandwidth where nothing can be compared.
        fallback: Name of that estimate.
        variance: Variance of the noise, in value units squared; 0 if it is not known.
        cells: The bandwidth of grids of cells.
        reasons: Noise floor, spectrum and constant axes.
    """

    def __init__(
        self,
        ladder: list[tuple[float, ...]],
        estimate: tuple[float, ...],
        fallback: str,
        cells: tuple[float, ...],
        variance: float = 0.0,
        reasons: tuple[Reason, ...] = (),
        rungs: int | None = None,
    ) -> None:
        self.ladder, self.estimate, self.fallback, self.cells = ladder, estimate, fallback, cells
        self.rungs = rungs or len(ladder)
        self.variance, self.reasons = variance, reasons


@functools.singledispatch
def _context(geometry: Geometry, signal: Signal[Any], _: NoiseFloor | None) -> _Context:
    extent = geometry.extent
    # N samples spread evenly over a d-dimensional box have N^(1/d) per axis and half that as Nyquist frequency.
    nyquist = len(signal.train_index) ** (1 / len(extent)) / 2
    ladder = ladder_cycles(MIN_SCATTERED_CYCLES, max(1.0, TOP_SHARE * nyquist))
    cells = min(CELL_CYCLES, max(1.0, TOP_SHARE * nyquist))
    return _Context(
        [tuple(cycles / length for length in extent) for cycles in ladder],
        tuple(1 / length for length in extent),
        "one cycle per extent",
        tuple(cells / length for length in extent),
    )


@_context.register(Grid)
def _(grid: Grid, signal: Signal[Grid], noise: NoiseFloor | None) -> _Context:
    floor = noise or measure_noise(signal)
    recommended = recommend_bandwidth(signal, floor)
    limit = [n * e for n, e in zip(grid.nyquist, grid.extent, strict=True)]
    varying = [axis for axis, count in enumerate(grid.shape) if count > 1]

    def mean(values: tuple[float, ...]) -> float:
        return math.exp(sum(math.log(values[a]) for a in varying) / max(1, len(varying)))

    middle = mean(tuple(limit))
    share = tuple(n / middle for n in limit)
    shapes = [share]
    # The spectrum's own shape: how the axes differ in cycles per extent, with the same geometric mean.
    cycles = tuple(b * e for b, e in zip(recommended.bandwidth, grid.extent, strict=True))
    measured = tuple(c / mean(cycles) for c in cycles)
    ratios = [measured[axis] / share[axis] for axis in varying]
    if ratios and max(ratios) / min(ratios) > SHAPE_RATIO:
        shapes.append(measured)
    rungs = ladder_cycles(LOWEST_CYCLES, TOP_SHARE * middle)
    ladder = [
        tuple(c * s / e for s, e in zip(shape, grid.extent, strict=True)) for shape in shapes for c in rungs
    ]
    cells = min(max(CELL_CYCLES, mean(cycles)), TOP_SHARE * middle)
    variance = float(floor.std.square().mean()) if floor.verdict is NoiseVerdict.NOISE else 0.0
    reasons = (*recommended.reasons, *_constant_axes(signal))
    in_cells = tuple(cells * s / e for s, e in zip(share, grid.extent, strict=True))
    return _Context(ladder, recommended.bandwidth, "spectrum", in_cells, variance, reasons, len(rungs))


def _constant_axes(signal: Signal[Grid]) -> list[Reason]:
    """A reason for each axis along which the signal is constant."""
    field = signal.grid_values
    constant = [a for a in range(field.ndim - 1) if not bool((field != field.narrow(a, 0, 1)).any())]
    return [Reason(ReasonCode.CONSTANT_AXIS, {"axis": axis}) for axis in constant]
