"""Settings of a network: encoding, activations and sizes."""

from __future__ import annotations

import dataclasses
import numbers
from dataclasses import dataclass
from enum import Enum
from typing import Any

from overtone._config._option import documented, option
from overtone._utils.enums import parse_enum
from overtone._utils.numbers import short, whole
from overtone.errors import InputError

DEFAULT_WIDTH, DEFAULT_FEATURES = 256, 256
"""Default number of units of a hidden layer and of frequencies of an encoding."""

_MAX_SIZE, _MAX_DEPTH = (1 << 31) - 1, 4096


class EncodingKind(Enum):
    """Coordinate encoding by name; AUTO is GAUSSIAN, or NONE if the first activation is periodic or localised."""

    AUTO = "auto"
    NONE = "none"
    BASIC = "basic"
    POSITIONAL = "positional"
    GAUSSIAN = "gaussian"
    POWER_LAW = "power-law"
    LEARNED = "learned"
    PERIODIC = "periodic"
    HASH_GRID = "hash-grid"
    DENSE_GRID = "dense-grid"
    TRIPLANE = "triplane"

    @property
    def domain(self) -> tuple[float, float]:
        """Range to which coordinates are scaled."""
        return (-1.0, 1.0) if self in (EncodingKind.NONE, EncodingKind.PERIODIC) else (0.0, 1.0)

    @property
    def has_bandwidth(self) -> bool:
        """Whether its bandwidth can be set."""
        return self not in (EncodingKind.AUTO, EncodingKind.NONE, EncodingKind.BASIC)


class Activation(Enum):
    """Activation by name, as networks and settings take it.

    Example:
        >>> from overtone import nn
        >>> nn.MLP(2, 1, 64, 3, activation=nn.activations.Activation("tanh")).describe()
        'MLP 3 x 64 Tanh'
    """

    RELU = "relu"
    LEAKY_RELU = "leaky-relu"
    TANH = "tanh"
    SIGMOID = "sigmoid"
    SILU = "silu"
    SWISH = "swish"
    GELU = "gelu"
    SOFTPLUS = "softplus"
    SINE = "sine"
    FINER = "finer"
    GABOR = "gabor"
    COMPLEX_GABOR = "complex-gabor"
    GAUSS = "gauss"
    SINC = "sinc"
    HAT = "hat"
    QUADRATIC = "quadratic"
    MULTIQUADRATIC = "multiquadratic"

    @property
    def has_bandwidth(self) -> bool:
        """Whether a first layer with this activation has a bandwidth, without an encoding before it."""
        return self not in _WITHOUT_BANDWIDTH

    @classmethod
    def _missing_(cls, value: object) -> Activation:
        known = ", ".join(member.value for member in cls)
        raise InputError(f"one of {known}", repr(value), "pass the name of an activation", "activation")


# The first eight members are PyTorch's activations.
_WITHOUT_BANDWIDTH = frozenset(list(Activation)[:8])


class Choosing(Enum):
    """Thoroughness of the choice of a bandwidth: by regressions alone, or also by trials of the best.

    Example:
        >>> Choosing("quick").name
        'QUICK'
    """

    QUICK = "quick"
    THOROUGH = "thorough"


