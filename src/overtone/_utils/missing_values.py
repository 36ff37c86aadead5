"""Masked values: a mask is obeyed, never dropped."""

from __future__ import annotations

from typing import Any

import numpy as np

from overtone.errors import InputError


def entire(values: Any, source: str) -> Any:
    """Return values without their mask, if it masks none of them.

    Args:
        values: Anything; NumPy's masked arrays, also within lists, and masked tensors are looked at.
        source: Name of the argument, for errors.

    Returns:
        The same object, or the plain array beneath a mask that masks nothing.

    Raises:
        InputError: If a value is masked; says how many are and where the first one is.

    Example:
        >>> import numpy as np
        >>> entire(np.ma.masked_invalid([1.0, 2.0]), "values").tolist()
        [1.0, 2.0]
    """
    if isinstance(values, np.ma.MaskedArray):
        return _entire_array(values, source)
    if isinstance(values, list | tuple) and any(
        isinstance(v, list | tuple | np.ma.MaskedArray) for v in values
    ):
        return type(values)(entire(v, source) for v in values) if type(values) in (list, tuple) else values
    if hasattr(values, "get_mask") and hasattr(values, "get_data"):
        there = values.get_mask()
        if not bool(there.all()):
            raise _gaps(int((~there).sum()), there.numel(), tuple((~there).nonzero()[0].tolist()), source)
        return values.get_data()
    return values


def _entire_array(values: np.ma.MaskedArray, source: str) -> np.ndarray:
    mask = np.ma.getmaskarray(values)
    if mask.dtype.names is not None or not mask.any():
        return np.asarray(values.data)
    raise _gaps(int(mask.sum()), mask.size, tuple(int(i[0]) for i in np.nonzero(np.atleast_1d(mask))), source)


def _gaps(count: int, total: int, first: tuple[int, ...], source: str) -> InputError:
    place = first[0] if len(first) == 1 else first
    return InputError(
        "values without gaps",
        f"a masked array with {count} of {total} values missing, the first at index {place}",
        "fill them (values.filled(number)), cut them out, or pass the coordinates and values of the valid samples to "
        "signals.points",
        source,
    )
