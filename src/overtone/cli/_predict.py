"""`overtone predict`: what `fit` would learn when, before training."""

from __future__ import annotations

import functools
import math
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from overtone._utils.text import per_axis
from overtone.cli._options import (
    NETWORK,
    Verb,
    chain,
    common,
    examples,
    flag,
    reading,
    reading_arguments,
    training,
    words,
)
from overtone.cli._output import facts, paragraph, print_json
from overtone.cli._source import read_source

if TYPE_CHECKING:
    import xarray
    from plotly.graph_objects import Figure

    from overtone.fitting import Forecast

MEANINGFUL = 10**6
"""Width beyond which a bound on it is no advice."""


@click.command(
    cls=Verb,
    short_help="Predict what fit would learn when; little training.",
    epilog=examples(
        "overtone predict photo.jpg",
        "overtone predict photo.jpg --activation tanh --steps 5000",
        "overtone predict photo.jpg --run run --out predicted.html",
    ),
)
@click.argument("source", required=False, type=click.Path())
@chain(NETWORK, training(without=("weight_decay", "controller")))
@flag(
    "--pilot",
    type=click.IntRange(min=0),
    metavar="STEPS",
    section="Prediction",
    help="Steps that a copy is trained first; Adam needs 1. [default: a twentieth of --steps]",
)
@flag(
    "--run",
    "measured",
    type=click.Path(),
    metavar="DIR",
    section="Prediction",
    help="A run of fit with the same flags, to compare with.",
)
@flag(
    "--out", type=click.Path(), metavar="FILE", section="Output", help="Draw learning steps to a .html page."
)
@chain(reading, common)
def predict(source: str | None, as_json: bool, out: str | None, measured: str | None, **options: Any) -> None:
    """Predict which frequencies a network would learn from SOURCE when, from its tangent kernel.

    Takes the flags of fit. A copy of the network is trained for a twentieth of the steps; the rest is arithmetic. A
    large SOURCE is predicted on a window, in its middle unless hardly anything varies there.
    """
    from overtone.fitting import predict as predict_fit

    signal = read_source(source, reading_arguments(options))
    options["activation"] = words(options["activation"])
    found = predict_fit(signal, run=measured, callback=functools.partial(click.echo, err=True), **options)
    if out is not None:
        draw(found, out, measured)
    if as_json:
        print_json(document(found) | {"seed": options["seed"]})
    else:
        click.echo(text(found) + (f"\nPicture    {out}" if out else ""))


def document(found: Forecast) -> dict[str, Any]:
    """The JSON document of a prediction; frequencies in cycles per unit, per axis where a list."""
    limit = found.prediction.holds_until if found.agreement is None else found.agreement.limit
    scatter, cost = found.prediction.scatter, found.prediction.cost
    document: dict[str, Any] = {
        "bands": found.learning_steps,
        "unit": found.record.attrs["frequency_unit"],
        "stop": found.stop.step,
        "irreducible": found.irreducible,
        "width": found.width,
        "holds_until": None if limit is None else {"step": limit.step, "low": limit.low, "high": limit.high},
        "diverges_at": found.prediction.diverges_at,
        "largest_stable_rate": found.record.attrs["largest_stable_rate"],
        "pilot": found.prediction.pilot,
        "continued": found.record.attrs["continued"],
        "scatter": None if scatter is None else scatter.sum(1).tolist(),
        "seconds": {"predicting": cost.predicting, "training": cost.training},
        "window": list(found.part.geometry.shape),
        "bandwidth": found.bandwidth,
        "reasons": list(found.reasons),
        "sentences": found.sentences,
    }
    if found.agreement is not None:
        document["agreement"] = {
            "median_factor": found.agreement.median_factor,
            "rank_correlation": found.agreement.rank_correlation,
            "told": found.agreement.predicted_share,
            "factors": found.agreement.factor.tolist(),
        }
    return document


