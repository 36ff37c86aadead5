"""All settings of a fit, and the keyword arguments that set them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from overtone._config._model import Activation, Choosing, EncodingKind, ModelConfig
from overtone._config._option import documented, option
from overtone._config._training import Decay, Optimizer, Precision, TrainingConfig
from overtone._utils.numbers import as_float, short
from overtone.errors import InputError


@documented
@dataclass(frozen=True)
class StoppingConfig:
    """Settings of held-out samples, early stopping and the controller.

    Example:
        >>> from overtone.fitting import StoppingConfig
        >>> StoppingConfig(held_out=0.2, controller=True).stop
        True

    Raises:
        InputError: If the fraction is not in [0, 1).
    """

    held_out: float = option(
        0.1,
        "Fraction of the samples kept out of training; 0 for none. Ignored if the signal has held-out samples already.",
        metavar="FRACTION",
    )
    stop: bool = option(
        True,
        "Whether to end training when the error on held-out samples rises, and restore the best network.",
    )
    controller: bool = option(
        False,
        "Increase the bandwidth as bands are learned; when noise is being fitted, restore the best weights and lower "
        "the learning rate.",
    )

    average: bool = option(
        True,
        "Whether early stopping with minibatches also evaluates a moving average of the weights, and restores it if "
        "it is better.",
    )

    def __post_init__(self) -> None:
        """Check the fraction."""
        if not 0 <= as_float(self.held_out) < 1:
            raise InputError(
                "a fraction from 0 to below 1", short(self.held_out), "pass for instance 0.1", "held_out"
            )


@dataclass(frozen=True)
class MonitorConfig:
    """Part of a grid on which each row is measured, and steps at which the whole prediction is recorded.

    Without `samples` and `start`, rows are measured on the whole grid; at scattered points the settings do not apply.

    Attributes:
        samples: Number of samples spread over the grid.
        seed: Seed of their choice.
        start: First sample of a block per axis; used if `samples` is None.
        shape: Samples of that block per axis.
        snapshots: Steps at which the whole prediction is recorded.

    Example:
        >>> from overtone.fitting import MonitorConfig
        >>> MonitorConfig(samples=4096, snapshots=(0, 100)).to_json()
        {'spread': 4096, 'seed': 0, 'snapshots': [0, 100]}
    """

    samples: int | None = None
    seed: int = 0
    start: tuple[int, ...] | None = None
    shape: tuple[int, ...] | None = None
    snapshots: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        snapshots = list(self.snapshots)
        if self.samples is not None:
            return {"spread": self.samples, "seed": self.seed, "snapshots": snapshots}
        start, shape = (None if axes is None else list(axes) for axes in (self.start, self.shape))
        return {"start": start, "shape": shape, "snapshots": snapshots}

    @staticmethod
    def from_json(plain: dict[str, Any]) -> MonitorConfig:
        """Return the settings that `to_json` wrote, also in the older form of one block.

        Raises:
            TypeError: If a list of integers is missing.
            KeyError: If a key is missing.
        """
        snapshots = _whole(plain["snapshots"])
        if "spread" in plain:
            samples, seed = _whole([plain["spread"], plain["seed"]])
            return MonitorConfig(samples, seed, snapshots=snapshots)
        if plain["start"] is None:
            return MonitorConfig(snapshots=snapshots)
        return MonitorConfig(start=_whole(plain["start"]), shape=_whole(plain["shape"]), snapshots=snapshots)


def _whole(plain: Any) -> tuple[int, ...]:
    if not isinstance(plain, list) or not all(type(n) is int for n in plain):
        raise TypeError("expected a list of integers")
    return tuple(plain)


class FitOptions(TypedDict, total=False):
    """Keyword arguments of `fit` and `predict`: the fields of `ModelConfig`, `TrainingConfig` and `StoppingConfig`."""

    encoding: EncodingKind | str
    bandwidth: float | Sequence[float] | None
    activation: Activation | str | Sequence[Activation | str]
    width: int | None
    depth: int
    features: int | None
    residual: bool
    choose: Choosing | str | None
    steps: int | None
    seconds: float | None
    batch: int | None
    lr: float | None
    optimizer: Optimizer | str
    momentum: float
    weight_decay: float
    decay: Decay | str
    precision: Precision | str
    compile: bool | None
    seed: int
    held_out: float
    stop: bool
    controller: bool
    average: bool
    monitor: MonitorConfig | None
    device: Any


@documented
@dataclass(frozen=True)
class FitConfig:
    """All settings of a fit.

    `fit(signal, width=64, steps=500)` and `fit(signal, config=FitConfig().replace(width=64, steps=500))` are the same.

    Attributes:
        model: Encoding, activations and sizes of the network.
        training: Budget, optimizer, learning rate, batches and seed.
        stopping: Held-out samples, early stopping and controller.
        monitor: Measurements during the run; if None, they are planned to take a twentieth of the training time.

    Example:
        >>> from overtone.fitting import FitConfig
        >>> config = FitConfig().replace(width=64, steps=500, encoding="positional")
        >>> config.model.width, config.training.steps, config.model.encoding.value
        (64, 500, 'positional')
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    stopping: StoppingConfig = field(default_factory=StoppingConfig)
    monitor: MonitorConfig | None = None
    device: str = option(
        "auto",
        "Device to train on: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one.",
        metavar="NAME",
    )

    def __post_init__(self) -> None:
        """Convert a `torch.device` to its name."""
        object.__setattr__(self, "device", str(self.device))

    def replace(self, **options: Unpack[FitOptions]) -> FitConfig:
        """Return the settings with some options changed, each given by its own name.

        Args:
            **options: Fields of `model`, `training` and `stopping`, and `monitor` and `device`.

        Raises:
            InputError: If a value is wrong.
            TypeError: If a name is unknown.
        """
        # Names are unique over the parts, so that each option needs no path to its part.
        by_part: dict[str, dict[str, Any]] = {}
        for name, value in options.items():
            if name not in PART_OF:
                raise TypeError(f"there is no option {name!r} of a fit")
            by_part.setdefault(PART_OF[name], {})[name] = value
        changed = by_part.pop("", {})
        # Each part is replaced once with all its options, since parts check combinations of them.
        changed |= {part: dataclasses.replace(getattr(self, part), **vs) for part, vs in by_part.items()}
        return dataclasses.replace(self, **changed)


PART_OF = {
    f.name: part
    for part, config in (("model", ModelConfig), ("training", TrainingConfig), ("stopping", StoppingConfig))
    for f in dataclasses.fields(config)
} | {"monitor": "", "device": ""}
"""Name of the part of `FitConfig` that contains an option; "" for the fields of `FitConfig` itself."""
