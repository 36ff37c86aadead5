"""Schema of a record: the names, dimensions and units of its variables, and its header."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overtone.errors import InputError
from overtone.records._attributes import DEEPEST, check_attributes

if TYPE_CHECKING:
    import xarray

SCHEMA = 1
"""Version of the schema. A reader refuses records of a higher one."""

NOT_FINITE = "not finite"
"""Code in the attribute `faults` of rows that are NaN because the network's outputs are, or are a
constant so large that the target is lost in rounding: these rows were measured."""

FAILED = "failed"
"""Code in the attribute `faults` of rows that are NaN or missing because they could not be measured or written."""

OLD_NOT_FINITE = "the network's outputs are not finite"
"""The `why` that stands for `NOT_FINITE` in records of older versions, whose faults have no code."""


@dataclass(frozen=True)
class Variable:
    """Variable of a record.

    Attributes:
        dims: Its dimensions, in order.
        units: Its unit; `{value}` stands for the unit of the signal's values.
        meaning: One line for people who open the file without overtone.
        required: Whether a row (or a header) must carry it; what is missing otherwise reads as NaN.
    """

    dims: tuple[str, ...]
    units: str
    meaning: str
    required: bool = False

    @property
    def inner(self) -> tuple[str, ...]:
        """Dimensions of one row: `dims` without `step`."""
        return tuple(d for d in self.dims if d != "step")


STATIC = {
    "target_power": Variable(("band", "channel"), "{value}^2", "power of the target per band", required=True),
    "noise_power": Variable(("band", "channel"), "{value}^2", "estimated or given noise power per band"),
}
"""Variables known before the first step."""

PER_STEP = {
    "residual_power": Variable(
        ("step", "band", "channel"), "{value}^2", "power of target minus prediction per band", required=True
    ),
    "cross_power": Variable(
        ("step", "band", "channel"), "{value}^2", "real part of <prediction, target> per band"
    ),
    "loss": Variable(
        ("step",),
        "1",
        "training loss, as the optimizer saw it; infinite where it was not a number, NaN where unknown",
    ),
    "time": Variable(("step",), "s", "time since the start of training"),
    "learning_rate": Variable(("step",), "1", "learning rate"),
    "train_error": Variable(("step",), "{value}^2", "mean square error on the training samples"),
    "held_out_error": Variable(("step",), "{value}^2", "mean square error on the held-out samples"),
    "clean_error": Variable(("step",), "{value}^2", "mean square error against the noise-free reference"),
}
"""Variables of every row, in the order in which they are stored."""


@dataclass(frozen=True, eq=False)
class Header:
    """Bands, channels, static variables and attributes of a record, known before its first step.

    Args:
        band_low: (B,) lower edges of the bands, ascending, in cycles per unit of the coordinate.
        band_high: (B,) upper edges, each above its lower edge; bands do not overlap.
        channels: C distinct names.
        static: `target_power` and, where known, `noise_power`, each (B, C), in squared value units.
        attrs: Attributes: anything JSON can hold. NumPy numbers and arrays become numbers and lists.

    Raises:
        InputError: If a shape, an order or a type is wrong.

    Example:
        >>> from overtone.records import Header
        >>> header = Header([0, 1], [1, 2], ["red", "green"], {"target_power": [[0, 0], [1, 2]]}, {"peak": 1.0})
        >>> header.sizes
        {'band': 2, 'channel': 2}
    """

    band_low: NDArray[np.float64]
    band_high: NDArray[np.float64]
    channels: tuple[str, ...]
    static: Mapping[str, NDArray[np.float64]]
    attrs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        low, high = numbers(self.band_low, "band_low"), numbers(self.band_high, "band_high")
        check_bands(low, high)
        channels = _channels(self.channels)
        sizes = {"band": low.size, "channel": len(channels)}
        # The instance is frozen; its fields are replaced by checked copies once, here.
        object.__setattr__(self, "band_low", low)
        object.__setattr__(self, "band_high", high)
        object.__setattr__(self, "channels", channels)
        object.__setattr__(self, "static", complete(self.static, STATIC, sizes, "static"))
        object.__setattr__(self, "attrs", plain_attrs(self.attrs))

    @property
    def sizes(self) -> dict[str, int]:
        """Number of bands and channels."""
        return {"band": self.band_low.size, "channel": len(self.channels)}

    def record(self, steps: ArrayLike, rows: Mapping[str, ArrayLike]) -> xarray.Dataset:
        """Return a record with these rows in memory, as `load` returns those in files.

        Args:
            steps: (S,) recorded steps, ascending.
            rows: Variables of the schema per step, (S, ...); `residual_power` (S, band, channel) is required, others
                read as NaN.

        Returns:
            A Dataset with the dimensions `step`, `band` and `channel`.

        Raises:
            InputError: If a variable is unknown, missing or of the wrong shape.

        Example:
            >>> from overtone.records import Header
            >>> header = Header([0, 1], [1, 2], ["value"], {"target_power": [[0], [1]]})
            >>> record = header.record([0, 10], {"residual_power": [[[0], [1]], [[0], [0.2]]]})
            >>> record.residual_power.sel(step=10).values.ravel().tolist()
            [0.0, 0.2]
        """
        import xarray

        whole = np.asarray(steps, dtype=np.int64)
        values = complete(rows, PER_STEP, self.sizes | {"step": whole.size}, "rows", stacked=True)
        frequency, value = (str(self.attrs.get(name) or "") for name in ("frequency_unit", "value_unit"))

        def described(units: str, meaning: str) -> dict[str, Any]:
            return {
                "units": units.format(value=f"({value})" if value else "value unit"),
                "long_name": meaning,
            }

        data = {
            name: (variable.dims, array[name], described(variable.units, variable.meaning))
            for schema, array in ((STATIC, self.static), (PER_STEP, values))
            for name, variable in schema.items()
        }
        # The geometric mean is the centre on a logarithmic axis; it is 0 for the band that holds the mean.
        centres = np.sqrt(self.band_low * self.band_high)
        coords = {
            "step": ("step", whole, {"long_name": "optimizer steps taken"}),
            "band": ("band", centres, {"units": frequency, "long_name": "band centre"}),
            "band_low": ("band", self.band_low, {"units": frequency, "long_name": "lower band edge"}),
            "band_high": ("band", self.band_high, {"units": frequency, "long_name": "upper band edge"}),
            "channel": ("channel", np.array(self.channels, dtype=str)),
        }
        return xarray.Dataset(data, coords, {**self.attrs, "schema": SCHEMA})


def complete(
    values: Mapping[str, ArrayLike],
    schema: Mapping[str, Variable],
    sizes: Mapping[str, int],
    source: str,
    stacked: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Return all variables of `schema` as float64 arrays; missing ones are NaN.

    Args:
        values: Values by variable name.
        schema: `STATIC` or `PER_STEP`.
        sizes: Length per dimension.
        source: Named in errors.
        stacked: Whether values have the dimension `step`, in front of those of one row.

    Returns:
        One array per variable, in the schema's order.

    Raises:
        InputError: If a variable is unknown, missing although required, or of the wrong shape.
    """
    unknown = sorted(str(name) for name in set(values) - set(schema))
    if unknown:
        raise InputError(
            f"variables among {', '.join(schema)}", ", ".join(unknown), "rename or drop them", source
        )
    completed = {}
    for name, variable in schema.items():
        names = variable.dims if stacked else variable.inner
        shape = tuple(sizes[d] for d in names)
        if name not in values:
            if variable.required:
                raise InputError(f"the variable {name}", "none", f"pass it with shape {shape}", source)
            completed[name] = np.full(shape, np.nan)
            continue
        array = numbers(values[name], name)
        if array.shape != shape:
            dims = ", ".join(names) or "a single number"
            raise InputError(
                f"{name} of shape {shape} ({dims})", f"shape {array.shape}", "check the axes", source
            )
        completed[name] = array
    return completed


