"""What `run.json` holds: the settings a run began with, checked field by field where they are read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, final

from overtone._config import EncodingKind, ModelConfig
from overtone._training import Decay, Optimizer, Precision, TrainingConfig
from overtone._utils.enums import member
from overtone.errors import InputError
from overtone.fitting._monitor import WatchPlan
from overtone.nn import Activation

LARGEST = (1 << 53) - 1
"""The largest whole number in settings."""

LONGEST_PATH = 4096
"""Characters of a path."""

Some = TypeVar("Some")


@final
@dataclass(frozen=True)
class RunSettings:
    """The settings of a run.

    Attributes:
        source: Where the samples came from, if the run began on the command line: `path`, `clean` and `reading`.
        samples: Fingerprint of the samples; None in runs of old versions.
        network: The network asked for.
        training: The training; of a run that went on, with its longer budget.
        watch: What is recorded when.
        held_out: Fraction of the samples held out.
        stop: Whether the run may go back and end early.
        controller: Whether it is steered.
        bandwidth: The bandwidth chosen or given, per axis, in cycles per unit.
        reasons: Why, in sentences.
    """

    source: dict[str, Any] | None
    samples: str | None
    network: ModelConfig
    training: TrainingConfig
    watch: WatchPlan
    held_out: float
    stop: bool
    controller: bool
    bandwidth: tuple[float, ...] | None
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-able values."""
        return {
            "source": self.source,
            "samples": self.samples,
            "network": self.network.to_json(),
            "training": self.training.to_json(),
            "watch": self.watch.to_json(),
            "held_out": self.held_out,
            "stop": self.stop,
            "controller": self.controller,
            "bandwidth": None if self.bandwidth is None else list(self.bandwidth),
            "reasons": list(self.reasons),
        }


def settings_of(plain: Any, where: str) -> RunSettings:
    """The settings in the JSON of a `run.json`.

    Args:
        plain: What JSON gave.
        where: The file, for errors.

    Raises:
        InputError: If a field is missing or is not what it has to be; says which.
    """
    fields = Fields(plain, where)
    source = fields.maybe("source", fields.mapping)
    samples = fields.maybe("samples", fields.text)
    network = _network(fields.within("network"))
    training = _training(fields.within("training"))
    fields.whole_leaves("watch")
    watch = fields.made("watch", WatchPlan.from_json)
    held_out = fields.number("held_out", 0.0, math.nextafter(1.0, 0.0))
    stop = fields.switch("stop") if fields.has("stop") else False
    controller = fields.switch("controller") if fields.has("controller") else False
    bandwidth = fields.maybe("bandwidth", fields.bandwidth)
    reasons = tuple(fields.texts("reasons"))
    return RunSettings(
        source, samples, network, training, watch, held_out, stop, controller, bandwidth, reasons
    )


def _network(fields: Fields) -> ModelConfig:
    names = fields.texts("activation")
    activations = fields.made(
        "activation", lambda _: tuple(member(Activation, n, "activation") for n in names)
    )
    if not activations:
        raise fields.wrong("activation", "names of activations")
    return ModelConfig(
        fields.made("encoding", EncodingKind),
        fields.maybe("bandwidth", fields.bandwidth),
        activations,
        fields.whole("width", 1),
        fields.whole("depth", 1),
        fields.whole("features", 1),
        fields.switch("residual"),
    )


def _training(fields: Fields) -> TrainingConfig:
    try:
        return TrainingConfig(
            fields.maybe("steps", lambda name: fields.whole(name, 1)),
            fields.maybe("seconds", fields.number),
            fields.maybe("batch", lambda name: fields.whole(name, 1)),
            fields.number("lr"),
            fields.made("optimizer", Optimizer),
            fields.number("momentum"),
            fields.number("weight_decay"),
            fields.made("decay", Decay),
            fields.made("precision", Precision),
            fields.maybe("compile", fields.switch),
            fields.whole("seed", 0),
        )
    except InputError as refused:
        if refused.source == fields.where:
            raise
        raise fields.wrong(refused.source or "steps", refused.expected) from refused


