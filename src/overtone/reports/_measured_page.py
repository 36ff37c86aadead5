"""Page of a fit of measurements: the picture beside classical ones, residuals by band, what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from overtone._utils.text import count, decibels, number
from overtone.plots import _encode as encode
from overtone.plots import _snapshots as reconstruction
from overtone.plots import _style as style
from overtone.plots._labels import escaped
from overtone.records import Snapshots
from overtone.reports._blocks import Block, PictureBlock, PicturesBlock, PlotBlock, TableBlock, Tile
from overtone.reports._findings import Findings
from overtone.reports._measured_verdict import capitalised, error_words

MOMENTS = 3
"""Steps at which the network's picture is shown."""

MEASURED_ENTRIES = (
    (
        "Measurement",
        "One number that was measured of the picture: a coefficient of k-space, the integral along a ray, a blurred "
        "sample.",
    ),
    (
        "Residual of a band",
        "The measurements that the network would give minus those that were made, brought back to the picture by the "
        "adjoint of the measuring, in a band of the picture's frequencies. A band is settled when its residual is less "
        "than half of the data.",
    ),
    (
        "Held-out residual",
        "Root mean square residual of measurements that were not trained on, over their root mean square.",
    ),
    (
        "Zero-filled",
        "The picture whose coefficients are those measured, and 0 elsewhere.",
    ),
    (
        "Density-compensated adjoint",
        "The picture of k-space samples on spokes or spirals, each of which counts the less, the closer others are.",
    ),
)
"""Words of these pages and their meanings."""


def measured_tiles(facts: Mapping[str, Any]) -> list[Tile]:
    """Return the key figures of a fit of measurements.

    Args:
        facts: From `measured_facts`.
    """
    network = facts.get("network") or {}
    tiles = []
    if network.get("psnr") is not None:
        tiles.append(Tile("PSNR to the reference", decibels(float(network["psnr"]))))
    if network.get("held_out") is not None:
        tiles.append(Tile("Held-out residual", number(float(network["held_out"]), 2)))
    functionals = facts["functionals"]
    tiles.append(Tile("Trained on", count(int(functionals.get("train") or 0))))
    tiles.append(Tile("Held out", count(int(functionals.get("held_out") or 0))))
    if facts.get("noise"):
        tiles.append(Tile("Noise (std of a measurement)", number(float(facts["noise"]), 2)))
    return tiles


def measured_blocks(
    record: xr.Dataset, snapshots: Snapshots, facts: Mapping[str, Any], f: Findings
) -> list[Block]:
    """Return the pictures, or of a line the curves: reference, network at a few steps, classical reconstructions.

    Args:
        record: Of one run.
        snapshots: Its snapshots.
        facts: From `measured_facts`.
        f: Findings of the record.
    """
    if "prediction" not in snapshots.names:
        return []
    shape = tuple(reconstruction.snapshot_geometry(record).get("shape", ()))
    shown: list[tuple[str, str, np.ndarray]] = []
    if "target" in snapshots.names:
        shown.append(("Reference", "never trained on", snapshots.get("target", -1)))
    steps = np.array([step for step in snapshots.steps("prediction") if 0 < step <= f.step] or [f.step])
    for step in reconstruction.moments(steps, MOMENTS):
        values = snapshots.find("prediction", int(step))
        if values is None:
            continue
        note = error_words(facts.get("network") or {}) if step == f.step else "during training"
        shown.append((f"Network, step {count(float(step))}", note or "during training", values))
    for position, score in enumerate(facts["classical"]):
        values = snapshots.find(f"classical-{position}", 0)
        if values is not None:
            name = str(score["name"])
            shown.append((capitalised(name), error_words(score), values))
    if any(values.shape[:-1] != shape for _, _, values in shown) or not 1 <= len(shape) <= 3:
        return []
    lattice = reconstruction.snapshot_geometry(record)
    return [reconstruction_block(shown, lattice["spacing"][0], lattice["origin"][0], lattice["units"][0])]


def reconstruction_block(
    shown: list[tuple[str, str, np.ndarray]],
    spacing: float,
    origin: float,
    unit: str,
    caption: str | None = None,
    anchor: str = "reconstruction",
) -> Block:
    """Return pictures side by side, or the curves of a line.

    Args:
        shown: Title, note and values (*shape, channel) of each.
        spacing: Distance between samples of a line.
        origin: Its first coordinate.
        unit: The unit of both.
        caption: Of the figure; that of reconstructions from measurements if None.
        anchor: Begins the anchor of the figure.
    """
    axes = shown[0][2].ndim - 1
    if axes == 1:
        return _curves(shown, spacing, origin, unit, caption, anchor)
    return _pictures(shown, axes, caption, anchor)


