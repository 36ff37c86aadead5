"""The settings of a run in its `run.json`, written from and read into the same dataclasses, field by field."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, final, get_args, get_type_hints

from overtone._config import (
    Activation,
    FitConfig,
    ModelConfig,
    MonitorConfig,
    StoppingConfig,
    TrainingConfig,
)
from overtone._config._model import to_json
from overtone._utils.enums import parse_enum
from overtone.errors import InputError

LARGEST = (1 << 53) - 1
"""The largest whole number in settings."""

LONGEST_PATH = 4096
"""Characters of a path."""

Some = TypeVar("Some")
Part = TypeVar("Part", ModelConfig, TrainingConfig)


@final
@dataclass(frozen=True)
class RunSettings:
    """The settings of a run, as `run.json` holds them.

    Attributes:
        source: Where the samples came from, if the run began on the command line: `path`, `clean` and `reading`.
        samples: Fingerprint of the samples; None in runs of old versions.
        config: All settings, with everything decided; of a run that was resumed, with its longer budget.
        bandwidth: Bandwidth of the network per axis, in cycles per unit.
        reasons: Why these settings, in sentences.
        stopping_noise: Variance of the noise that the stopping rule uses, in squared value units; 0 if the held-out
            error alone decides, as in runs of old versions.
        reason_data: The same reasons with code, values and unit; empty in runs of old versions.
    """

    source: dict[str, Any] | None
    samples: str | None
    config: FitConfig
    bandwidth: tuple[float, ...] | None
    reasons: tuple[str, ...]
    stopping_noise: float = 0.0
    reason_data: tuple[dict[str, Any], ...] = ()

    @property
    def monitor(self) -> MonitorConfig:
        """Settings of the measurements of the run."""
        return self.config.monitor or MonitorConfig()

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {
            "source": self.source,
            "samples": self.samples,
            "network": to_json(self.config.model),
            "training": to_json(self.config.training),
            "watch": self.monitor.to_json(),
            **to_json(self.config.stopping),
            "bandwidth": None if self.bandwidth is None else list(self.bandwidth),
            "reasons": list(self.reasons),
            "reason_data": list(self.reason_data),
            "stopping_noise": self.stopping_noise,
        }


def parse_settings(plain: Any, file: str) -> RunSettings:
    """Return the settings in the JSON of a `run.json`.

    Args:
        plain: What JSON gave.
        file: The file, for errors.

    Raises:
        InputError: If a field is missing or has a wrong value; says which.
    """
    fields = Fields(plain, file)
    source = fields.maybe("source", fields.mapping)
    samples = fields.maybe("samples", fields.text)
    model = _parse(fields.within("network"), ModelConfig)
    training = _parse(fields.within("training"), TrainingConfig)
    fields.whole_leaves("watch")
    monitor = fields.made("watch", MonitorConfig.from_json)
    # Runs of old versions had none of the switches.
    stopping = StoppingConfig(
        fields.number("held_out", 0.0, math.nextafter(1.0, 0.0)),
        fields.switch("stop") if fields.has("stop") else False,
        fields.switch("controller") if fields.has("controller") else False,
        fields.switch("average") if fields.has("average") else False,
    )
    bandwidth = fields.maybe("bandwidth", fields.bandwidth)
    reasons = tuple(fields.texts("reasons"))
    config = FitConfig(model, training, stopping, monitor)
    noise = fields.number("stopping_noise", 0.0) if fields.has("stopping_noise") else 0.0
    data = tuple(fields.mappings("reason_data")) if fields.has("reason_data") else ()
    return RunSettings(source, samples, config, bandwidth, reasons, noise, data)


def _parse(fields: Fields, config: type[Part]) -> Part:
    """Return a part of the settings, each field read as its type demands."""
    types = get_type_hints(config)
    values = {f.name: _value(fields, f.name, types[f.name]) for f in dataclasses.fields(config)}
    try:
        # The dataclass checks what types do not say, such as a momentum below 1.
        return config(**values)
    except InputError as refused:
        raise fields.wrong(refused.source or "steps", refused.expected) from refused


def _value(fields: Fields, name: str, kind: Any) -> Any:
    # A union with None is a field that may be null or missing.
    if type(None) in get_args(kind):
        (inner,) = set(get_args(kind)) - {type(None)}
        return fields.maybe(name, lambda name: _value(fields, name, inner))
    if kind == tuple[float, ...]:
        return fields.bandwidth(name)
    if kind == tuple[Activation, ...]:
        return _activations(fields, name)
    if kind is bool:
        return fields.switch(name)
    if kind is int:
        return fields.whole(name, 0 if name == "seed" else 1)
    return fields.number(name) if kind is float else fields.made(name, kind)


def _activations(fields: Fields, name: str) -> tuple[Activation, ...]:
    names = fields.texts(name)
    if not names:
        raise fields.wrong(name, "names of activations")
    return fields.made(name, lambda _: tuple(parse_enum(Activation, n, name) for n in names))


@final
class Fields:
    """The fields of a JSON object, each checked as it is taken.

    Args:
        plain: What JSON gave.
        file: The file, for errors.
        path: Names of the objects that this one lies in.

    Raises:
        InputError: If it is no object.
    """

    def __init__(self, plain: Any, file: str, path: tuple[str, ...] = ()) -> None:
        self.file, self._path = file, path
        if not isinstance(plain, dict):
            subject = f"{'.'.join(path)} in the settings of a run" if path else "settings of a run"
            raise InputError(
                f"{subject} as a mapping of names to values",
                _short(plain),
                "begin again with --overwrite",
                file,
            )
        self._plain = plain

    @property
    def names(self) -> list[str]:
        """The names of all fields."""
        return list(self._plain)

    def has(self, name: str) -> bool:
        """Whether a field exists."""
        return name in self._plain

    def wrong(self, name: str, expected: str) -> InputError:
        """Return the error of a field with a wrong value."""
        path = ".".join((*self._path, name))
        got = _short(self._plain[name]) if name in self._plain else "nothing"
        return InputError(
            f"settings of a run whose {path} is {expected}", got, "begin again with --overwrite", self.file
        )

    def within(self, name: str) -> Fields:
        """Return the fields of an object."""
        return Fields(self._plain.get(name), self.file, (*self._path, name))

    def maybe(self, name: str, take: Callable[[str], Some]) -> Some | None:
        """Return a field that may also be null or missing."""
        return None if self._plain.get(name) is None else take(name)

    def whole(self, name: str, smallest: int) -> int:
        """Return a whole number."""
        value = self._plain.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not smallest <= value <= LARGEST:
            raise self.wrong(name, f"a whole number of at least {smallest}")
        return value

    def integer(self, name: str) -> int:
        """Return a whole number of either sign."""
        value = self._plain.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST:
            raise self.wrong(name, "a whole number")
        return value

    def numbers(self, name: str) -> list[float]:
        """Return a list of finite numbers."""
        value = self._plain.get(name)
        numbers = [_finite(item) for item in value] if isinstance(value, list) else []
        if not numbers or any(number is None for number in numbers):
            raise self.wrong(name, "a list of numbers")
        return [number for number in numbers if number is not None]

    def number(self, name: str, smallest: float = -math.inf, largest: float = math.inf) -> float:
        """Return a finite number."""
        value = self._plain.get(name)
        number = _finite(value)
        if number is None or not smallest <= number <= largest:
            upward = f"a number of {smallest:g} or more"
            bounded = f"a number from {smallest:g} to below 1"
            raise self.wrong(
                name, "a number" if math.isinf(smallest) else upward if math.isinf(largest) else bounded
            )
        return value  # type: ignore[return-value]

    def switch(self, name: str) -> bool:
        """Return true or false."""
        value = self._plain.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def text(self, name: str) -> str:
        """Return a text."""
        value = self._plain.get(name)
        if not isinstance(value, str):
            raise self.wrong(name, "a text")
        return value

    def path(self, name: str) -> str:
        """Return the path of a file."""
        value = self.text(name)
        if not value or "\0" in value or len(value) > LONGEST_PATH:
            raise self.wrong(name, "the path of a file")
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        value = self._plain.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(name, "a list of texts")
        return value

    def mappings(self, name: str) -> list[dict[str, Any]]:
        """Return a list of objects, each as it is."""
        value = self._plain.get(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(name, "a list of objects")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object, as it is."""
        self.within(name)
        value: dict[str, Any] = self._plain[name]
        return value

    def bandwidth(self, name: str) -> tuple[float, ...]:
        """Return positive numbers, one per axis."""
        value = self._plain.get(name)
        numbers = [_finite(item) for item in value] if isinstance(value, list) else []
        if not numbers or not all(number is not None and number > 0 for number in numbers):
            raise self.wrong(name, "a list of positive numbers")
        return tuple(number for number in numbers if number is not None)

    def made(self, name: str, make: Callable[[Any], Some]) -> Some:
        """Return the value that a function makes of a field; whatever the function raises is a wrong field."""
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
        """Check that all numbers in a field, however deep, are whole and at least 0."""
        # A stack, not recursion: a hostile file may nest deeper than Python's own stack goes.
        stack, visited = [self._plain.get(name)], 0
        while stack:
            value, visited = stack.pop(), visited + 1
            if isinstance(value, dict | list):
                stack += value.values() if isinstance(value, dict) else value
            elif isinstance(value, float) or (isinstance(value, int) and not 0 <= value <= LARGEST):
                raise self.wrong(name, "whole numbers of at least 0")
            if visited > 1_000_000:
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
