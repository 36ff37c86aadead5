"""`overtone predict`: predict which frequencies `fit` would learn when, before training."""

from __future__ import annotations

import functools
import math
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from overtone._config._training import MAX_COST
from overtone._utils.optional import require_extra
from overtone._utils.text import format_per_axis
from overtone.cli._announcements import announce_reading
from overtone.cli._completion import complete_run
from overtone.cli._options import (
    NETWORK,
    Verb,
    chain,
    common_flags,
    examples,
    flag,
    reading_arguments,
    reading_flags,
    training_flags,
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
    "predict",
    cls=Verb,
    short_help="Predict what fit would learn when; little training.",
    epilog=examples(
        "overtone predict photo.jpg",
        "overtone predict photo.jpg --activation tanh --steps 5000",
        "overtone predict photo.jpg --run run --out predicted.html",
    ),
)
@click.argument("source", required=False, type=click.Path())
@chain(NETWORK, training_flags(without=("weight_decay", "controller")))
@flag(
    "--pilot",
    type=click.IntRange(min=0),
    metavar="STEPS",
    section="Prediction",
    help="Steps of the pilot, a short training of a copy before the prediction; Adam needs at least 1. "
    "[default: a twentieth of --steps]",
)
@flag(
    "--max-cost",
    type=click.FloatRange(min=0),
    metavar="SHARE",
    default=MAX_COST,
    show_default=True,
    section="Prediction",
    help="Largest cost of the prediction, as a fraction of the cost of training; inf for no limit.",
)
@flag(
    "--run",
    "measured",
    shell_complete=complete_run,
    type=click.Path(),
    metavar="DIR",
    section="Prediction",
    help="A run of fit with the same flags, to compare with.",
)
@flag(
    "--out", type=click.Path(), metavar="FILE", section="Output", help="Draw learning steps to a .html page."
)
@chain(reading_flags, common_flags)
def predict_command(
    source: str | None, as_json: bool, out: str | None, measured: str | None, **options: Any
) -> None:
    """Predict which frequencies a network would learn from SOURCE when, from its tangent kernel.

    Takes the flags of fit. A copy of the network is trained for a twentieth of the steps; the rest is arithmetic. A
    large SOURCE is predicted on a window, in its middle unless hardly anything varies there.
    """
    if out is not None:
        require_extra("reports")
    announce_reading(source)
    from overtone.fitting import predict as predict_fit

    signal = read_source(source, reading_arguments(options))
    options["activation"] = words(options["activation"])
    forecast = predict_fit(signal, run=measured, callback=functools.partial(click.echo, err=True), **options)
    if out is not None:
        _draw(forecast, out, measured)
    if as_json:
        print_json(_document(forecast) | {"seed": options["seed"]})
    else:
        click.echo(_text(forecast) + (f"\nPicture    {out}" if out else ""))


def _document(forecast: Forecast) -> dict[str, Any]:
    """The JSON document of a prediction; frequencies in cycles per unit, per axis where a list."""
    # Where a measured run was given, the step up to which it agrees replaces the predicted one.
    limit = forecast.prediction.holds_until if forecast.agreement is None else forecast.agreement.limit
    scatter, cost = forecast.prediction.scatter, forecast.prediction.cost
    _document: dict[str, Any] = {
        "bands": forecast.learning_steps,
        "unit": forecast.record.attrs["frequency_unit"],
        "stop": forecast.stop.step,
        "irreducible": forecast.irreducible,
        "width": forecast.width,
        "holds_until": None if limit is None else {"step": limit.step, "low": limit.low, "high": limit.high},
        "diverges_at": forecast.prediction.diverges_at,
        "largest_stable_rate": forecast.record.attrs["largest_stable_rate"],
        "pilot": forecast.prediction.pilot,
        "continued": forecast.record.attrs["continued"],
        "scatter": None if scatter is None else scatter.sum(1).tolist(),
        "seconds": {"predicting": cost.predicting, "training": cost.training},
        "window": list(forecast.part.geometry.shape),
        "bandwidth": forecast.bandwidth,
        "reasons": list(forecast.reasons),
        "sentences": forecast.sentences,
    }
    if forecast.agreement is not None:
        _document["agreement"] = {
            "median_factor": forecast.agreement.median_factor,
            "rank_correlation": forecast.agreement.rank_correlation,
            "told": forecast.agreement.predicted_share,
            "factors": forecast.agreement.factor.tolist(),
        }
    return _document


