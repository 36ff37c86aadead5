"""Display of results in notebooks: key figures, a table, a picture and sentences."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from overtone._utils.display import brief, field_texts
from overtone._utils.text import count, decibels, format_per_axis, number, plural
from overtone.reports._display_html import Display, display_html
from overtone.reports._display_pictures import (
    figure_uri,
    levels_uri,
    power_uri,
    signal_uri,
)
from overtone.reports._equation_verdict import equation_facts, figures
from overtone.reports._measured_verdict import capitalised, error_words, measured_facts
from overtone.reports._verdict import run_answers

__all__ = [
    "choice_display",
    "comparison_display",
    "display_html",
    "forecast_display",
    "kernel_display",
    "plan_display",
    "plot_display",
    "result_display",
    "run_comparison_display",
    "run_display",
    "scan_display",
    "signal_display",
    "spectrum_display",
]

_ROWS = 40
"""Rows of a table at most; more make a notebook heavy."""


def signal_display(signal: Any) -> Display:
    """Return what is shown of a `Signal`; samples are thinned before anything is computed."""
    geometry = signal.geometry
    lattice = geometry.shape if hasattr(geometry, "spacing") else None
    facts = [
        ("Samples", count(geometry.samples) if lattice is None else " × ".join(count(n) for n in lattice)),
        ("Channels", _names(signal.channels)),
        ("Values", signal.value_unit or "without a unit"),
        ("Range", f"{number(float(signal.peak))} (peak of the PSNR)"),
    ]
    if lattice is not None:
        spacing = zip(geometry.spacing, geometry.units, strict=True)
        facts.append(("Spacing", " × ".join(f"{number(float(step))} {unit}" for step, unit in spacing)))
        facts.append(("Nyquist", f"{format_per_axis(geometry.nyquist)} {geometry.frequency_unit}"))
    if signal.held_out is not None:
        facts.append(("Held out", plural(int(signal.held_out.sum()), "sample")))
    if signal.clean is not None:
        facts.append(("Clean reference", "known"))
    return Display(
        f"Signal: {signal.name}",
        signal.kind,
        facts,
        sentences=[note[:1].upper() + note[1:] for note in signal.notes],
        picture=signal_uri(signal),
    )


def spectrum_display(spectrum: Any) -> Display:
    """Return what is shown of a `Spectrum`."""
    low, high, power = spectrum.bands.low, spectrum.bands.high, _array(spectrum.power)
    bandwidth = _array(spectrum.bandwidth())
    facts = [
        ("Bands", f"{count(len(low))}, up to {number(float(high[-1]))} cycles per unit"),
        ("Channels", count(power.shape[1])),
        ("Mean square", _values(_array(spectrum.mean_square))),
        ("Bandwidth (90 % of the power)", f"{_values(bandwidth)} cycles per unit"),
        ("Estimator", spectrum.estimator),
    ]
    rows = [
        (f"{number(float(a))} to {number(float(b))}", _values(row))
        for a, b, row in list(zip(low, high, power, strict=True))[:_ROWS]
    ]
    return Display(
        "Spectrum",
        "power per band",
        facts,
        head=("Band (cycles per unit)", "Power"),
        rows=rows,
        more=len(low) - len(rows),
        picture=power_uri(low, high, power, "cycles per unit"),
        alt="Power per band, both axes logarithmic",
    )


def scan_display(scan: Any) -> Display:
    """Return what is shown of a `Scan`: spectrum, noise floor, and the bandwidth with its reasons."""
    signal, noise = scan.signal, scan.noise
    unit = signal.geometry.frequency_unit
    facts = [
        ("Bandwidth", f"{format_per_axis(scan.bandwidth)} {unit}"),
        ("Nyquist", f"{format_per_axis(signal.geometry.nyquist)} {unit}"),
        ("Noise", {"noise": "white noise", "clean": "none"}.get(noise.verdict.value, "cannot tell")),
        ("Samples", " × ".join(count(n) for n in signal.geometry.shape)),
    ]
    if noise.verdict.value == "noise":
        facts.insert(3, ("Noise (std)", f"{_values(_array(noise.std))} {signal.value_unit}".strip()))
    bands = scan.spectrum.bands
    picture = power_uri(
        bands.low, bands.high, _array(scan.spectrum.power), unit, signal.channels, max(scan.bandwidth)
    )
    return Display(
        f"Scan: {signal.name}",
        "spectrum, noise and bandwidth; nothing was trained",
        facts,
        sentences=[str(reason) for reason in scan.reasons],
        picture=picture,
        alt="Power per band with the recommended bandwidth",
    )


def plan_display(plan: Any) -> Display:
    """Return what is shown of a `Plan`: its settings, what else was compared, and the reasons."""
    facts = [
        ("Fit", "recommended" if plan.recommended else "not recommended"),
        ("Encoding", plan.encoding.value),
        ("Bandwidth", f"{format_per_axis(plan.bandwidth)} cycles per unit"),
        ("Features", count(plan.features)),
        ("Network", f"{plural(plan.depth, 'hidden layer')} of {plural(plan.width, 'unit')}"),
        ("Training", f"{plural(plan.steps, 'step')}, learning rate {number(plan.lr)}"),
        ("Samples a step", "all" if plan.batch is None else count(plan.batch)),
    ]
    names = [f"{a.encoding.value}, {format_per_axis(a.bandwidth)}" for a in plan.alternatives]
    levels = [a.psnr for a in plan.alternatives]
    chosen = next((one.psnr for one in plan.candidates if one.chosen), math.nan)
    if math.isfinite(chosen):
        names.insert(0, f"{plan.encoding.value}, {format_per_axis(plan.bandwidth)} (chosen)")
        levels.insert(0, chosen)
    rows = [(name, decibels(level)) for name, level in zip(names, levels, strict=True)]
    return Display(
        "Plan",
        "how to fit the signal",
        facts,
        head=("Encoding and bandwidth", "PSNR on held-out samples"),
        rows=rows[:_ROWS],
        more=len(rows) - len(rows[:_ROWS]),
        sentences=[*map(str, plan.warnings), *map(str, plan.reasons)],
        picture=levels_uri(names[:8], levels[:8], "PSNR on held-out samples (dB)"),
        alt="Quality of the compared encodings and bandwidths",
    )


def run_display(run: Any) -> Display:
    """Return what is shown of a `Run`: its quality, its verdict, and the order in which it learned."""
    from overtone.records import metrics
    from overtone.records.metrics._bands import without_unmeasured
    from overtone.reports._findings import gather

    record, _ = without_unmeasured(run.record)
    labels = {
        "train": "training samples",
        "held_out": "held-out samples",
        "held_out_clean": "clean reference",
    }
    facts = [
        (f"PSNR, {labels[name]}", decibels(level)) for name, level in run.psnr.items() if level is not None
    ]
    measured = measured_facts(record)
    if measured is not None and measured.get("network"):
        facts.append(("Network", error_words(measured["network"])))
        facts += [(capitalised(str(score["name"])), error_words(score)) for score in measured["classical"]]
    findings = gather(record)
    facts.append(("Step of the network", f"{count(findings.step)} of {count(findings.last)}"))
    seconds = metrics.training_seconds(record)
    if np.isfinite(seconds):
        facts.append(("Training time", f"{number(seconds)} s"))
    facts.append(("Directory", str(run.directory.path)))
    equation = equation_facts(record)
    if equation is not None and equation.get("network"):
        named = ("Kernel solution", equation["kernel"]), ("Network", equation["network"])
        facts += [(name, figures(score, equation.get("compared"))) for name, score in named]
    verdict = run_answers(run.directory.path, record)

    def learning_order() -> Any:
        from overtone.plots import LearningOrder

        return LearningOrder(record).figure()

    return Display(
        f"Run: {run.signal.name}",
        "what the network learned",
        facts,
        sentences=[f"{question} {answer}" for question, answer in verdict],
        picture=figure_uri(learning_order),
        alt="Relative error over training steps and frequency; dark is learned",
    )


def forecast_display(forecast: Any) -> Display:
    """Return what is shown of a `Forecast`: learning steps as predicted, and sentences on them."""
    unit = str(forecast.record.attrs.get("frequency_unit") or "cycles per unit")
    facts = [("Best step", count(forecast.stop.step))]
    if forecast.bandwidth is not None:
        facts.append(("Bandwidth", f"{format_per_axis(forecast.bandwidth)} {unit}"))
    facts.append(("Predicted on", " × ".join(count(n) for n in forecast.part.geometry.shape) + " samples"))
    rows = [
        (
            f"{number(band['low'])} to {number(band['high'])}",
            *(
                "?" if band[key] is None else count(band[key])
                for key in ("learning_step", "earliest", "latest")
            ),
        )
        for band in forecast.learning_steps
    ]

    def steps() -> Any:
        from overtone.plots import PredictedSteps

        prediction = forecast.prediction
        return PredictedSteps(forecast.record, prediction.earliest, prediction.latest).figure()

    return Display(
        f"Prediction: {forecast.signal.name}",
        "learning steps from the tangent kernel",
        facts,
        head=(f"Band ({unit})", "Learned at step", "Earliest", "Latest"),
        rows=rows[:_ROWS],
        more=len(rows) - len(rows[:_ROWS]),
        sentences=forecast.sentences,
        picture=figure_uri(steps),
        alt="Predicted learning steps over frequency",
    )


def comparison_display(comparison: Any) -> Display:
    """Return what is shown of a comparison: scores with intervals, and the verdict."""
    rows = [
        (
            score.name,
            decibels(score.mean),
            f"{number(score.low)} to {number(score.high)}",
            f"{number(score.seconds)} s",
        )
        for score in comparison.scores
    ]
    facts = [("Winner", comparison.winner), ("Candidates", count(len(comparison.scores)))]
    facts += [(f"Failed: {name}", error) for name, error in comparison.failed.items()]

    def quality() -> Any:
        return comparison.quality_plot().figure()

    return Display(
        f"Comparison: {comparison.task.signal.name}",
        f"evaluated on {comparison.judged}",
        facts,
        head=("Candidate", "PSNR", "95 % interval (dB)", "Time"),
        rows=rows[:_ROWS],
        more=len(rows) - len(rows[:_ROWS]),
        sentences=comparison.verdict,
        picture=figure_uri(quality),
        alt="Quality of each candidate with its interval",
    )


def choice_display(choice: Any) -> Display:
    """Return what is shown of a `Choice` of operators: every bandwidth with its held-out loss, and the sentences."""
    unit = choice.problem.geometry.frequency_unit
    facts = [
        ("Sigma of Gaussian frequencies", f"{format_per_axis(choice.sigma)} {unit}"),
        ("Bandwidth (90 % of the power)", f"{format_per_axis(choice.bandwidth)} {unit}"),
        ("Verdict", choice.verdict.value),
        ("Kernel solution", _kernel_words(choice.kernel)),
    ]
    raced = any(one.trained is not None for one in choice.candidates)
    rows = [
        (
            f"{number(one.cycles)}{' (chosen)' if one is choice.best else ''}",
            format_per_axis(one.sigma),
            number(one.score if one.errors else one.loss, 2),
            *(("–" if one.trained is None else number(one.trained, 2),) if raced else ()),
        )
        for one in choice.candidates
    ]
    ranked = "Error to the kernel solution" if choice.best.errors else "Held-out loss"
    head = ("Cycles per domain", f"Sigma ({unit})", ranked)
    return Display(
        f"Choice: {choice.problem.name}",
        "bandwidth for a field known through operators",
        facts,
        head=(*head, "After a short training") if raced else head,
        rows=rows[:_ROWS],
        more=len(rows) - len(rows[:_ROWS]),
        sentences=str(choice).splitlines(),
        picture=levels_uri(
            [f"{number(one.cycles)} cycles" for one in choice.candidates][:8],
            [
                float(np.log10(max(one.score if one.errors else one.loss, 1e-300)))
                for one in choice.candidates
            ][:8],
            f"{ranked}, that of zero being 1 (log10)",
        ),
        alt=f"{ranked} at each bandwidth",
    )


def kernel_display(kernel: Any) -> Display:
    """Return what is shown of a `KernelSolution`: how far it can be trusted, and its settings."""
    facts = [
        ("Held-out residual", f"{number(kernel.relative_residual, 2)} of that of zero"),
        ("Undetermined fields", f"{count(kernel.undetermined)} of {count(kernel.resolved)}"),
        ("Sigma of its frequencies", format_per_axis(kernel.sigma)),
        ("Ridge", f"{kernel.ridge:.0e}"),
        ("Gauss-Newton steps", "converged" if kernel.converged else "did not converge"),
    ]
    return Display("KernelSolution", _kernel_words(kernel), facts)


def _kernel_words(kernel: Any) -> str:
    if kernel.trusted:
        return "trusted"
    if kernel.undetermined:
        return "not trusted: the data leave fields undetermined"
    return f"not trusted: held-out residual {number(kernel.relative_residual, 2)}"


def plot_display(plot: Any) -> Display:
    """Return what is shown of a plot: its figure and its description."""
    return Display(
        type(plot).__name__,
        "",
        [],
        sentences=[plot.describe()],
        picture=figure_uri(plot.figure),
        alt=plot.describe(),
    )


def result_display(result: Any) -> Display:
    """Return what is shown of any other result: its fields, and a table of its columns of equal length."""
    columns = {
        field.name: _array(value)
        for field in dataclasses.fields(result)
        if getattr(value := getattr(result, field.name), "shape", None) and len(value.shape) == 1
    }
    longest = max((len(column) for column in columns.values()), default=0)
    columns = {name: column for name, column in columns.items() if len(column) == longest > 1}
    rows = list(zip(*(map(str, map(brief, column.tolist())) for column in columns.values()), strict=True))
    sentences = getattr(result, "sentences", ())
    return Display(
        type(result).__name__,
        (type(result).__doc__ or "").partition("\n")[0].rstrip("."),
        [(name.replace("_", " ").capitalize(), text) for name, text in field_texts(result)],
        head=[name.replace("_", " ").capitalize() for name in columns],
        rows=rows[:_ROWS],
        more=len(rows) - len(rows[:_ROWS]),
        sentences=sentences if isinstance(sentences, list | tuple) else (),
    )


def run_comparison_display(compared: Any) -> Display:
    """Return what is shown of several records on one chart: the three figures and what they say."""
    facts = [("Records", count(len(compared.data)))]
    return Display(
        "RunComparison",
        ", ".join(data.attrs["label"] for data in compared.data),
        facts,
        sentences=compared.describe(),
        picture=figure_uri(compared.figure),
        alt="PSNR over training, learning steps and final spectra",
    )


def _array(values: Any) -> np.ndarray:
    """Return a tensor or array as float64 on the CPU."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=np.float64)


def _values(row: np.ndarray) -> str:
    shown = [number(float(value)) for value in np.atleast_1d(row)[:4]]
    return ", ".join([*shown, *(["…"] if np.size(row) > 4 else [])])


def _names(names: Sequence[str]) -> str:
    return ", ".join([*names[:6], *(["…"] if len(names) > 6 else [])])
