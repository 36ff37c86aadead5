"""Fit of an equation on its page: network and kernel solution with figures, the solution drawn, choice and terms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overtone._utils.text import count, number, percent
from overtone.plots import _snapshots as reconstruction
from overtone.records import Snapshots
from overtone.reports._blocks import Block, Section, TableBlock, Tile
from overtone.reports._equation_verdict import figures
from overtone.reports._measured_page import reconstruction_block

MOMENTS = 3
"""Steps at which the network's field is shown."""

EARLIEST = 0.03
"""Part of the training after which the network's field is shown."""

CHANNELS = 4
"""Channels of a field that are shown."""

LARGE = 3.0
"""Largest value of an untrusted kernel solution, over the network's, above which it is not drawn."""

EQUATION_ENTRIES = (
    (
        "Kernel solution",
        "Least squares on random Fourier features for the same equation and conditions; no network and no training.",
    ),
    (
        "Held-out residual",
        "Root of the loss on points that were not trained on, over that of the zero field. Conditions of few points, "
        "such as two ends, are part of it as well.",
    ),
)


def equation_tiles(facts: Mapping[str, Any]) -> list[Tile]:
    """Return the key figures.

    Args:
        facts: From `equation_facts`.
    """
    kernel, network = facts["kernel"], facts.get("network") or {}
    tiles = []
    if network.get("error") is not None:
        known = facts.get("compared") == "reference"
        words = "Error of the network" if known else "Network from the kernel solution"
        tiles.append(Tile(words, percent(network["error"])))
    if network.get("held_out") is not None:
        tiles.append(Tile("Held-out residual", number(float(network["held_out"]), 2)))
    if kernel.get("held_out") is not None:
        tiles.append(Tile("Held-out residual, kernel solution", number(float(kernel["held_out"]), 2)))
    tiles.append(Tile("Trained on", count(int(facts["functionals"]["train"])), "points"))
    return tiles


def solution_section(facts: Mapping[str, Any], snapshots: Sequence[Snapshots], step: int) -> Section | None:
    """Return the section with the solution as drawn: reference, kernel solution, network at a few steps.

    Args:
        facts: From `equation_facts`.
        snapshots: Of the first record and, where it is known, of the solution.
        step: Step of the returned network.
    """
    lattice, first = facts["lattice"], snapshots[0]
    shape = tuple(lattice["shape"])
    shown: list[tuple[str, str, np.ndarray]] = []
    if "reference" in first.names:
        shown.append(("Reference", "never trained on", first.get("reference", -1)))
    network = first.find("prediction", step)
    shown += [("Network, " + words, note, values) for words, note, values in _on_its_way(snapshots, step)]
    if network is not None:
        shown.append(
            (
                f"Network, step {count(float(step))}",
                figures(facts.get("network") or {}, facts.get("compared")),
                network,
            )
        )
    kernel = first.find("kernel", 0)
    if kernel is not None and _drawable(facts, kernel, network):
        shown.append(("Kernel solution", figures(facts["kernel"]), kernel))
    if not shown or not 1 <= len(shape) <= 3 or any(v.shape[:-1] != shape for _, _, v in shown):
        return None
    blocks: list[Block] = []
    channels = min(CHANNELS, shown[0][2].shape[-1])
    for channel in range(channels):
        which = "" if channels == 1 else f" Output {channel + 1} of {shown[0][2].shape[-1]}."
        blocks.append(
            reconstruction_block(
                [(title, note, values[..., channel : channel + 1]) for title, note, values in shown],
                lattice["spacing"][0],
                lattice["origin"][0],
                lattice["units"][0],
                f"The network beside the kernel solution{' and the reference' * ('reference' in first.names)}.{which}",
                f"solution-{channel}",
            )
        )
    return Section("solution-field", "The solution", blocks)


def _on_its_way(snapshots: Sequence[Snapshots], step: int) -> list[tuple[str, str, np.ndarray]]:
    """The network's field at a few steps before the last one."""
    if len(snapshots) < 2 or "prediction" not in snapshots[1].names:
        return []
    steps = np.array([s for s in snapshots[1].steps("prediction") if EARLIEST * step < s < step])
    out = []
    for one in reconstruction.moments(steps, MOMENTS - 1) if steps.size else ():
        values = snapshots[1].find("prediction", int(one))
        if values is not None:
            out.append((f"step {count(float(one))}", "during training", values))
    return out


def _drawable(facts: Mapping[str, Any], kernel: np.ndarray, network: np.ndarray | None) -> bool:
    if facts["kernel"]["trusted"] or network is None:
        return True
    largest = float(np.abs(kernel).max())
    return math.isfinite(largest) and largest < LARGE * float(np.abs(network).max())


def fields_table(facts: Mapping[str, Any]) -> TableBlock:
    """Return the table of network and kernel solution.

    Args:
        facts: From `equation_facts`.
    """
    compared = facts.get("compared")
    last = {"reference": "Error of the solution", "kernel solution": "Distance from the kernel solution"}

    def row(name: str, score: Mapping[str, Any]) -> tuple[str, ...]:
        values = [score.get(key) for key in ("held_out", "train", *(("error",) if compared else ()))]
        return (name, *("–" if v is None else number(float(v), 2) for v in values))

    rows = [row("Kernel solution", facts["kernel"])]
    if facts.get("network"):
        rows.insert(0, row("Network", facts["network"]))
    head = (
        "Field",
        "Held-out residual",
        "Residual of the points used",
        *((last[compared],) if compared else ()),
    )
    return TableBlock("Network and kernel solution", rows, head, numeric=True)


def terms_table(facts: Mapping[str, Any]) -> TableBlock:
    """Return the table of terms: weights and points.

    Args:
        facts: From `equation_facts`.
    """
    rows = [
        (
            str(term["name"]),
            number(float(term["weight"]), 3),
            count(int(term["points"])),
            count(int(term["held_out"])),
        )
        for term in facts["terms"]
    ]
    return TableBlock("Terms of the loss", rows, ("Term", "Weight", "Points", "Held out"), numeric=True)


def tried_table(facts: Mapping[str, Any], unit: str) -> TableBlock | None:
    """Return the table of bandwidths that were compared; None where none were.

    Args:
        facts: From `equation_facts`.
        unit: Of frequencies.
    """
    tried = facts.get("candidates") or []
    if not tried:
        return None
    errors = all(one.get("errors") for one in tried)
    raced = any(one.get("trained") is not None for one in tried)
    rows = [
        (
            f"{number(float(one['cycles']))}{' (chosen)' * bool(one.get('chosen'))}",
            " × ".join(number(float(s), 3) for s in one["sigma"]),
            number(float(one["score" if errors else "loss"]), 2),
            *(("–" if one.get("trained") is None else number(float(one["trained"]), 2),) if raced else ()),
        )
        for one in tried
    ]
    ranked = "Error to the kernel solution" if errors else "Held-out loss"
    head = ("Cycles per domain", f"Sigma ({unit})", f"{ranked} by least squares")
    return TableBlock(
        "Bandwidths that were compared",
        rows,
        (*head, "Error after a short training") if raced else head,
        numeric=True,
    )