def _pictures(
    shown: list[tuple[str, str, np.ndarray]], axes: int, caption: str | None, anchor: str
) -> PicturesBlock:
    # One scale for all: that of the reference, else of the last picture of the network.
    scale = next((v for title, _, v in shown if title == "Reference"), shown[-1][2])
    low, high = float(np.nanmin(scale)), float(np.nanmax(scale))

    def one(title: str, note: str, values: np.ndarray) -> PictureBlock:
        flat = values if axes == 2 else values[values.shape[0] // 2]
        pixels = encode.grey(flat[..., 0], low, high)
        return PictureBlock(
            encode.picture_uri(pixels), pixels.shape[1], pixels.shape[0], title, note, f"{title}, {note}"
        )

    part = "" if axes == 2 else " The middle slice of the first axis is shown."
    title = "Reconstructions" if caption is None else "Fields"
    words = (
        "The network's picture beside classical reconstructions from the same measurements, on one grey scale; of "
        f"complex pictures the magnitude.{part}"
        if caption is None
        else f"{caption} One grey scale for all.{part}"
    )
    return PicturesBlock(f"{anchor}-pictures", title, words, [one(*entry) for entry in shown])


def _curves(
    shown: list[tuple[str, str, np.ndarray]],
    spacing: float,
    origin: float,
    unit: str,
    caption: str | None,
    anchor: str,
) -> PlotBlock:
    x = origin + spacing * np.arange(len(shown[0][2]))
    figure = style.canvas()
    figure.update_layout(showlegend=True)
    # The reference takes no colour of the others, which have theirs in every figure of the page.
    colours = iter(style.RUNS * 3)
    for title, _, values in shown:
        reference = title == "Reference"
        figure.add_scatter(
            x=x,
            y=values[..., 0],
            name=title,
            mode="lines",
            line={
                "color": style.TARGET if reference else next(colours),
                "width": 3 if reference else 1.5,
            },
        )
    figure.update_xaxes(title=escaped(f"Coordinate ({unit})", 80))
    figure.update_yaxes(title="Value")
    title = "Reconstructions" if caption is None else "Fields"
    return PlotBlock(
        f"{anchor}-curve", title, caption or "The network beside classical reconstructions.", figure
    )


def classical_table(facts: Mapping[str, Any]) -> TableBlock:
    """Return the table of the network and the classical reconstructions.

    Args:
        facts: From `measured_facts`.
    """
    entries = [*facts["classical"]]
    if facts.get("network"):
        entries.insert(0, {"name": "network"} | dict(facts["network"]))

    def cell(value: Any) -> str:
        return "–" if value is None else number(float(value), 2)

    rows = [
        (
            str(entry["name"]),
            cell(entry.get("held_out")),
            cell(entry.get("train")),
            "–" if entry.get("psnr") is None else f"{float(entry['psnr']):.1f}",
        )
        for entry in entries
    ]
    head = ("Picture", "Held-out residual", "Residual of the measurements used", "PSNR to the reference (dB)")
    return TableBlock("Network and classical reconstructions", rows, head, numeric=True)


def coverage_block(record: xr.Dataset) -> PlotBlock | None:
    """Return the figure of how much of each band is measured; None where the record does not say.

    Args:
        record: Of one run.
    """
    gain = record.attrs.get("gain")
    if not isinstance(gain, list) or len(gain) != record.sizes["band"]:
        return None
    figure = style.canvas()
    centre = (record.band_low.values + record.band_high.values) / 2
    figure.add_bar(
        x=centre,
        y=np.asarray(gain, float),
        width=record.band_high.values - record.band_low.values,
        marker={"color": style.TARGET},
        hovertemplate="%{x:.4g}: %{y:.3f}<extra></extra>",
    )
    unit = escaped(str(record.attrs.get("frequency_unit") or ""), 80)
    figure.update_xaxes(title=f"Frequency ({unit})")
    figure.update_yaxes(title="Fraction measured", rangemode="tozero")
    caption = (
        "The part of the coefficients of each band that was measured and trained on, from random fields; the largest "
        "counts as 1."
    )
    return PlotBlock("coverage", "What was measured", caption, figure)
