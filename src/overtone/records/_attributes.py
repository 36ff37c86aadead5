"""Types of the attributes that overtone itself reads; all other attributes are free."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from overtone._utils.noise_wording import is_noise_json
from overtone.errors import InputError

DEEPEST = 32
"""Levels of lists and mappings in an attribute."""

LARGEST_PLACE = 1e100
"""Upper limit of origin and spacing of a lattice, so that no position on it overflows."""


@dataclass(frozen=True)
class AttributeType:
    """Type of an attribute.

    Attributes:
        words: What it is, for a sentence.
        holds: Whether a value is one.
    """

    words: str
    holds: Callable[[Any], bool]


def is_number(value: Any) -> bool:
    """Return whether a value is a number that float64 holds; NaN and infinity are."""
    return isinstance(value, float) or is_whole(value)


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number of 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_number, value))


def _is_sentences(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and all(map(_is_text, value)))


_SPREAD = ("tiles", "tile_shape", "samples", "tiles_resolve_from")


def _is_geometry(value: Any) -> bool:
    if _is_text(value):
        try:
            value = json.loads(value) if value else {}
        except (ValueError, RecursionError):
            return False
    if not isinstance(value, Mapping):
        return False
    spread = value.get("measured_spread", {})
    if not isinstance(spread, Mapping):
        return False
    names = ("shape", "kept_shape", "kept_start", "measured_shape", "measured_start")
    sizes = [*(value.get(name, []) for name in names), spread.get("tile_shape", [])]
    if spread and not (set(_SPREAD) <= set(spread) and _is_numbers(spread["tile_shape"])):
        return False
    # Figures divide by these and index with them.
    counts = [value.get("kept_step", 1), spread.get("tiles", 1), spread.get("samples", 1)]
    if not all(is_whole(n) and n > 0 for n in counts) or not is_number(spread.get("tiles_resolve_from", 0)):
        return False
    # Below 2^48, products of a few sizes are checked as Python integers before anything is allocated.
    whole = all(
        isinstance(size, list) and all(is_whole(n) and 0 <= n < 1 << 48 for n in size) for size in sizes
    )
    places = [value.get(name, []) for name in ("spacing", "origin")]
    finite = all(_is_numbers(place) and all(abs(x) < LARGEST_PLACE for x in place) for place in places)
    names = value.get("units", [])
    return whole and finite and isinstance(names, list) and all(map(_is_text, names))


def _is_fields(value: Any) -> bool:
    """Return whether a value describes fields as a view of fields writes it."""
    if not isinstance(value, Mapping):
        return False
    if not all(_is_text(value.get(name)) for name in ("kind", "unit")):
        return False
    longest, level = (value.get(name) for name in ("longest", "level"))
    if not (isinstance(longest, float | int) and 0 < longest < math.inf):
        return False
    if not (isinstance(level, float) and 0 < level < 1):
        return False
    names = [value.get("variables"), [] if value.get("leads") is None else value["leads"]]
    if not all(isinstance(each, list) and all(map(_is_text, each)) for each in names):
        return False
    reported, pictures = value.get("reported"), value.get("pictures")
    if not isinstance(reported, list) or not all(isinstance(x, bool) for x in reported):
        return False
    if not isinstance(pictures, list) or not is_whole(value.get("drawn_from")):
        return False
    missing = value.get("missing")
    if missing is not None and not (isinstance(missing, Mapping) and is_number(missing.get("share"))):
        return False
    if missing is not None and not (missing.get("bias_median") is None or is_number(missing["bias_median"])):
        return False
    return all(isinstance(entry, Mapping) and _is_picture(entry, len(names[0])) for entry in pictures)


def _is_picture(entry: Mapping[str, Any], variables: int) -> bool:
    channels = entry.get("channels")
    if not is_whole(entry.get("sample")) or not isinstance(channels, list) or len(channels) not in (1, 3):
        return False
    return all(is_whole(c) and 0 <= c < variables for c in channels)


def _is_options(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    numbers = (value.get(name) for name in ("lr", "steps", "seconds"))
    return all(number is None or is_number(number) for number in numbers) and isinstance(
        value.get("optimizer", ""), str
    )


def _is_margins(value: Any) -> bool:
    if not isinstance(value, Mapping) or not all(str(key).isascii() and str(key).isdigit() for key in value):
        return False
    rows = list(value.values())
    if not all(isinstance(row, Mapping) for row in rows):
        return False
    return all(is_number(entry) or _is_numbers(entry) for row in rows for entry in row.values())


def _is_crowding(value: Any) -> bool:
    names = {"dtype", "samples", "distinct", "moved"}
    if (
        not isinstance(value, Mapping)
        or not set(value) <= names
        or not isinstance(value.get("dtype", ""), str)
    ):
        return False
    counts = all(is_whole(value.get(name, 0)) for name in ("samples", "distinct"))
    return counts and (value.get("moved") is None or is_number(value["moved"]))


_TEXT = AttributeType("a text", _is_text)
_NUMBER = AttributeType("a number", is_number)
_WHOLE = AttributeType("a whole number", is_whole)
_NUMBERS = AttributeType("a list of numbers", _is_numbers)
_SWITCH = AttributeType("true or false", lambda value: isinstance(value, bool))
_SENTENCES = AttributeType("a text or a list of texts", _is_sentences)
_LIST = AttributeType("a list", lambda value: isinstance(value, list))


def _is_candidates(value: Any) -> bool:
    """Whether a value lists bandwidths that were compared, see `planning.Plan`."""
    levels = ("shortlist_psnr", "shortlist_spread", "trial_psnr", "trial_spread", "outlook_psnr")
    return isinstance(value, list) and all(
        isinstance(entry, Mapping)
        and _is_numbers(entry.get("bandwidth"))
        and bool(entry["bandwidth"])
        and all(b > 0 for b in entry["bandwidth"])
        and all(entry.get(name) is None or is_number(entry[name]) for name in levels)
        and isinstance(entry.get("encoding"), str | None)
        and (entry.get("trial_steps") is None or is_number(entry["trial_steps"]))
        for entry in value
    )


def _is_expectation(value: Any) -> bool:
    """Whether a value is a level with its interval, in dB, see `planning.ExpectedPSNR`."""
    return isinstance(value, Mapping) and all(is_number(value.get(name)) for name in ("psnr", "low", "high"))


_MAPPING = AttributeType("a mapping", lambda value: isinstance(value, Mapping))
_ERRORS = AttributeType(
    "numbers by name", lambda value: isinstance(value, Mapping) and all(map(is_number, value.values()))
)

KINDS: dict[str, AttributeType] = {
    **dict.fromkeys(
        ("origin", "frequency_unit", "value_unit", "estimator", "kind", "signal", "network"), _TEXT
    ),
    **dict.fromkeys(
        ("device", "dtype", "created", "noise_verdict", "noise_sentence", "bandwidth_unit"), _TEXT
    ),
    **dict.fromkeys(("seconds", "noise_std", "noise_low", "noise_high", "stopping_noise"), _NUMBER),
    **dict.fromkeys(("kept", "pilot", "parameters", "steps", "trial_steps"), _WHOLE),
    **dict.fromkeys(("complete", "worth", "deterministic", "averaged"), _SWITCH),
    **dict.fromkeys(("reasons", "notes", "salvaged"), _SENTENCES),
    **dict.fromkeys(("faults", "actions", "restarts"), _LIST),
    **dict.fromkeys(("versions", "varying"), _MAPPING),
    "ending": _TEXT,
    "noise_channels": AttributeType("the noise floor per channel", is_noise_json),
    "crowding": AttributeType("how many inputs coincide in which precision", _is_crowding),
    "nyquist": AttributeType(
        "a number or a list of numbers", lambda value: is_number(value) or _is_numbers(value)
    ),
    "bandwidth": _NUMBERS,
    "final_errors": _ERRORS,
    "expected": AttributeType("an expected level with its interval", _is_expectation),
    "candidates": AttributeType("bandwidths with their scores and trials", _is_candidates),
    "margins": AttributeType("numbers by name and step", _is_margins),
    "options": AttributeType("settings of a training", _is_options),
    "fields": AttributeType("the description of fields", _is_fields),
    "geometry": AttributeType("the shape, spacing, origin and units of a lattice", _is_geometry),
}
"""Attributes that pages, figures and comparisons read; each may also be None."""


def check_attributes(attrs: Mapping[str, Any]) -> None:
    """Check the types of the attributes that overtone reads.

    Args:
        attrs: As JSON holds them.

    Raises:
        InputError: If one is not; says which.
    """
    for name, kind in KINDS.items():
        value = attrs.get(name)
        if value is not None and not kind.holds(value):
            raise InputError(kind.words, _short(value), "correct it, or leave it out", f"attrs.{name}")


def peak(attrs: Mapping[str, Any]) -> float:
    """Return the largest value that a signal could take, in its units; 0 if unknown."""
    value = attrs.get("peak")
    known = float(value) if value is not None and is_number(value) else 0.0
    return known if math.isfinite(known) and known > 0 else 0.0


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{type(value).__name__} {text[:40]}..."
