"""One network's setting, said in another library's convention."""

from __future__ import annotations

import math

from overtone.errors import InputError
from overtone.units.conventions import convention


def convert(
    value: float,
    of: str,
    to: str,
    domain: tuple[float, float] | None = None,
    to_domain: tuple[float, float] | None = None,
    inputs: int | None = None,
) -> float:
    """The setting that reaches the same frequencies on the same data in another library.

    Both networks see the same samples, the one with coordinates in `domain`, the other in `to_domain`, so the
    cycles across the samples are what stays. Where both libraries' numbers mean the same thing, every
    frequency is matched: exactly for standard deviations and sine factors; counts of octaves and log-linear
    exponents keep the highest frequency, and a count of octaves need not come out whole. Otherwise the 90 %
    bandwidth is matched, with the least count of octaves that reaches it.

    Args:
        value: The setting in the convention `of`.
        of: The library the value comes from, a key of `units.CONVENTIONS`.
        to: The library it is wanted for.
        domain: Range of the coordinates that the value was used with; the library's usual one unless given.
        to_domain: Range of the coordinates in the target; the library's usual one unless given.
        inputs: Number of coordinates; needed between a sine factor and anything else.

    Returns:
        The setting in the convention `to`.

    Raises:
        InputError: If a name is not known, the value is not positive and finite, a range is empty or is
            needed and not given, or `inputs` is needed and not given.
    """
    source, target = convention(of), convention(to)
    source_length = _length(domain or source.domain, of, "domain")
    target_length = _length(to_domain or target.domain, to, "to_domain")
    factor = source.cycles * source_length / (target.cycles * target_length)
    if source.kind is target.kind:
        return source.kind.rescaled(value, factor)
    return target.kind.value(source.kind.bandwidth(value, inputs) * factor, inputs)


def _length(domain: tuple[float, float] | None, library: str, argument: str) -> float:
    """Length of a coordinate range."""
    if domain is None:
        raise InputError(
            f"the range of the coordinates, for which {library!r} has no usual one",
            "none",
            f"pass {argument}=(low, high)",
            argument,
        )
    if len(domain) != 2 or not all(map(math.isfinite, domain)) or domain[0] >= domain[1]:
        raise InputError(
            "a range (low, high) with low below high", repr(domain), f"pass {argument}=(low, high)", argument
        )
    return domain[1] - domain[0]