def numbers(value: ArrayLike, source: str) -> NDArray[np.float64]:
    """Return a copy of `value` as a float64 array.

    Raises:
        InputError: If it does not hold real numbers.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as refused:
        raise InputError(
            "an array of real numbers", f"{type(value).__name__} ({refused})", "pass a NumPy array", source
        ) from refused
    if array.dtype.kind not in "biuf":
        raise InputError(
            "an array of real numbers", f"dtype {array.dtype}", "pass floats or integers", source
        )
    return array.astype(np.float64)


def plain_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as JSON holds them, without the schema's own key.

    Raises:
        InputError: If a value cannot be written as JSON, or is not what overtone takes an attribute of its name for.
    """
    plain = {key: value for key, value in _plain(dict(attrs), "attrs").items() if key != "schema"}
    check_attributes(plain)
    return plain


def _plain(value: Any, source: str, depth: int = 0) -> Any:
    if depth > DEEPEST:
        raise InputError(
            f"at most {DEEPEST} levels of lists and dicts", "more", "store it flatter", source[:200]
        )
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            raise InputError("names that are strings", f"{wrong[0]!r}", "use string keys", source)
        return {str(key): _plain(inner, f"{source}.{key}", depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, source, depth + 1) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        # The round trip turns subclasses of these types into the plain ones that a reader will get.
        return json.loads(json.dumps(value))
    raise InputError(
        "numbers, strings, lists, dicts or None",
        f"{type(value).__name__}",
        "convert it, for instance with str()",
        source,
    )


def _channels(names: Sequence[str]) -> tuple[str, ...]:
    channels = (names,) if isinstance(names, str) else tuple(names)
    good = all(isinstance(name, str) and name and name.isprintable() for name in channels)
    if not channels or not good or len(set(channels)) != len(channels):
        raise InputError(
            "distinct printable channel names", f"{channels!r}", "name every channel once", "channels"
        )
    return tuple(str(name) for name in channels)


def check_bands(low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    """Check that band edges ascend and do not overlap.

    Raises:
        InputError: If they are not.
    """
    if low.ndim != 1 or low.shape != high.shape or low.size == 0:
        raise InputError(
            "as many lower as upper band edges",
            f"shapes {low.shape} and {high.shape}",
            "pass (B,) arrays",
            "bands",
        )
    # Edges that went through float32 or text may overlap by rounding.
    slack = 1e-9 * np.abs(high[:-1])
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low >= 0).all() and (high > low).all()):
        raise InputError("finite bands with 0 <= low < high", f"{low} to {high}", "check the edges", "bands")
    if (low[1:] < high[:-1] - slack).any():
        raise InputError("ascending bands that do not overlap", f"{low} to {high}", "sort the edges", "bands")