@documented
@dataclass(frozen=True)
class ModelConfig:
    """Settings of the network for a signal.

    Names of encodings and activations and a single bandwidth are accepted wherever a member or a tuple is documented.

    Example:
        >>> from overtone.fitting import ModelConfig
        >>> ModelConfig("hash-grid", bandwidth=20.0).bandwidth
        (20.0,)

    Raises:
        InputError: If a name is unknown, or a number is not what its option says.
    """

    encoding: EncodingKind = option(
        EncodingKind.AUTO,
        f"Coordinate encoding: {', '.join(kind.value for kind in EncodingKind if kind is not EncodingKind.AUTO)}; "
        "auto is gaussian, or none if the first activation is periodic or localised.",
        metavar="NAME",
    )
    bandwidth: tuple[float, ...] | None = option(
        None,
        "Bandwidth of the encoding or activation, below which 90 % of its spectral power lies, in cycles per unit of "
        "the coordinate: one number, or one per axis (10,20).",
        metavar="CYCLES",
        default="chosen from the signal",
    )
    activation: tuple[Activation, ...] = option(
        (Activation.RELU,),
        f"{', '.join(one.value for one in Activation if not one.has_bandwidth)}, or periodic and localised ones: "
        f"{', '.join(one.value for one in Activation if one.has_bandwidth)}; one, or one per hidden layer "
        "(sine,relu,relu).",
        metavar="NAME",
    )
    width: int | None = option(None, "Units per hidden layer.", default="256, or fewer for short {seconds}")
    depth: int = option(3, "Hidden layers.")
    features: int | None = option(
        None,
        "Frequencies of the gaussian, power-law and learned encodings.",
        default="256, or as many as samples",
    )
    residual: bool = option(False, "Use residual (skip) connections.")
    choose: Choosing | None = option(
        None,
        "How a bandwidth is chosen: thorough trains the best few for up to a quarter of the steps in all; quick "
        "skips this and may choose a worse one.",
        metavar="NAME",
        default="thorough",
    )

    def __post_init__(self) -> None:
        """Convert the accepted types to the documented ones."""
        object.__setattr__(self, "encoding", parse_enum(EncodingKind, self.encoding, "encoding"))
        object.__setattr__(self, "bandwidth", _per_axis(self.bandwidth))
        if self.choose is not None:
            object.__setattr__(self, "choose", parse_enum(Choosing, self.choose, "choose"))
        object.__setattr__(self, "activation", _activations(self.activation))
        for name, largest in (("width", _MAX_SIZE), ("depth", _MAX_DEPTH), ("features", _MAX_SIZE)):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, whole(getattr(self, name), name, 1, largest))

    @property
    def resolved_encoding(self) -> EncodingKind:
        """The encoding, with AUTO resolved."""
        if self.encoding is not EncodingKind.AUTO:
            return self.encoding
        return EncodingKind.NONE if self.activation[0].has_bandwidth else EncodingKind.GAUSSIAN

    @property
    def has_bandwidth(self) -> bool:
        """Whether a bandwidth can be set: that of the encoding, or of the first activation without an encoding."""
        kind = self.resolved_encoding
        return kind.has_bandwidth or (kind is EncodingKind.NONE and self.activation[0].has_bandwidth)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return to_json(self)


def to_json(config: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as JSON values: names for members, lists for tuples."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _activations(choice: Any) -> tuple[Activation, ...]:
    choices = [choice] if isinstance(choice, Activation | str) else choice
    if not isinstance(choices, list | tuple) or not choices:
        raise InputError(
            "one activation or one per hidden layer", short(choice), "pass for instance relu", "activation"
        )
    return tuple(parse_enum(Activation, name, "activation") for name in choices)


def _per_axis(bandwidth: Any) -> tuple[float, ...] | None:
    """Return one number or one per axis as a tuple; None stays None."""
    if bandwidth is None:
        return None
    try:
        items = [bandwidth] if isinstance(bandwidth, numbers.Real | str) else list(bandwidth)
    except TypeError:
        items = [bandwidth]
    try:
        # Scalars of NumPy and of torch become Python's, so that neither has to be imported to know them.
        values = [item.item() if hasattr(item, "item") else item for item in items]
        if not any(isinstance(v, bool) or not isinstance(v, numbers.Real) for v in values):
            return tuple(map(float, values))
        problem: Exception | None = None
    except (OverflowError, TypeError, ValueError, RuntimeError) as refused:
        problem = refused
    raise InputError(
        "one number or one per axis", short(bandwidth), "pass for instance 10.0", "bandwidth"
    ) from problem
