"""Draw the real runs of `benchmarks/real_runs.py`: `python -m tools.real_runs`, some minutes on one core."""

from __future__ import annotations

from functools import partial

import numpy as np
import plotly.graph_objects as go
import torch
from benchmarks import real_runs, two_tones
from playwright.sync_api import sync_playwright
from tools.pictures import CHROMIUM, draw

import overtone as ot
from overtone.nn import encodings
from overtone.plots import _style as style
from overtone.records import metrics
from overtone.spectra import clouds

Y = "relative error (share left to learn)"


def digits() -> go.Figure:
    """Errors of the low and the high part of the digits' labels, as they are and shuffled."""
    data = real_runs.digits()
    widths = clouds.GaussianFilter.widths_for(data.inputs.flatten(1), data.values, (0.5,), at_most=2000)
    figure = style.canvas()
    for labels, variant, dash in (
        ("true labels", data, "solid"),
        ("shuffled labels", data.shuffled(0), "dot"),
    ):
        views = real_runs.filters(variant, widths)
        records = real_runs.train(variant, partial(real_runs.mlp, 64, 10), 0, views)
        low, high = real_runs.low_and_high(records)
        steps = style.step_positions(records[0].step.values)
        for part, error, colour in (("low", low[0], style.PREDICTION), ("high", high[0], style.RESIDUAL)):
            line = {"color": colour, "dash": dash, "width": 2}
            figure.add_scatter(x=steps, y=error, name=f"{part} part, {labels}", mode="lines", line=line)
    figure.update_xaxes(style.step_axis(records[0].step.values))
    figure.update_yaxes(title_text=Y, range=[0, 1.2])
    return figure


def tones() -> go.Figure:
    """Errors of two tones, the high one three times as strong, in a GRU and a transformer."""
    figure = style.canvas()
    for name, dash in (("GRU", "solid"), ("transformer", "dot")):
        low, high = two_tones.errors(two_tones.NETWORKS[name], 3.0, 0)
        for tone, error, colour in (("low", low, style.PREDICTION), ("high", high, style.RESIDUAL)):
            line = {"color": colour, "dash": dash, "width": 2}
            steps = np.arange(len(error))
            figure.add_scatter(
                x=style.step_positions(steps), y=error, name=f"{tone} tone, {name}", mode="lines", line=line
            )
    figure.update_xaxes(style.step_axis(np.arange(two_tones.STEPS)), range=[np.log10(0.5), np.log10(500)])
    figure.update_yaxes(style.log_axis(0.1, 2, Y))
    style.horizontal(figure, 0.5, "learned below", "left")
    return figure


def table() -> go.Figure:
    """Spectral bias of the labels on a graph of nearest rows, for two real tables."""
    figure = style.canvas()
    tables = (("breast cancer", real_runs.cancer(), 30, 2), ("diabetes", real_runs.diabetes(), 10, 1))
    for (name, data, inputs, outputs), colour in zip(tables, style.RUNS, strict=False):
        for labels, variant, dash in (("", data, "solid"), (", shuffled", data.shuffled(0), "dot")):
            view = ot.probes.views.graph(variant.inputs, variant.targets, modes=64)
            (record,) = real_runs.train(variant, partial(real_runs.mlp, inputs, outputs), 0, [view])
            index = metrics.spectral_bias_index(record).values
            line = {"color": colour, "dash": dash, "width": 2}
            steps = style.step_positions(record.step.values)
            figure.add_scatter(x=steps, y=index, name=name + labels, mode="lines", line=line)
    figure.update_xaxes(style.step_axis(record.step.values))
    figure.update_yaxes(title_text="spectral bias index (1: all in the high half)", range=[-1, 1])
    return figure


def scattered() -> go.Figure:
    """Learning order of a picture sampled at 4,000 scattered places."""
    data = real_runs.Scattered.draw()
    encoding = encodings.Gaussian(2, 128, 5.0, seed=0)
    records, _, _ = real_runs.fit_scattered(data, encoding)
    return ot.plots.LearningOrder(records[0]).plotly()


FIGURES = {"real-digits": digits, "real-tones": tones, "real-tables": table, "real-scattered": scattered}


def main() -> None:
    """Draw them all."""
    torch.set_num_threads(1)
    figures = {name: make() for name, make in FIGURES.items()}
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        for name, figure in figures.items():
            draw(browser, figure, name, height=440 if name == "real-scattered" else 400)
        browser.close()


if __name__ == "__main__":
    main()
