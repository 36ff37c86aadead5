"""Run the benchmarks and write their tables: `python -m benchmarks [name ...]`.

Each module has `main() -> list[dict]`, rows of `name`, `ours`, `theirs`, `ratio`, `target`, `unit` and `note`. The
tables go to stdout and, with the machine they were taken on, to `benchmarks/results/`.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from datetime import date
from pathlib import Path

RATIOS = ("startup", "spectrum", "fit", "memory", "report")
"""The benchmarks that `make bench` runs."""

HERE = Path(__file__).parent
COLUMNS = ("name", "ours", "theirs", "unit", "ratio", "target", "note")


def main() -> None:
    for name in sys.argv[1:] or RATIOS:
        rows = importlib.import_module(f"benchmarks.{name}").main()
        print(text := table(name, rows), flush=True)
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / f"{name}.md").write_text(text + "\n", encoding="utf-8")


def table(name: str, rows: list[dict]) -> str:
    """Return a Markdown table under a heading that names the machine."""
    columns = [c for c in COLUMNS if any(c in row for row in rows)]
    columns += [c for c in rows[0] if c not in columns]
    lines = [f"# {name}", "", f"{date.today()}, {machine()}", "", "| " + " | ".join(columns) + " |"]
    lines.append("|" + "---|" * len(columns))
    lines += ["| " + " | ".join(_cell(row.get(c, "")) for c in columns) + " |" for row in rows]
    return "\n".join(lines)


def machine() -> str:
    """Describe the machine that the figures were taken on."""
    import torch

    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return (
        f"{name}, {os.cpu_count()} cores{gpu}, Python {platform.python_version()}, torch {torch.__version__}"
    )


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