@final
class Fields:
    """The fields of a JSON object, each checked as it is taken.

    Args:
        plain: What JSON gave.
        where: The file, for errors.
        path: Names of the objects that this one lies in.

    Raises:
        InputError: If it is no object.
    """

    def __init__(self, plain: Any, where: str, path: tuple[str, ...] = ()) -> None:
        self.where, self._path = where, path
        if not isinstance(plain, dict):
            what = f"whose {'.'.join(path)} is" if path else "that holds"
            raise InputError(
                f"settings of a run {what} names and values",
                _short(plain),
                "begin again with --overwrite",
                where,
            )
        self._plain = plain

    @property
    def names(self) -> list[str]:
        """The names of all fields."""
        return list(self._plain)

    def has(self, name: str) -> bool:
        """Whether there is such a field."""
        return name in self._plain

    def wrong(self, name: str, expected: str) -> InputError:
        """The error of a field that is not what was expected."""
        path = ".".join((*self._path, name))
        got = _short(self._plain[name]) if name in self._plain else "nothing"
        return InputError(
            f"settings of a run whose {path} is {expected}", got, "begin again with --overwrite", self.where
        )

    def within(self, name: str) -> Fields:
        """The fields of an object."""
        return Fields(self._plain.get(name), self.where, (*self._path, name))

    def maybe(self, name: str, take: Callable[[str], Some]) -> Some | None:
        """A field that may also be null or left out."""
        return None if self._plain.get(name) is None else take(name)

    def whole(self, name: str, least: int) -> int:
        """A whole number."""
        value = self._plain.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
            raise self.wrong(name, f"a whole number of at least {least}")
        return value

    def integer(self, name: str) -> int:
        """A whole number of either sign."""
        value = self._plain.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST:
            raise self.wrong(name, "a whole number")
        return value

    def numbers(self, name: str) -> list[float]:
        """A list of finite numbers."""
        value = self._plain.get(name)
        found = [_finite(one) for one in value] if isinstance(value, list) else []
        if not found or any(one is None for one in found):
            raise self.wrong(name, "a list of numbers")
        return [one for one in found if one is not None]

    def number(self, name: str, least: float = -math.inf, most: float = math.inf) -> float:
        """A finite number."""
        value = self._plain.get(name)
        number = _finite(value)
        if number is None or not least <= number <= most:
            raise self.wrong(name, "a number" if math.isinf(least) else f"a number from {least:g} to below 1")
        return value  # type: ignore[return-value]

    def switch(self, name: str) -> bool:
        """True or false."""
        value = self._plain.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def text(self, name: str) -> str:
        """A text."""
        value = self._plain.get(name)
        if not isinstance(value, str):
            raise self.wrong(name, "a text")
        return value

    def path(self, name: str) -> str:
        """The path of a file."""
        value = self.text(name)
        if not value or "\0" in value or len(value) > LONGEST_PATH:
            raise self.wrong(name, "the path of a file")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        value = self._plain.get(name)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.wrong(name, "a list of texts")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """An object, as it is."""
        self.within(name)
        value: dict[str, Any] = self._plain[name]
        return value

    def bandwidth(self, name: str) -> tuple[float, ...]:
        """Positive numbers, one per axis."""
        value = self._plain.get(name)
        numbers = [_finite(one) for one in value] if isinstance(value, list) else []
        if not numbers or not all(one is not None and one > 0 for one in numbers):
            raise self.wrong(name, "a list of positive numbers")
        return tuple(one for one in numbers if one is not None)

    def made(self, name: str, make: Callable[[Any], Some]) -> Some:
        """What a field stands for, by a function that refuses whatever is wrong."""
        try:
            return make(self._plain[name])
        except (
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            IndexError,
            OverflowError,
            RecursionError,
        ) as wrong:
            raise self.wrong(name, f"one that fits ({_one_line(wrong)})") from wrong

    def whole_leaves(self, name: str) -> None:
        """Whether the numbers of a field are whole ones of at least 0, however deep it holds them."""
        left, looked = [self._plain.get(name)], 0
        while left:
            value, looked = left.pop(), looked + 1
            if isinstance(value, dict | list):
                left += value.values() if isinstance(value, dict) else value
            elif isinstance(value, float) or (isinstance(value, int) and not 0 <= value <= LARGEST):
                raise self.wrong(name, "whole numbers of at least 0")
            if looked > 1_000_000:
                raise self.wrong(name, "a few numbers")


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _short(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _one_line(problem: Exception) -> str:
    return " ".join(f"{type(problem).__name__}: {problem}".split())[:120]
