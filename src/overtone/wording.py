"""How numbers read in a sentence."""

from __future__ import annotations

from collections.abc import Iterable


def per_axis(values: Iterable[float]) -> str:
    """Three digits each, "12.6 x 19.1"; one number if all are the same."""
    return by_axis((f"{value:.3g}" for value in values), " x ")


def by_axis(words: Iterable[str], times: str) -> str:
    """One word per axis with `times` between them; one word if all are the same."""
    each = list(words)
    return times.join(each[:1] if len(set(each)) == 1 else each)
