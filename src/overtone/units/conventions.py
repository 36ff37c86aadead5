"""The conventions of the libraries that map coordinates to sines, one row each.

Two libraries' "sigma = 10" are not the same network. They differ by the factor before the coordinate (2 pi,
pi or none) and by the range that the coordinate is brought to. Rows say what the reference sources do, not
what papers print.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from overtone.errors import InputError
from overtone.units.kinds import LOG_LINEAR, OCTAVES, OMEGA, REACH, SIGMA, Kind

UNIT = (0.0, 1.0)
SYMMETRIC = (-1.0, 1.0)
RADIAN = 1 / (2 * math.pi)


@dataclass(frozen=True)
class Convention:
    """How one library states the reach of its network.

    Attributes:
        kind: What its number means.
        cycles: Cycles per coordinate unit of a native frequency of one: 1 where 2 pi stands in the formula,
            1/2 where pi does, 1/(2 pi) where neither does.
        domain: Range its examples bring coordinates to, or None where the coordinate is whatever the user
            has.
        formula: The features, with v the coordinate.
    """

    kind: Kind
    cycles: float
    domain: tuple[float, float] | None
    formula: str


CONVENTIONS: dict[str, Convention] = {
    "bandwidth": Convention(REACH, 1.0, UNIT, "overtone's own measure, in cycles per unit"),
    "tancik": Convention(SIGMA, 1.0, UNIT, "cos, sin(2 pi B v), B ~ N(0, sigma^2)"),
    "rff": Convention(SIGMA, 1.0, UNIT, "cos, sin(2 pi B v), B ~ N(0, sigma^2)"),
    "nerfstudio-rff": Convention(SIGMA, 1.0, UNIT, "sin(2 pi B v + {0, pi/2}), B ~ N(0, scale^2)"),
    "deepxde": Convention(SIGMA, RADIAN, UNIT, "cos, sin(B v), B ~ N(0, sigma^2), without 2 pi"),
    "jaxpi": Convention(SIGMA, RADIAN, None, "cos, sin(K v), K ~ N(0, embed_scale^2), without 2 pi, trained"),
    "rtdl": Convention(
        SIGMA, 1.0, None, "cos, sin(2 pi c v) per feature, c ~ N(0, sigma^2) cut at 3 sigma, trained"
    ),
    "pytabkit": Convention(SIGMA, 1.0, None, "cos(2 pi w v + b) per feature, w ~ N(0, sigma^2), trained"),
    "tancik-posenc": Convention(
        LOG_LINEAR, 1.0, UNIT, "cos, sin(2 pi b v) per axis, b = 2^linspace(0, S, m) - 1"
    ),
    "nerf": Convention(OCTAVES, 0.5, SYMMETRIC, "cos, sin(2^k pi v) per axis, k < L"),
    "nerfstudio": Convention(OCTAVES, 1.0, UNIT, "sin(2 pi 2^k v + {0, pi/2}) per axis, k < L"),
    "tcnn": Convention(OCTAVES, 0.5, UNIT, "cos, sin(2^k pi v) per axis, k < L"),
    "siren-posenc": Convention(OCTAVES, 0.5, SYMMETRIC, "cos, sin(2^k pi v) per axis, k < L"),
    "finer-posenc": Convention(OCTAVES, RADIAN, SYMMETRIC, "cos, sin(2^k v) per axis, k < L, without pi"),
    "siren": Convention(OMEGA, 1.0, SYMMETRIC, "sin(omega_0 (W v + b)), W ~ U(-1/n, 1/n)"),
    "siren-pytorch": Convention(OMEGA, 1.0, SYMMETRIC, "sin(w0_initial (W v + b)), W ~ U(-1/n, 1/n)"),
}
"""Convention by name. "ffn" is another name of "tancik"."""

_ALIASES = {"ffn": "tancik"}


def convention(name: str) -> Convention:
    """The convention called `name`.

    Args:
        name: A key of `CONVENTIONS`, or "ffn".

    Returns:
        The convention.

    Raises:
        InputError: If the name is not known; the message lists those that are.
    """
    found = CONVENTIONS.get(_ALIASES.get(name, name))
    if found is None:
        known = ", ".join(sorted([*CONVENTIONS, *_ALIASES]))
        raise InputError(f"one of {known}", repr(name), "pass the library whose convention the value follows")
    return found
