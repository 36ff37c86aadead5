"""Errors of overtone, all in one form: what was expected, what was got, and what to do.

`InputError` means the input or the arguments were wrong (the command line exits with 2); `RunError` means the work
itself failed (exit 1). Both read as one sentence and carry their three parts as attributes.
"""

from __future__ import annotations


class OvertoneError(Exception):
    """Base of all errors. Its message reads: `source`: expected `expected`, got `got`; `do`.

    Args:
        expected: What would have been right, without a leading "expected".
        got: What was there instead.
        do: What the user can do about it, as an imperative ("pass ...").
        source: The file, argument or step concerned; put first.

    Example:
        >>> from overtone.errors import OvertoneError
        >>> print(OvertoneError("a file", "a folder", "pass the file in it", "out"))
        out: expected a file, got a folder; pass the file in it.
    """

    def __init__(self, expected: str, got: str, do: str, source: str | None = None) -> None:
        self.expected, self.got, self.do, self.source = expected, got, do, source
        prefix = f"{source}: " if source else ""
        super().__init__(f"{prefix}expected {expected}, got {got}; {do}.")

    def __reduce__(self) -> tuple[type, tuple[str, str, str, str | None]]:
        """Rebuild the error from its four parts, so that it can be sent between processes."""
        return type(self), (self.expected, self.got, self.do, self.source)


class InputError(OvertoneError, ValueError):
    """Error in the input or the arguments.

    Example:
        >>> from overtone.errors import InputError
        >>> try:
        ...     raise InputError("a finite number", "nan", "pass another lr", "lr")
        ... except ValueError as error:
        ...     print(error.source, error.got)
        lr nan
    """


class RunError(OvertoneError, RuntimeError):
    """Failure of the work with valid input: non-finite loss, full disk, damaged record.

    Example:
        >>> from overtone.errors import RunError
        >>> print(RunError("a finite loss", "nan", "lower the learning rate", "step 12"))
        step 12: expected a finite loss, got nan; lower the learning rate.
    """
