"""Display of results in notebooks: the sentences and pictures are made by `reports`, loaded when one is shown."""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Mapping
from typing import Any, ClassVar

from overtone._utils.text import count, number

_MAKERS = "overtone.reports._display"


class Displayed:
    """Result that a notebook shows with a table, a picture and sentences.

    Results hold facts and know nothing of pages, so the maker is named by a string and imported on demand.

    Example:
        >>> from overtone._utils.display import Displayed
        >>> class Answer(Displayed):
        ...     _display = "signal_display"
        >>> Answer._display
        'signal_display'
    """

    _display: ClassVar[str]

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: escaped, without scripts, readable on light and on dark paper."""
        makers = importlib.import_module(_MAKERS)
        return str(makers.display_html(getattr(makers, self._display)(self)))


LONGEST = 160
"""Characters of the short form of a result."""


class Result(Displayed):
    """Dataclass that is shown by its fields: each in a line in a notebook, and all in one short line elsewhere.

    The dataclass is made with `repr=False`, since its own form prints every number of every array.

    Example:
        >>> from dataclasses import dataclass
        >>> from overtone._utils.display import Result
        >>> @dataclass(frozen=True, repr=False)
        ... class Counted(Result):
        ...     name: str
        ...     values: tuple
        >>> Counted("samples", (1.0, 2.0, 3.0, 4.0))
        <Counted: name samples, values 4 entries>
    """

    _display = "result_display"

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {text}" for name, text in field_texts(self))
        text = f"{type(self).__name__}: {parts}"
        return f"<{text if len(text) <= LONGEST else f'{text[: LONGEST - 6]} ...'}>"


def field_texts(result: Any) -> list[tuple[str, str]]:
    """Return name and short form of each field of a dataclass that has a value."""
    fields = [(field.name, getattr(result, field.name)) for field in dataclasses.fields(result)]
    return [(name, brief(value)) for name, value in fields if value is not None]


def brief(value: Any) -> str:
    """Return a value in a few words: numbers as they are, arrays by their shape, collections by their size.

    Args:
        value: Of any type.

    Example:
        >>> import numpy as np
        >>> brief(0.123456), brief(np.zeros((3, 2))), brief([1.0, 2.0]), brief(list(range(9)))
        ('0.123', 'array of 3 x 2', '1, 2', '9 entries')
    """
    shape = getattr(value, "shape", None)
    if isinstance(value, str):
        return value if len(value) <= 60 else f"{value[:57]}..."
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return count(value) if isinstance(value, int) else number(value)
    if isinstance(shape, tuple) and callable(getattr(value, "tolist", None)):
        return brief(value.tolist()) if math.prod(shape) <= 3 else f"array of {' x '.join(map(str, shape))}"
    if hasattr(value, "sizes") and hasattr(value, "data_vars"):
        return "dataset of " + " x ".join(f"{size} {name}" for name, size in value.sizes.items())
    if isinstance(value, Mapping | list | tuple):
        plain = not isinstance(value, Mapping) and all(isinstance(v, str | int | float) for v in value)
        if plain and 0 < len(value) <= 3:
            return ", ".join(map(brief, value))
        return "1 entry" if len(value) == 1 else f"{len(value):,} entries"
    return str(getattr(value, "value", None) or type(value).__name__)
