"""One thing that can change, and how it is put back."""

from __future__ import annotations

from typing import Protocol


class Part(Protocol):
    """Remembers one thing as it is when the part is made."""

    def restore(self) -> None:
        """Put it back.

        Raises:
            InputError: If it has changed and cannot be put back.
        """
