"""Every error overtone raises, all in one form: what was expected, what was got, what to do.

`InputError` means the input or the arguments were wrong (the command line exits with 2); `RunError` means the work
itself failed (exit 1). Both read as one sentence and carry their three parts as attributes.
"""

from __future__ import annotations


class OvertoneError(Exception):
    """Base of all errors, which read `source`: expected `expected`, got `got`; `do`.

    Args:
        expected: What would have been right, without a leading "expected".
        got: What was there instead.
        do: What the user can do about it, as an imperative ("pass ...").
        source: The file, argument or step concerned; put first.
    """

    def __init__(self, expected: str, got: str, do: str, source: str | None = None) -> None:
        self.expected, self.got, self.do, self.source = expected, got, do, source
        prefix = f"{source}: " if source else ""
        super().__init__(f"{prefix}expected {expected}, got {got}; {do}.")

    def __reduce__(self) -> tuple[type, tuple[str, str, str, str | None]]:
        """Rebuild from the four parts, so that errors cross process borders."""
        return type(self), (self.expected, self.got, self.do, self.source)


class InputError(OvertoneError, ValueError):
    """The input or the arguments are wrong."""


class RunError(OvertoneError, RuntimeError):
    """The work failed although the input was in order (non-finite loss, full disk, damaged record)."""
