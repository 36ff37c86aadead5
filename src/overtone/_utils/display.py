"""Display of results in notebooks: the sentences and pictures are made by `reports`, loaded when one is shown."""

from __future__ import annotations

import importlib
from typing import ClassVar

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
