"""What a Barron constant promises: error against width, and width against error."""

from __future__ import annotations

import math

from overtone.errors import InputError


def bound(constant: float, radius: float, width: int) -> float:
    """Squared error that some network of `width` sigmoidal units does not exceed: (2 r C)^2 / n.

    It is the mean squared error under any probability measure on a ball of radius r about any centre, of a
    network with one hidden layer and a free output bias. It bounds what exists, not what training finds.

    Args:
        constant: Barron constant C, in value units per coordinate unit (radians count as 1).
        radius: Radius r of the ball that holds the domain, in coordinate units.
        width: Number n of hidden units.

    Returns:
        Squared error in value units squared.

    Raises:
        InputError: If an argument is negative, not finite or the width is below 1.

    Source:
        Barron 1993, "Universal approximation bounds for superpositions of a sigmoidal function", IEEE
        Transactions on Information Theory 39, theorem 1.
    """
    return (2 * _positive(radius, "radius") * _positive(constant, "constant")) ** 2 / _width(width)


def advised_width(constant: float, radius: float, error: float) -> int:
    """The least width for which `bound` promises a root mean square error of at most `error`.

    Args:
        constant: Barron constant C, in value units per coordinate unit.
        radius: Radius of the ball that holds the domain, in coordinate units.
        error: Wanted root mean square error, in value units.

    Returns:
        Number of hidden units, at least 1.

    Raises:
        InputError: If an argument is negative or not finite, or the error is zero.
    """
    return _least(bound(constant, radius, 1), error)


def relu_bound(second: float, width: int) -> float:
    """Squared error that some network of `width` ReLU units plus an affine function does not exceed: 2 v^2 / (3 n).

    With v = int ||w||^2 |f~(w)| dw, where ||w|| = max over the box of |w . (x - centre)|. Derivation: on the
    box every wave is its tangent at the centre plus an integral of ReLU units, cos(p + z) = cos p - z sin p -
    int_0^c [cos(p + u) (z - u)+ + cos(p - u) (-z - u)+] du with |z| <= c = ||w||. One unit drawn from the
    measure ||w||^2 |f~| with u uniform in [0, c] and a random sign has a mean square of at most 4 v^2 / 2
    int_0^1 (1 - t)^2 dt = 2 v^2 / 3, since of the two signs only one is active; the mean of n of them has 1 /
    n of it.

    Args:
        second: Second spectral moment v of the signal over the box, in value units.
        width: Number n of hidden units, not counting the affine part.

    Returns:
        Squared error in value units squared.

    Raises:
        InputError: If an argument is negative, not finite or the width is below 1.

    Source:
        The representation is that of Breiman 1993, "Hinging hyperplanes", IEEE Transactions on Information
        Theory 39;
        rates: Klusowski, Barron 2018, IEEE Transactions on Information Theory 64, section II.
    """
    return 2 * _positive(second, "second") ** 2 / (3 * _width(width))


def relu_width(second: float, error: float) -> int:
    """The least width for which `relu_bound` promises a root mean square error of at most `error`.

    Args:
        second: Second spectral moment v of the signal over the box, in value units.
        error: Wanted root mean square error, in value units.

    Returns:
        Number of hidden units, at least 1.

    Raises:
        InputError: If an argument is negative or not finite, or the error is zero.
    """
    return _least(relu_bound(second, 1), error)


def _least(alone: float, error: float) -> int:
    if _positive(error, "error") == 0:
        raise InputError("an error above zero", "0", "no finite width reaches it", "error")
    return max(1, math.ceil(alone / error**2 * (1 - 1e-12)))


def _positive(value: float, where: str) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise InputError("a finite number of 0 or more", f"{value}", "check it", where)
    return float(value)


def _width(width: int) -> int:
    if width < 1:
        raise InputError("at least one hidden unit", f"{width}", "pass a positive width", "width")
    return width
