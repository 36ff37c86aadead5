"""The code in the pages runs as it stands."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from overtone import units

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("page", "number"),
    [(page, n) for page in ("guide/networks.md", "guide/units.md") for n in range(len(blocks(page)))],
)
def test_code_runs(page, number, tmp_path):
    script = tmp_path / f"{Path(page).stem}_{number}.py"
    script.write_text(blocks(page)[number])
    runpy.run_path(str(script))


def test_there_is_code():
    assert len(blocks("guide/networks.md")) >= 7
    assert len(blocks("guide/units.md")) == 2


def test_the_table_lists_every_convention():
    table = (DOCS / "guide" / "units.md").read_text().split("| usual range |")[1]
    assert set(units.CONVENTIONS) | {"ffn"} == set(re.findall(r"`([a-z-]+)`", table))
