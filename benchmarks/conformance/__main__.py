"""Ask the tools that are installed here, and write the table: `python -m benchmarks.conformance [tool ...]`.

Answers are added to `benchmarks/results/conformance.json`, so that overtone and the other tools may live in different
environments; `benchmarks/results/conformance.md` is the table of all answers.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from benchmarks.conformance.fields import FIELDS, Box, Field
from benchmarks.conformance.tools import TOOLS, NotOfferedError, Tool, measure

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    """Ask the named tools, or all that can be imported."""
    store = RESULTS / "conformance.json"
    answers = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    for tool in TOOLS:
        if tool.installed and (not sys.argv[1:] or tool.name in sys.argv[1:]):
            answers[tool.name] = {"version": tool.version, "answers": ask(tool)}
    ordered = {tool.name: answers[tool.name] for tool in TOOLS if tool.name in answers}
    store.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "conformance.md").write_text(page(ordered), encoding="utf-8")


def ask(tool: Tool) -> dict[str, dict]:
    """Return for each field that the tool may measure its figures, or why there are none."""
    result: dict[str, dict] = {}
    for field in FIELDS:
        data = field.data()
        if not (tool.boxes if isinstance(data[0], Box) else tool.globes):
            continue
        try:
            figures = [float(x) for x in field.read(data, measure(tool, data))]
        except NotOfferedError as reason:
            result[field.name] = {"not_offered": str(reason)}
        except Exception as error:  # noqa: BLE001  (whatever a tool raises is its answer)
            result[field.name] = {"raises": f"{type(error).__name__}: {error}"[:300]}
        else:
            result[field.name] = {
                "figures": [None if math.isnan(x) else float(f"{x:.6g}") for x in figures],
                "right": field.is_right(figures),
            }
    return result


def page(answers: dict[str, dict]) -> str:
    """Return the tables of boxes and of fields on the sphere, and the settings."""
    boxes = [field for field in FIELDS if isinstance(field.data()[0], Box)]
    lines = [
        "## The fields",
        "",
        "| field | what it is | what is read from the spectrum | exact |",
        "|---|---|---|---|",
    ]
    lines += [f"| {f.name} | {f.title} | {f.question} | {f.exact:g} |" for f in FIELDS]
    lines += ["", "## Boxes", "", *_table(answers, boxes), "", "## The sphere", ""]
    lines += [*_table(answers, [f for f in FIELDS if f not in boxes]), "", "## Versions and settings", ""]
    for tool in TOOLS:
        if tool.name in answers:
            heading = f"**{tool.name}** {answers[tool.name]['version']}"
            lines.append(f"- {heading}, `{tool.call}`: {tool.settings}.")
    return "\n".join(lines) + "\n"


def _table(answers: dict[str, dict], fields: list[Field]) -> list[str]:
    tools = [name for name in answers if any(field.name in answers[name]["answers"] for field in fields)]
    lines = ["| field | exact | " + " | ".join(tools) + " |", "|---" * (len(tools) + 2) + "|"]
    for field in fields:
        cells = [_cell(answers[name]["answers"][field.name]) for name in tools]
        lines.append(f"| {field.name} | {field.exact:g} | " + " | ".join(cells) + " |")
    return lines


def _cell(answer: dict) -> str:
    """Return the answer in a few characters."""
    if "not_offered" in answer:
        return "not offered"
    if "raises" in answer:
        return (
            "refused"
            if answer["raises"].startswith("InputError")
            else "raises " + answer["raises"].split(":")[0]
        )
    figures = [float("nan") if x is None else x for x in answer["figures"]]
    if answer["right"]:
        return "right"
    if any(math.isnan(x) for x in figures):
        return "NaN"
    low, high = (f"{x:.3g}" if abs(x) > 1e-9 else "0" for x in (min(figures), max(figures)))
    return low if low == high else f"{low} to {high}"


if __name__ == "__main__":
    main()
