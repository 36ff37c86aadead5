"""How a refusal is checked: by the text the user reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from overtone.errors import InputError


def refusal(call: Callable[..., Any], *args: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert "expected " in text
    assert ", got " in text
    return text