def _text(forecast: Forecast) -> str:
    """The prediction for people: learning steps, or that there will be none."""
    ending = forecast.prediction.diverges_at
    rows = _facts(forecast)
    if ending is None:
        body = _learning(forecast)
    else:
        body = f"Training diverges after step {ending}: nothing is learned for good."
        rows |= {"Stable": f"learning rates up to {forecast.prediction.largest_rate:.3g}"}
    return f"{body}\n\n{paragraph('Notes', forecast.sentences)}\n\n{facts(rows)}"


def _learning(forecast: Forecast) -> str:
    """Return a line for each band with its learning steps, in ascending order."""
    from overtone.records import metrics
    from overtone.records.metrics._bands import has_content

    unit = forecast.record.attrs["frequency_unit"]
    # Bands without power in the target have no learning step, whatever the arithmetic says.
    held = has_content(metrics.combine_channels(forecast.record)).values
    lines = [f"{'band':>17}  {'learned at step':>15}  between"]
    for row, content in zip(forecast.learning_steps, held, strict=True):
        edges = f"{row['low']:.4g} - {row['high']:.4g}"
        step = "?" if row["learning_step"] is None else str(row["learning_step"])
        interval = _interval(row, forecast.prediction.pilot)
        step, interval = (step, interval) if content else ("-", "nothing to learn")
        lines.append(f"{edges:>17}  {step:>15}  {interval}".rstrip())
    return "\n".join([f"Predicted learning steps, bands in {unit}", *lines])


def _facts(forecast: Forecast) -> dict[str, str]:
    """Return the figures that follow from the prediction."""
    from overtone.plots._wording import stop_reason

    value = forecast.record.attrs["value_unit"] or "value units"
    rows = {
        "Stop": f"step {forecast.stop.step}: {stop_reason(forecast.stop)}",
        "Irreducible": "not known"
        if forecast.irreducible is None
        else f"{forecast.irreducible:.3g} ({value} squared)",
        "Width": _width(forecast.width),
    }
    if forecast.bandwidth is not None:
        rows["Bandwidth"] = f"{format_per_axis(forecast.bandwidth)} {forecast.record.attrs['frequency_unit']}"
    return rows


def _interval(row: dict[str, Any], pilot: int) -> str:
    """Return the earliest and latest step in words."""
    step, first, last = row["learning_step"], row["earliest"], row["latest"]
    if step is not None and step <= pilot:
        return "observed in the pilot"
    if first is None and last is None:
        return "?"
    return "" if first == last == step else f"{first or '?'} and {last or '?'}"


def _width(units: int | None) -> str:
    if units is None:
        return "not known"
    if units > MEANINGFUL:
        return "the Barron bound is too large to be useful, because the signal has noise or edges"
    return f"{units} ReLU units in one layer suffice for an error of a tenth of the signal"


def _draw(forecast: Forecast, out: str, run: str | None) -> None:
    """Write a page with predicted, and measured, learning steps."""
    from overtone import records
    from overtone.plots import PredictedSteps

    measured = None if run is None else records.load(run)
    plot = PredictedSteps(forecast.record, forecast.prediction.earliest, forecast.prediction.latest, measured)
    figure = plot.plotly()
    shade_undetermined(figure, forecast.record)
    figure.update_layout(
        title={"text": f"Predicted learning steps: {forecast.signal.name}", "y": 0.98}, margin={"t": 80}
    )
    figure.write_html(out, include_plotlyjs=True)


def shade_undetermined(figure: Figure, record: xarray.Dataset) -> None:
    """Say "cannot tell" over the frequencies that the prediction leaves open at its last step."""
    undetermined = record.residual_power.isel(step=-1).isnull().any("channel").values
    low, high = record.band_low.values, record.band_high.values
    # The first band begins at frequency 0, which a logarithmic axis does not have.
    smallest = float(high[high > 0].min()) / 2
    runs = [
        list(bands)
        for is_open, bands in groupby(range(len(undetermined)), key=undetermined.__getitem__)
        if is_open
    ]
    intervals = [(max(float(low[bands[0]]), smallest), float(high[bands[-1]])) for bands in runs]
    for left, right in intervals:
        figure.add_vrect(x0=left, x1=right, fillcolor="gray", opacity=0.12, line_width=0, layer="below")
    if intervals:
        # The label stands in the interval that is widest on the logarithmic axis.
        _, end = max(intervals, key=lambda interval: interval[1] / interval[0])
        figure.add_annotation(
            x=math.log10(end), y=0.98, yref="paper", xanchor="right", text="cannot tell", showarrow=False
        )