def text(found: Forecast) -> str:
    """The prediction for people: learning steps, or that there will be none."""
    ending = found.prediction.diverges_at
    rows = _facts(found)
    if ending is None:
        body = _learning(found)
    else:
        body = f"Training diverges after step {ending}: nothing is learned for good."
        rows |= {"Bears": f"learning rates up to {found.prediction.largest_rate:.3g}"}
    return f"{body}\n\n{paragraph('To know', found.sentences)}\n\n{facts(rows)}"


def _learning(found: Forecast) -> str:
    """Learning steps of every band, in ascending order."""
    from overtone.records import metrics

    unit = found.record.attrs["frequency_unit"]
    held = metrics.has_content(metrics.combine_channels(found.record)).values
    lines = [f"{'band':>17}  {'learned at step':>15}  between"]
    for row, content in zip(found.learning_steps, held, strict=True):
        edges = f"{row['low']:.4g} - {row['high']:.4g}"
        step = "?" if row["learning_step"] is None else str(row["learning_step"])
        span = _span(row, found.prediction.pilot)
        step, span = (step, span) if content else ("-", "nothing to learn")
        lines.append(f"{edges:>17}  {step:>15}  {span}".rstrip())
    return "\n".join([f"Predicted learning steps, bands in {unit}", *lines])


def _facts(found: Forecast) -> dict[str, str]:
    """What follows from the prediction."""
    value = found.record.attrs["value_unit"] or "value units"
    rows = {
        "Stop": f"step {found.stop.step}: {found.stop.reason}",
        "Irreducible": "not known"
        if found.irreducible is None
        else f"{found.irreducible:.3g} ({value} squared)",
        "Width": _width(found.width),
    }
    if found.bandwidth is not None:
        rows["Bandwidth"] = f"{per_axis(found.bandwidth)} {found.record.attrs['frequency_unit']}"
    return rows


def _span(row: dict[str, Any], pilot: int) -> str:
    """Earliest and latest step in words."""
    step, first, last = row["learning_step"], row["earliest"], row["latest"]
    if step is not None and step <= pilot:
        return "seen on the pilot"
    if first is None and last is None:
        return "?"
    return "" if first == last == step else f"{first or '?'} and {last or '?'}"


def _width(units: int | None) -> str:
    if units is None:
        return "not known"
    if units > MEANINGFUL:
        return "the Barron bound says nothing useful: noise or edges in the signal"
    return f"{units} ReLU units in one layer suffice for an error of a tenth of the signal"


def draw(found: Forecast, out: str, run: str | None) -> None:
    """Write a page with predicted, and measured, learning steps."""
    from overtone import records
    from overtone.plots import PredictedSteps

    measured = None if run is None else records.load(run)
    drawn = PredictedSteps(found.record, found.prediction.earliest, found.prediction.latest, measured)
    figure = drawn.figure()
    shade_untold(figure, found.record)
    figure.update_layout(
        title={"text": f"Predicted learning steps: {found.signal.name}", "y": 0.98}, margin={"t": 80}
    )
    figure.write_html(out, include_plotlyjs=True)


def shade_untold(figure: Figure, record: xarray.Dataset) -> None:
    """Say "cannot tell" over the frequencies that the prediction leaves open at its last step."""
    untold = record.residual_power.isel(step=-1).isnull().any("channel").values
    low, high = record.band_low.values, record.band_high.values
    least = float(high[high > 0].min()) / 2
    runs = [list(bands) for is_open, bands in groupby(range(len(untold)), key=untold.__getitem__) if is_open]
    spans = [(max(float(low[bands[0]]), least), float(high[bands[-1]])) for bands in runs]
    for left, right in spans:
        figure.add_vrect(x0=left, x1=right, fillcolor="gray", opacity=0.12, line_width=0, layer="below")
    if spans:
        _, end = max(spans, key=lambda span: span[1] / span[0])
        figure.add_annotation(
            x=math.log10(end), y=0.98, yref="paper", xanchor="right", text="cannot tell", showarrow=False
        )
