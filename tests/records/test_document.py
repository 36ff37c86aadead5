"""What docs/guide/record.md shows runs, and its tables are the schema's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from overtone.records import Writer, metrics
from overtone.records._schema import PER_STEP, STATIC
from tests.records.toy import toy_header, toy_record

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "record.md").read_text(encoding="utf-8")


def test_its_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toy = toy_record(steps=50, channels=3)
    with Writer.create("run/record.sqlite", toy_header(channels=3)) as writer:
        for i, step in enumerate(toy.step.values):
            writer.append(step, {name: toy[name].values[i] for name in PER_STEP})
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(blocks) == 4
    for block in blocks:
        exec(block, names)  # noqa: S102


@pytest.mark.parametrize(("name", "variable"), (STATIC | PER_STEP).items())
def test_its_table_is_the_schema(name, variable):
    unit = variable.units.replace("{value}^2", "value²").replace("1", "")
    assert re.search(rf"^\| `{name}` \| {', '.join(variable.dims)} \| {unit} ?\| ", PAGE, re.M)


def test_it_names_every_metric():
    helpers = {"Evidence", "Exponent", "Level", "Stop", "has_content", "mean_bands", "corner_bands"}
    for name in set(metrics.__all__) - helpers:
        assert f"`{name}`" in PAGE or f"metrics.{name}(" in PAGE
